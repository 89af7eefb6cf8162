"""Which frames a board acts on: older, foreign, signed and forged ones."""

from __future__ import annotations

import json

import pytest
from acting_board import Acting
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from world import World

from dsmrctl.firmware.core import frame, signature

pytestmark = pytest.mark.slow

KEY = "an invented key of a household"
NIGHT = b'{"dsmr":[83125000,27689000,0,0,2,11,2]}'


@pytest.mark.parametrize(
    "data",
    [
        NIGHT,
        b'{"v":2,"dsmr":[1,2,0,0,2,11,2,0,0,0]}',
        b'{"v":2,"dsmr":[1,2,0,0,2,11,2,0,0,0,7,8]}',
        # The manual's newer firmware: more elements, of which only the first seven are known.
        b'{"dsmr":[1,2,0,0,2,11,2,4000,3000,99999999]}',
        # Another writer's blanks, and members nobody knows.
        b'{ "dsmr" : [1, 2, 0, 0, 2, 11, 2], "house": "ours" }\r\n',
        # A frame that was signed, for a board without a key.
        signature.sign(b'{"v":2,"dsmr":[1,2,0,0,2,11,2,0,0,0]}', KEY.encode(), 5),
    ],
)
def test_a_board_acts_on_every_version(world: World, data: bytes) -> None:
    with Acting(world, "miniswitch") as switch:
        switch.send(data)
        assert switch.on("relay")
        assert switch.status() | {"frames": 1, "refused": 0, "tariff": 2} == switch.status()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"off",
        b'{"dsmr":[1,2,0,0,2,11]}',
        b'{"dsmr":[1,2,0,0,3,11,2]}',
        b'{"dsmr":[1,2,0,0,2,60,2]}',
        b'{"dsmr":[1,2,0,0,2,11,60]}',
        b'{"dsmr":[1,2,-5,0,2,11,2]}',
        b'{"dsmr":[1,2,1.5,0,2,11,2]}',
        b'{"dsmr":[1,2,"0",0,2,11,2]}',
        # Elements 3 and 4 are powers only by inference: these look like registers.
        b'{"dsmr":[1,2,100000,0,2,11,2]}',
        b'{"dsmr":[1,2,0,549778,2,11,2]}',
        b'{"v":3,"dsmr":[1,2,0,0,2,11,2,0,0,0]}',
        b'{"v":2,"dsmr":[1,2,0,0,2,11,2]}',
        NIGHT + b" " * 512,
        b"\xff" * 40,
    ],
)
def test_what_is_no_frame_is_counted_and_changes_nothing(world: World, data: bytes) -> None:
    with Acting(world, "miniswitch") as switch:
        switch.send(data)
        assert not switch.on("relay")
        assert switch.status() | {"frames": 0, "refused": 1, "reason": "silent"} == switch.status()


def test_noise_does_not_keep_a_board_from_its_frames(world: World) -> None:
    with Acting(world, "miniswitch") as switch:
        for _ in range(20):
            for _ in range(3):
                switch.send(b'{"dsmr":[1,2 ,3]}', 0)
            switch.frames(tariff=2)
        assert switch.on("relay")
        assert switch.status()["frames"] == 20
        assert switch.status()["refused"] == 60
        assert not switch.board.resets


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.one_of(
        st.binary(max_size=80),
        st.builds(
            lambda at, byte: NIGHT[:at] + bytes([byte]) + NIGHT[at + 1 :],
            st.integers(0, len(NIGHT) - 1),
            st.integers(0, 255),
        ),
    )
)
def test_any_bytes_are_a_frame_to_a_board_exactly_when_they_are_to_the_desk(
    switch_in_the_network: Acting, data: bytes
) -> None:
    switch = switch_in_the_network
    # What another wrote is read a few times in five seconds.
    switch.world.clock.run(5)
    before = switch.status()
    switch.send(data)
    after = switch.status()
    try:
        values = frame.read(data).values
    except frame.FrameError:
        assert (after["frames"], after["refused"]) == (before["frames"], before["refused"] + 1)
    else:
        assert (after["frames"], after["refused"]) == (before["frames"] + 1, before["refused"])
        assert [after[name] for name in ("import_w", "export_w", "tariff")] == [*values[2:5]]


@pytest.fixture
def switch_in_the_network(world: World):
    with Acting(world, "miniswitch") as switch:
        yield switch


def signed(switch: Acting, **said: int) -> bytes:
    return switch.text(tariff=2, **said)


def test_with_a_key_only_frames_signed_by_it_switch(world: World) -> None:
    with Acting(world, "miniswitch", settings={"frame_key": KEY}) as switch:
        switch.send(NIGHT)
        forged = signature.sign(
            b'{"v":2,"dsmr":[1,2,0,0,2,11,2,0,0,0]}', b"another key of 16+", switch.n
        )
        switch.send(forged)
        assert switch.status() | {"frames": 0, "refused": 2} == switch.status()
        # Since its start it wants two valid ones before it switches.
        switch.frames(1, tariff=2)
        assert not switch.on("relay")
        assert switch.status()["reason"] == "key"
        switch.frames(1, tariff=2)
        assert switch.on("relay")
        old = signed(switch)
        switch.frames(3, tariff=1)
        assert not switch.on("relay")
        switch.send(old)
        assert not switch.on("relay")
        assert switch.status()["refused"] == 3
        assert KEY not in json.dumps(switch.status())


def test_a_frame_that_came_by_two_ways_is_no_forgery(world: World) -> None:
    with Acting(world, "miniswitch", settings={"frame_key": KEY}) as switch:
        for _ in range(5):
            switch.send(signed(switch), 0)
            switch.frames(tariff=2)
        assert switch.on("relay")
        assert switch.status()["refused"] == 0


def test_what_was_taken_before_a_restart_is_not_taken_after_it(world: World) -> None:
    with Acting(world, "miniswitch", settings={"frame_key": KEY}) as switch:
        recorded = []
        for _ in range(5):
            recorded.append(signed(switch))
            switch.frames(tariff=2)
        switch.restart()
        for data in recorded[:-1]:
            switch.send(data)
        assert switch.status() | {"refused": 4, "frames": 0, "output": 0} == switch.status()
        switch.frames(2, tariff=2)
        assert switch.on("relay")


@pytest.mark.slow
def test_after_a_power_cut_nothing_older_than_an_hour_is_taken(world: World) -> None:
    with Acting(world, "miniswitch", settings={"frame_key": KEY}) as switch:
        switch.frames(5, tariff=2)
        recorded = [signed(switch)]
        switch.n += 1
        recorded.append(signed(switch))
        switch.frames(3700, tariff=1)
        kept = json.loads(switch.board.files()["signed.json"])["n"]
        assert switch.n - 200 < kept < switch.n
        erases = switch.board.figures()["erases"]
        switch.frames(30, tariff=1)
        assert switch.board.figures()["erases"] == erases
        switch.power_cycle()
        for data in recorded * 2:
            switch.send(data)
        assert switch.status() | {"refused": 4, "output": 0} == switch.status()
        switch.frames(2, tariff=2)
        assert switch.on("relay")


def test_a_new_key_begins_anew(world: World) -> None:
    with Acting(world, "miniswitch", settings={"frame_key": KEY}) as switch:
        switch.frames(4, tariff=2)
        switch.set(frame_key="another invented key, longer")
        switch.frames(3, tariff=1)
        assert switch.on("relay")  # ten seconds are not over
        switch.key = b"another invented key, longer"
        switch.n -= 100_000
        switch.frames(2, tariff=1)
        assert not switch.on("relay")
        switch.set(frame_key=None)
        switch.key = b""
        switch.frames(1, tariff=2)
        assert switch.on("relay")


def test_a_switch_with_a_key_has_the_memory_for_it(world: World) -> None:
    with Acting(world, "miniswitch", settings={"frame_key": KEY, "mode": "injection"}) as switch:
        switch.frames(30, export_w=500)
        for path in ("/", "/settings", "/api/info", "/api/settings"):
            assert world.ask(switch.board, "GET", path).status == 200
        world.clock.run(5)
        assert switch.board.figures()["alloc"] <= 28_672


@pytest.mark.soak
@pytest.mark.parametrize("number", range(1, 6))
def test_a_power_cut_while_the_counter_is_kept_costs_neither_key_nor_frames(
    world: World, number: int
) -> None:
    with Acting(world, "miniswitch", settings={"frame_key": KEY}) as switch:
        switch.frames(3500, tariff=1)
        switch.board.cut_at(number)
        switch.frames(150, tariff=1)
        if switch.board.cut:
            switch.board.power_on()
            world.online(switch.board)
        switch.frames(3, tariff=2)
        assert switch.on("relay")
        assert not switch.board.faults
