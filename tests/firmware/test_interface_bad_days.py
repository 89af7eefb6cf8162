"""An interface on bad days: noise, a meter that is gone, clocks that jump, visitors without end."""

from __future__ import annotations

import itertools
import random
from datetime import datetime, timedelta

import pytest
from interface_board import SECOND, SERIAL, FedInterface, local, short
from mqtt_board import OddBroker
from world import Client, World

pytestmark = pytest.mark.slow


def test_noise_half_telegrams_and_wrong_sums_are_counted_and_give_no_frame(world: World) -> None:
    chance = random.Random(7)
    with FedInterface(world) as fed:
        fed.household(3)
        raw = fed.meter.telegram(4)
        fed.give(raw.replace(b"kWh", b"kVh", 1))
        fed.give(raw[: len(raw) // 2], 3)
        fed.board.serial(bytes(chance.randrange(256) for _ in range(100_000)))
        world.clock.run(2)
        # Eight seconds of noise: the page answers in the midst of it.
        assert world.ask(fed.board, "GET", "/api/info").status == 200
        world.clock.run(10)
        assert len(fed.frames) == 3
        status = fed.status()
        assert status["telegrams_bad"] >= 2
        assert status["telegram_age_s"] >= 10
        fed.household(3)
        assert len(fed.frames) >= 5
        assert fed.board.resets == fed.board.faults == []


def test_a_meter_that_was_unplugged_for_an_hour_is_read_again(world: World) -> None:
    with FedInterface(world) as fed:
        fed.household(3)
        # In the midst of a telegram.
        fed.give(fed.meter.telegram(4)[:700])
        world.clock.run(3600)
        status = fed.status()
        assert 3600 <= status["telegram_age_s"] <= 3605
        assert len(fed.frames) == 3
        fed.meter.advance(3604)
        fed.household(3)
        assert len(fed.frames) >= 5
        assert fed.status()["telegram_age_s"] <= 1


@pytest.mark.parametrize(
    "times",
    [
        ["2026-06-18T10:{m}:{s}", "2026-06-18T11:{m}:{s}"],
        ["2026-06-18T10:{m}:{s}", "2026-06-18T09:{m}:{s}"],
        ["2026-12-31T23:{m}:{s}", "2027-01-01T00:{m}:{s}"],
        ["2026-03-29T01:{m}:{s}", "2026-03-29T03:{m}:{s}"],
        ["2026-10-25T01:{m}:{s}", "2026-10-25T03:{m}:{s}"],
    ],
    ids=["forward", "back", "new-year", "march", "october"],
)
def test_a_clock_that_jumps_makes_no_peak_of_it(world: World, times: list[str]) -> None:
    with FedInterface(world) as fed:
        wh = 1_000_000
        for text in times:
            for minute, second in ((58, 0), (59, 59)):
                wh += 500
                fed.give(short(local(text.format(m=minute, s=f"{second:02d}")), wh), 2)
        fed.give(short("251301250000W", wh), 2)  # no such date
        wh += 9000
        fed.give(short(local("2035-01-01T00:00:10"), wh), 2)
        fed.give(short(local(times[-1].format(m="59", s="59")), wh), 2)
        assert {heard.read().month_peak_w for heard in fed.frames} == {0}
        assert {heard.read().last_quarter_w for heard in fed.frames} == {0}
        assert "history.json" not in fed.board.files()


def quarters(fed: FedInterface, start: str, watts: list[int], wh: int = 1_000_000) -> int:
    """A telegram at the start, middle and end of quarters of so many watts; the register then."""
    begin = local(start).timestamp()
    total = float(wh)

    def give(second: float) -> None:
        when = datetime.fromtimestamp(begin + second, tz=local(start).tzinfo)
        fed.give(short(when, int(total)), 1)

    give(0)
    for number, power in enumerate(watts):
        for second in (450, 899, 900):
            give_at = number * 900 + second
            total += power * (450 if second == 450 else 449 if second == 899 else 1) / 3600
            give(give_at)
    return int(total)


def test_month_peaks_are_kept_over_power_cuts_and_never_halved(world: World) -> None:
    with FedInterface(world) as fed:
        quarters(fed, "2026-06-18T10:00:00", [3600, 7200, 1200])
        assert fed.frames[-1].read().month_peak_w == 7200
        kept = fed.board.files()["history.json"]
        writes = fed.board.figures()["programs"]
        wh = quarters(fed, "2026-06-18T10:45:00", [1200], 1_003_000)
        assert fed.board.figures()["programs"] == writes  # not higher: not written
        fed.power_cycle()
        fed.give(short(local("2026-06-18T11:10:00"), wh), 3)
        sent = fed.frames[-1].read()
        assert (sent.month_peak_w, sent.quarter_w) == (7200, 0)
        # In the next month it is last month's.
        fed.give(short(local("2026-07-01T00:10:00"), wh + 5), 3)
        status = fed.status()
        assert (status["month_peak_w"], status["last_month_w"]) == (7200, None) or (
            status["month_peak_w"],
            status["last_month_w"],
        ) == (None, 7200)
        assert fed.board.files()["history.json"] == kept


def test_a_restart_in_mid_quarter_goes_on_with_it(world: World) -> None:
    with FedInterface(world) as fed:
        fed.give(short(local("2026-06-18T10:00:00"), 1_000_000), 2)
        fed.give(short(local("2026-06-18T10:05:00"), 1_000_300), 2)
        assert fed.frames[-1].read().quarter_w == 1200
        fed.restart()
        fed.give(short(local("2026-06-18T10:06:00"), 1_000_400), 2)
        assert fed.frames[-1].read().quarter_w == 1600
        fed.power_cycle()
        fed.give(short(local("2026-06-18T10:07:00"), 1_000_500), 2)
        assert fed.frames[-1].read().quarter_w == 0


@pytest.mark.parametrize("spoiled", [b"", b"[", b'[1,"",[202606,null,9999]]', bytes(500)])
def test_a_spoiled_history_begins_anew(world: World, spoiled: bytes) -> None:
    with FedInterface(world, more={"history.json": spoiled}) as fed:
        quarters(fed, "2026-06-18T10:00:00", [3600])
        assert fed.frames[-1].read().month_peak_w == 3600
        assert fed.board.resets == fed.board.faults == []


def test_another_meters_history_is_not_this_ones(world: World) -> None:
    with FedInterface(world) as fed:
        quarters(fed, "2026-06-18T10:00:00", [3600])
        other = short(local("2026-06-18T11:00:10"), 5_000_000, serial="1SAG3100000002")
        fed.power_cycle()
        fed.give(other, 3)
        assert fed.frames[-1].read().month_peak_w == 0
        fed.power_cycle()
        fed.give(short(local("2026-06-18T11:00:20"), 1_001_000, serial=SERIAL), 3)
        assert fed.frames[-1].read().month_peak_w == 3600


def test_a_power_cut_at_every_write_of_the_history_leaves_the_old_or_the_new(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    with FedInterface(world) as fed:
        wh = quarters(fed, "2026-06-18T10:00:00", [2400])
        old = fed.board.files()["history.json"]
        seen = {old: 0}
        begin, cuts = local("2026-06-18T10:30:00"), 0
        for number in itertools.count(1):
            start = begin + timedelta(minutes=30 * number)
            fed.give(short(start, wh), 2)
            fed.board.cut_at(number)
            wh += 800 + number * 10
            fed.give(short(start + timedelta(seconds=899), wh), 1)
            fed.give(short(start + timedelta(seconds=900), wh), 3)
            if not fed.board.cut:
                break
            cuts += 1
            assert fed.board.faults == []
            fed.board.power_on()
            world.online(fed.board)
            now = fed.board.files()["history.json"]
            seen[now] = seen.get(now, 0) + 1
            fed.give(short(start + timedelta(seconds=960), wh), 3)
            assert (fed.frames[-1].read().month_peak_w or 0) >= 2400
        assert cuts >= 3
    with capsys.disabled():
        print(f"\nhistory: {cuts} writes cut, {len(seen)} contents seen, never neither")


def hammer(world: World, fed: FedInterface, seconds: int) -> tuple[int, int, float]:
    """Ten browsers ask without end, for so long; (answers, most frames missed in a row, gap)."""
    answers = 0
    clients: list[Client] = []
    begun = len(fed.frames)
    for _ in range(seconds):
        for client in list(clients):
            if client.over:
                clients.remove(client)
                answers += client.came.startswith(b"HTTP/1.1 200")
        while len(clients) < 10:
            path = "/" if len(clients) % 5 == 4 else "/api/status"
            head = f"GET {path} HTTP/1.1\r\nHost: {fed.board.address}\r\n\r\n"
            clients.append(world.begin(fed.board, head.encode()))
        fed.household(1)
    for client in clients:
        client.close()
    seen = [frame.at_us for frame in fed.frames[begun:]]
    gaps = [(b - a) / SECOND for a, b in itertools.pairwise(seen)]
    return answers, max(round(gap) for gap in gaps) - 1, max(gaps)


@pytest.mark.parametrize(
    "seconds", [60, pytest.param(1000, marks=pytest.mark.soak)], ids=["minute", "1000-s"]
)
def test_while_ten_browsers_ask_without_end_no_two_frames_in_a_row_are_missed(
    world: World, seconds: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with OddBroker(world.clock) as broker:
        settings = {"mqtt_enabled": True, "mqtt_host": "127.0.0.1", "mqtt_port": broker.port}
        with FedInterface(world, settings=settings) as fed:
            fed.household(20)
            reader = world.begin(fed.board, b"", 8088)
            before = len(fed.frames)
            answers, missed, gap = hammer(world, fed, seconds)
            sent = len(fed.frames) - before
            if missed > 1:
                # A second of the board is 15 ms here: a broker and browsers that this computer
                # holds up for a tenth of one are away for seconds. Not twice, though.
                before = len(fed.frames)
                answers, missed, gap = hammer(world, fed, seconds)
                sent = len(fed.frames) - before
            reader.close()
            assert fed.board.resets == fed.board.faults == []
            assert missed <= 1
            assert sent >= 0.99 * seconds
            assert answers > seconds / 4
    with capsys.disabled():
        print(
            f"\nten browsers for {seconds} s: {answers} answers, {seconds - sent} frames missed, "
            f"the longest gap {gap:.2f} s"
        )


@pytest.mark.parametrize(
    ("host", "word"),
    [
        ("127.0.0.1", "no answer"),
        ("nobody.local", "name not found"),
        ("nobody.example", "name not found"),
    ],
)
def test_a_broker_that_cannot_be_reached_costs_no_frame_its_second(
    world: World, host: str, word: str
) -> None:
    # Port 1 of this computer: nobody listens there.
    settings = {"mqtt_enabled": True, "mqtt_host": host, "mqtt_port": 1}
    with FedInterface(world, settings=settings) as fed:
        given = fed.household(120)
        assert len(fed.frames) == len(given)
        seen = [frame.at_us for frame in fed.frames]
        assert max(b - a for a, b in itertools.pairwise(seen)) <= 1.2 * SECOND
        assert fed.status()["mqtt"] in (word, "connecting")
        assert fed.board.resets == fed.board.faults == []


def test_a_broker_that_ends_in_the_midst_costs_no_frame_its_second(world: World) -> None:
    with OddBroker(world.clock) as broker:
        settings = {"mqtt_enabled": True, "mqtt_host": "127.0.0.1", "mqtt_port": broker.port}
        with FedInterface(world, settings=settings) as fed:
            fed.household(20)
            assert fed.status()["mqtt"] == "connected"
            broker.hang_up()
            given = fed.household(100)
            seen = [frame.at_us for frame in fed.frames[-len(given) :]]
            assert max(b - a for a, b in itertools.pairwise(seen)) <= 1.2 * SECOND
            assert fed.status()["mqtt"] == "connected"
            assert len(broker.came) >= 2
            assert fed.board.resets == fed.board.faults == []
