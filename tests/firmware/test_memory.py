"""What the firmware holds of the chip's heap, by the real interpreter on this 64-bit computer.

Objects are about 1.45 times as large here as on the chip; the heap is the chip's 38 KB all the
same, so what runs here has room to spare there.
"""

from __future__ import annotations

import pytest
from acting_board import Acting
from world import World, bundle

from dsmrctl import boards
from dsmrctl.flashing import filesystem
from dsmrctl.virtual.oled import Display

# Together they take longer than the inner loop has.
pytestmark = pytest.mark.slow

MOST_RESIDENT = 24 * 1024
MOST_HELD = 28_672  # of any board, with someone at its page


def test_the_smallest_board_leaves_room_for_an_app(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    board = world.online(world.board())
    for path in ("/", "/settings", "/api/info", "/api/settings"):
        assert world.ask(board, "GET", path).status == 200
    world.clock.run(5)
    held = board.figures()["alloc"]
    low = world.ask(board, "GET", "/api/info").json()["heap_low"]
    assert 10_000 < held <= MOST_RESIDENT
    assert low > 4000
    with capsys.disabled():
        print(f"\nheap held by the blink board: {held} bytes; least free ever: {low}")


def test_what_an_empty_image_holds_is_what_is_taken_off(world: World) -> None:
    """boot.py and a main.py that does nothing, for ever: the figures count from there."""
    empty = b"import time\nwhile True:\n    time.sleep_ms(1000)\n    dog.feed()\n"
    empty = b"import machine\ndog = machine.WDT()\n" + empty
    board = world.board(more={"main.py": empty})
    world.clock.run(5)
    assert -160 <= board.figures()["alloc"] <= 160


@pytest.mark.parametrize("board", ["blink", "interface"])
def test_a_slot_is_at_most_forty_blocks(board: str) -> None:
    slot = filesystem.used_blocks(98, bundle(board).slot("a")) - filesystem.used_blocks(98, {})
    assert slot <= 40


@pytest.mark.soak
def test_a_day_leaves_nothing_behind(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    board = world.online(world.board(settings={"period_ms": 5000}))
    held = []
    for hour in range(24):
        for path in ("/", "/api/info", "/api/settings", "/api/status"):
            assert world.ask(board, "GET", path).status == 200
        assert world.ask(board, "PUT", "/api/settings", {"name": f"hour {hour}"}).status == 200
        world.clock.run(3600)
        held.append(board.figures()["alloc"])
    assert board.resets == []
    assert board.faults == []
    # The first hours load what is loaded rarely, and names stay for ever.
    assert max(held[6:]) - min(held[6:]) <= 512
    assert world.ask(board, "GET", "/api/info").json()["uptime_s"] >= 24 * 3600
    with capsys.disabled():
        print(f"\nheap after each of 24 hours: {held[0]} … {held[5]} … {held[-1]} bytes")


@pytest.mark.parametrize(
    ("board", "hardware"),
    [
        (kind.name, hardware.name)
        for kind in (boards.MINISWITCH, boards.MONITOR, boards.SWITCHER)
        for hardware in kind.hardware
    ],
)
def test_a_board_that_acts_has_room_with_a_key_a_display_and_someone_at_its_page(
    world: World, board: str, hardware: str
) -> None:
    settings = {"frame_key": "an invented key of a household"}
    with Acting(world, board, hardware=hardware, settings=settings, online=False) as acting:
        acting.board.plug(Display())
        acting.board.power_off()
        acting.board.power_on()
        world.online(acting.board)
        acting.frames(30, export_w=700)
        for path in ("/", "/settings", "/api/info", "/api/status", "/api/settings"):
            assert world.ask(acting.board, "GET", path).status == 200
        # Another's way to write a frame is read by modules that are loaded for it.
        acting.send(acting.text().replace(b",", b", ", 1))
        visitor = world.begin(acting.board, b"GET /api/status HTTP/1.1\r\nHost: x\r\n")
        acting.frames(3, import_w=500)
        held = acting.board.figures()["alloc"]
        visitor.close()
        assert held <= MOST_HELD
        assert not acting.board.faults
        assert not acting.board.resets
