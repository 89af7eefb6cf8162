"""What an interface makes of its meter's telegrams: frames, light, status, the stream on TCP."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import CAPTURES, clean_environment
from interface_board import LED, SECOND, Ears, FedInterface, group, local, short
from mqtt_board import OddBroker, parts
from world import World, address

from dsmrctl.firmware.core import frame, signature
from dsmrctl.telegram import parse
from dsmrctl.telegram.document import quantities

pytestmark = pytest.mark.slow

TELEGRAMS = 8088
KEY = "an invented key of some length"
ALSO = ("wallonia_b-part-1", "delta-grid_no-voltage-on-l2", "meters_water-on-1_gas-on-2")
BELGIAN = [
    *sorted(CAPTURES.glob("belgium_*.txt")),
    *(CAPTURES / f"{name}.txt" for name in (*ALSO, "line-feeds-only")),
]


def desk(fed: FedInterface, given: list[bytes]) -> list[bytes | None]:
    return [fed.desk(raw) for raw in given]


def datagrams(fed: FedInterface) -> list[bytes]:
    return [heard.data for heard in fed.frames]


# Frames


@pytest.mark.parametrize("version", ["1.4", "1.7.1"])
def test_each_telegram_gives_the_frame_that_the_desk_makes_of_it(
    world: World, version: str
) -> None:
    # The quarter ends on the way.
    with FedInterface(world, version=version, start="2026-06-18T18:44:40") as fed:
        given = fed.household(40)
        assert datagrams(fed) == desk(fed, given)
        assert {heard.sender for heard in fed.frames} == {fed.board.address}
        assert fed.frames[-1].read().version == 2
        status = fed.status()
        assert (status["frames"], status["telegrams"], status["telegrams_bad"]) == (40, 40, 0)
        assert status["telegram_age_s"] <= 1


@pytest.mark.soak
@pytest.mark.parametrize("version", ["1.4", "1.7.1"])
def test_in_two_hours_no_frame_differs_and_no_memory_is_lost(
    world: World, version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hours = 2 if version == "1.4" else 0.5
    with FedInterface(world, version=version, start="2026-06-18T18:34:00") as fed:
        given = fed.household(600)
        early = fed.board.figures()["alloc"]
        given += fed.household(int(hours * 3600) - 600)
        late = fed.board.figures()["alloc"]
        assert datagrams(fed) == desk(fed, given)
        if version == "1.4":
            peaks = {heard.read().month_peak_w for heard in fed.frames}
            assert fed.frames[-1].read().month_peak_w == max(peaks, key=lambda w: w or 0) != 0
        assert fed.board.figures()["uart_lost"] == 0
        assert fed.board.resets == fed.board.faults == []
        assert late - early <= 200, (early, late)
    with capsys.disabled():
        print(f"\ninterface alloc after 10 min {early} B, after {hours} h {late} B ({version})")


def test_its_light_shines_fifty_milliseconds_for_each_frame(world: World) -> None:
    with FedInterface(world) as fed:
        start = world.clock.now_us
        fed.household(5)
        # One that is bad gives none.
        fed.give(fed.meter.telegram(fed.meter.second + 1).replace(b"*kWh", b"*kVh", 1))
        lights = fed.lights(start)
        assert len(lights) == len(fed.frames) == 5
        for (began, long), heard in zip(lights, fed.frames, strict=True):
            assert 48_000 <= long <= 60_000
            assert abs(began - heard.at_us) < 20_000
        assert fed.board.pins[LED] == 1


def test_with_a_key_frames_are_signed_by_the_meters_clock(world: World) -> None:
    with FedInterface(world, settings={"frame_key": KEY}) as fed:
        given = fed.household(5)
        assert datagrams(fed) == desk(fed, given)
        last = 0
        for heard, raw in zip(fed.frames, given, strict=True):
            last = signature.check(heard.data, KEY.encode(), last)
            when = parse(raw).time
            assert when is not None
            assert last == int(when.timestamp()) - 1_577_836_800
        with pytest.raises(frame.FrameError):
            signature.check(fed.frames[-1].data, b"another key, as long as that", 0)
        body = {"frame_key": None}
        assert world.ask(fed.board, "PUT", "/api/settings", body).status == 200
        fed.household(1)
        assert b'"m"' not in fed.frames[-1].data


def test_a_target_gets_each_frame_too_and_another_group_holds_at_once(world: World) -> None:
    where = group()
    target = address(77)
    with FedInterface(world, settings={"frame_target": target}) as fed:
        unicast = Ears(world, (target, fed.where[1]))
        other = Ears(world, where)
        fed.household(3)
        assert [h.data for h in unicast.heard] == datagrams(fed)
        assert len(fed.frames) == 3
        body = {"frame_group": "{}:{}".format(*where), "frame_target": ""}
        assert world.ask(fed.board, "PUT", "/api/settings", body).status == 200
        fed.household(3)
        assert len(fed.frames) == len(unicast.heard) == len(other.heard) == 3
        unicast.close()
        other.close()


def test_a_frame_that_nobody_can_be_sent_is_no_loss_for_the_next(world: World) -> None:
    from world import KEY as PASSWORD
    from world import SSID

    with FedInterface(world) as fed:
        fed.household(2)
        world.air.off(SSID)
        fed.household(10)
        assert len(fed.frames) == 2
        world.air.on(SSID, PASSWORD)
        world.clock.until(lambda: fed.board.wifi == 5, 60)
        fed.household(3)
        assert len(fed.frames) >= 4
        assert fed.board.resets == []


# What it shows


def same(told: Any, shown: Any) -> bool:
    if isinstance(told, Decimal):
        return shown is not None and Decimal(str(shown)) == told
    return told == shown


def differences(raw: bytes, shown: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The quantities that the telegram tells and that are shown otherwise, or not at all."""
    return {
        name: (told, shown.get(name))
        for name, told in quantities(parse(raw)).items()
        if told is not None and not same(told, shown.get(name))
    }


def states(broker: OddBroker) -> list[dict[str, Any]]:
    """What was published as the board's state."""
    found = []
    for _, heard in broker.came:
        for kind, body in parts(bytes(heard)):
            topic = body[2 : 2 + int.from_bytes(body[:2], "big")]
            if kind & 0xF0 == 0x30 and topic.endswith(b"/state"):
                found.append(json.loads(body[2 + len(topic) :]))
    return found


def test_frame_status_and_broker_tell_what_telegram_parse_tells(world: World) -> None:
    from dsmrctl.virtual.meter_past import new_household_meter

    telegrams = {path.name: path.read_bytes() for path in BELGIAN}
    for version in ("1.4", "1.7.1"):
        meter = new_household_meter(local("2026-08-01T12:20"), seed=7, version=version)
        telegrams[version] = meter.telegram(400)
    with OddBroker(world.clock) as broker:
        settings = {"mqtt_enabled": True, "mqtt_host": "127.0.0.1", "mqtt_port": broker.port}
        with FedInterface(world, settings=settings) as fed:
            fed.give(short(local("2026-01-01T00:00:10"), 1), 5)
            for name, raw in telegrams.items():
                fed.give(raw, 3)
                status = fed.status()
                assert differences(raw, status) == {}, name
                state = states(broker)[-1]
                assert {key: status[key] for key in state} == state, name
                sent = fed.frames[-1].read()
                told = quantities(parse(raw))
                for field in frame.FIELDS:
                    if told.get(field) is not None:
                        assert getattr(sent, field) == told[field], (name, field)
                assert f":{sent.minute:02d}:{sent.second:02d}+" in told["time"]
                assert fed.frames[-1].data == fed.desk(raw) or name in ("1.4",), name
            assert len(fed.frames) == len(telegrams) + 1


def test_the_history_of_a_meter_that_tells_it_is_shown_as_measured(world: World) -> None:
    raw = (CAPTURES / "belgium_emucs-1.7.1_gas_water_13-months.txt").read_bytes()
    peaks = [
        [f"{peak.month:%Y-%m}", int(peak.demand.number * 1000)]
        for peak in parse(raw).peaks
        if peak.month is not None
    ]
    with FedInterface(world) as fed:
        fed.give(raw, 3)
        status = fed.status()
        assert status["history"] == peaks
        assert status["last_month_w"] == peaks[-1][1]


def test_without_a_crc_there_is_no_frame(world: World) -> None:
    # The manual's sample has lost it, and with it what says that its numbers are right.
    raw = (CAPTURES / "manual_emucs-1.4_no-crc.txt").read_bytes()
    with FedInterface(world) as fed:
        for _ in range(3):
            fed.give(raw, 2)
        assert fed.frames == []
        status = fed.status()
        assert (status["telegrams"], status["frames"]) == (0, 0)
        assert status["telegrams_bad"] == 3
        assert status["telegram_age_s"] is None
        assert status["import_t1_wh"] is None
        fed.household(1)
        assert len(fed.frames) == 1
        assert fed.status()["telegrams_bad"] == 3


# The stream on TCP


def test_by_tcp_every_byte_of_the_line_comes_as_it_is(world: World) -> None:
    with FedInterface(world) as fed:
        fed.household(2)
        client = world.begin(fed.board, b"", TELEGRAMS)
        world.clock.run(1)
        given = b"".join(fed.household(5))
        noise = bytes(range(256)) * 2
        fed.give(noise)
        assert client.came == given + noise
        assert not client.over
        client.close()
        world.clock.run(1)


def test_a_second_reader_is_turned_away_and_the_first_reads_on(world: World) -> None:
    with FedInterface(world) as fed:
        first = world.begin(fed.board, b"", TELEGRAMS)
        world.clock.run(1)
        second = world.begin(fed.board, b"", TELEGRAMS)
        given = fed.household(3)
        assert (second.over, second.came) == (True, b"")
        assert first.came == b"".join(given)
        # What a reader says means nothing.
        first.data = b"GET / HTTP/1.1\r\n\r\n" * 20
        given += fed.household(3)
        assert first.came == b"".join(given)
        first.close()
        fed.household(1)
        third = world.begin(fed.board, b"", TELEGRAMS)
        world.clock.run(1)
        assert third.came == b""
        given = fed.household(2)
        assert third.came == b"".join(given)
        third.close()
        assert len(fed.frames) == 9


def test_a_reader_that_breaks_off_is_let_go_at_once(world: World) -> None:
    with FedInterface(world) as fed:
        for _ in range(6):
            rude = socket.create_connection((fed.board.address, TELEGRAMS))
            fed.household(2)
            # Without a goodbye: what is still on its way is refused.
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            rude.close()
            fed.household(2)
        client = world.begin(fed.board, b"", TELEGRAMS)
        world.clock.run(1)
        given = fed.household(2)
        assert client.came == b"".join(given)
        client.close()
        assert len(fed.frames) == 26
        assert fed.board.resets == fed.board.faults == []


def test_a_reader_that_reads_too_slowly_is_dropped_and_no_frame_waits(world: World) -> None:
    with FedInterface(world) as fed:
        slow = socket.socket()
        # In segments as small as the chip's this computer keeps little for it.
        slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        slow.connect((fed.board.address, TELEGRAMS))
        world.clock.run(1)
        given = []
        raw = fed.meter.telegram(1)
        for second in range(20):
            fed.give(raw + b"\xff" * 8000)
            given.append(second)
        came = world.begin(fed.board, b"", TELEGRAMS)
        world.clock.run(1)
        fed.give(raw)
        assert came.came == raw
        assert len(fed.frames) == len(given) + 1
        steps = {
            round((b.at_us - a.at_us) / SECOND, 1)
            for a, b in zip(fed.frames, fed.frames[1:-1], strict=False)
        }
        assert steps == {1.0}
        slow.close()
        came.close()


def test_dsmr_parser_reads_the_telegrams_from_the_socket(world: World) -> None:
    from dsmr_parser import obis_references, telegram_specifications
    from dsmr_parser.clients import SocketReader

    found: list[Any] = []

    def read() -> None:
        reader = SocketReader(where, TELEGRAMS, telegram_specifications.BELGIUM_FLUVIUS)
        for telegram in reader.read():
            found.append(telegram)
            if len(found) == 4:
                return

    given: list[bytes] = []
    with FedInterface(world, version="1.4") as fed:
        where = fed.board.address
        thread = threading.Thread(target=read)
        thread.start()
        try:
            for _ in range(3000):
                given = fed.household(1)
                if len(found) == 4:
                    break
                thread.join(0.005)
        finally:
            thread.join(20)
        assert len(found) == 4
        last = quantities(parse(given[0]))
        reading = found[-1].ELECTRICITY_USED_TARIFF_1
        assert abs(int(reading.value * 1000) - last["import_t1_wh"]) <= 5
        assert reading.unit == "kWh"
        assert obis_references.ELECTRICITY_USED_TARIFF_1


def test_telegram_read_reads_them_from_the_socket(world: World, tmp_path: Path) -> None:
    with FedInterface(world) as fed:
        source = f"tcp://{fed.board.address}:{TELEGRAMS}"
        program = [sys.executable, "-m", "dsmrctl", "telegram", "read", source, "--count", "3"]
        done = subprocess.Popen(
            [*program, "--timeout", "20s"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean_environment(tmp_path),
        )
        given: list[bytes] = []
        for _ in range(4000):
            given += fed.household(1)
            if done.poll() is not None:
                break
            threading.Event().wait(0.01)
        out, err = done.communicate(timeout=20)
        assert done.returncode == 0, err
        assert out in b"".join(given)
        assert out.count(b"/FLU5") == 3
