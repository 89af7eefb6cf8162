"""Power fails in the midst of every single flash write: the board boots with the old or the new.

The n-th program or erase is done in part (half of its bytes), and then the power is gone; then it
is switched on again. Every n of a settings save and of an update is tried.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from test_update_over_wifi import PAGE, post, put
from world import World, other_version

from dsmrctl.errors import NoAnswer
from dsmrctl.virtual.board import VirtualBoard

pytestmark = pytest.mark.slow

BEFORE, AFTER = {"name": "before"}, {"name": "after", "period_ms": 250}


def cut(world: World, board: VirtualBoard, number: int, work: Callable[[], object]) -> bool:
    """Does the work with the power failing at that write; True when it did fail."""
    board.cut_at(number)
    try:
        work()
    except NoAnswer:
        pass
    world.clock.run(5)
    return board.cut


def test_of_a_settings_save_the_old_or_the_new_stays(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = {"before": 0, "after": 0}
    number = 0
    while True:
        number += 1
        board = world.board(2, settings=BEFORE)
        world.online(board)
        was_cut = cut(
            world,
            board,
            number,
            lambda board=board: world.ask(board, "PUT", "/api/settings", AFTER, seconds=5),
        )
        if not was_cut:
            break
        board.power_on()
        world.online(board)
        name = world.ask(board, "GET", "/api/settings").json()["settings"]["name"]
        outcomes[name] += 1
        assert board.faults == []
        board.__exit__()
    assert outcomes["before"] + outcomes["after"] == number - 1
    assert outcomes["before"] > 0
    with capsys.disabled():
        print(f"\npower cut at each of {number - 1} writes of a settings save: {outcomes}")


NEW = other_version({**PAGE, "extra.mpy": bytes(5000)})


def work(world: World, board: VirtualBoard) -> int:
    """An update as a client does it, as far as the board goes along; the last status."""
    answer = post(world, board, NEW)
    for path in answer.json()["missing"] if answer.status == 409 else []:
        answer = put(world, board, path, NEW.files[path])
        if answer.status != 200:
            return answer.status
    return post(world, board, NEW).status if answer.status == 200 else answer.status


def every(world: World, step: int) -> tuple[int, dict[str, int]]:
    """(writes of an update, what ran after a cut at every so-manieth: version -> times)."""
    board = world.online(world.board())
    start = board.figures()
    assert work(world, board) == 202
    end = board.figures()
    writes = end["programs"] + end["erases"] - start["programs"] - start["erases"]
    board.__exit__()
    outcomes: dict[str, int] = {}
    for number in range(1, writes + 1, step):
        board = world.online(world.board())
        assert cut(world, board, number, lambda board=board: work(world, board)), number
        board.power_on()
        world.online(board)
        found = world.ask(board, "GET", "/api/info").json()["fw"]
        outcomes[found] = outcomes.get(found, 0) + 1
        assert board.faults == []
        board.__exit__()
    return writes, outcomes


@pytest.mark.soak
@pytest.mark.parametrize("step", [1])
def test_of_an_update_the_old_or_the_new_runs(
    world: World, step: int, capsys: pytest.CaptureFixture[str]
) -> None:
    writes, outcomes = every(world, step)
    assert writes > 300
    assert set(outcomes) <= {"1.0.0", "1.1.0"}
    assert outcomes["1.0.0"] > 0
    with capsys.disabled():
        print(f"\npower cut at every {step}. of {writes} writes of an update: {outcomes}")
