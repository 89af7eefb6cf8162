"""The board's MQTT: a broker that is there, says no, is gone, or half gone; and its names."""

from __future__ import annotations

import itertools
import json
import random
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mqtt_board
import pytest
from brokers import SECRET, Listener, Mosquitto, until
from conftest import ROOT
from mqtt_board import IDENT, OddBroker, desk, in_world, parts
from world import World
from zeroconf import IPVersion, ServiceInfo, Zeroconf

from dsmrctl.gateway.home_assistant import SHOWN, discovery, discovery_topic
from dsmrctl.virtual.board import VirtualBoard

pytestmark = pytest.mark.slow

FILE = ROOT / "dsmrctl" / "firmware" / "web" / "discovery.json"
PREFIX = f"dsmrctl/{IDENT}"
TOPIC = discovery_topic(IDENT)
Listen = Callable[..., Listener]


def test_the_boards_discovery_is_the_desks() -> None:
    assert FILE.read_text("utf-8") == mqtt_board.template()
    marks = discovery("<id>", "<name>", "<version>", "<prefix>", SHOWN)
    assert json.loads(FILE.read_text("utf-8")) == marks


def status(world: World, board: VirtualBoard) -> dict[str, Any]:
    return world.ask(board, "GET", "/api/status").json()


def test_it_comes_in_says_that_it_is_there_and_tells_a_state_a_second(world: World) -> None:
    with OddBroker(world.clock) as broker:
        board = in_world(world, mqtt_host="127.0.0.1", mqtt_port=broker.port)
        world.clock.run(30)
        assert status(world, board)["mqtt"] == "connected"
        ((_, heard),) = broker.came
    (hello, *rest) = parts(bytes(heard))
    assert hello == (
        0x10,
        b"\0\4MQTT\4\x26\0\x3c\0\x0edsmrctl-a1b2c3\0\x15dsmrctl/a1b2c3/status\0\7offline",
    )
    assert rest[0] == (0x31, b"\0\x15dsmrctl/a1b2c3/statusonline")
    assert rest[1] == (0x82, b"\0\1\0\x14homeassistant/status\0")
    kinds = [kind for kind, _ in rest]
    assert kinds.count(0x31) == 2
    assert kinds.count(0xC0) == 1
    assert 24 <= kinds.count(0x30) <= 30
    assert board.faults == []
    assert board.resets == []


@pytest.mark.slow
def test_a_host_that_is_not_there_is_tried_again_for_ever_and_nothing_grows(world: World) -> None:
    with OddBroker(world.clock) as broker:
        broker.hangs_up = True
        board = in_world(world, mqtt_host="127.0.0.1", mqtt_port=broker.port)
        world.clock.run(300)
        held = board.figures()["alloc"]
        assert status(world, board)["mqtt"] == "no answer"
        world.clock.run(3600)
        tried = [at for at, _ in broker.came]
        waits = [round(b - a) for a, b in itertools.pairwise(tried)]
        assert [wait - wait % 2 for wait in waits[:5]] == [2, 4, 8, 16, 32]
        assert {60, 61} >= set(waits[5:])
        assert board.figures()["alloc"] <= held + 128
        # It is back after an hour.
        broker.hangs_up = False
        world.clock.run(75)
        assert status(world, board)["mqtt"] == "connected"
    # And ends: it is tried again soon, for it was a good one.
    world.clock.run(3)
    assert status(world, board)["wait"] <= 8
    assert board.faults == []
    assert board.resets == []


@pytest.mark.parametrize(
    ("welcome", "state"),
    [
        (b"", "no answer"),
        (b"\x20\2\0\4", "refused: user or password"),
        (b"\x20\2\0\5", "refused: user or password"),
        (b"\x20\2\0\3", "refused: code 3"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(40), "refused: no broker"),
        (b"\x20\xff\xff\xff\xff\xff", "no answer"),
    ],
    ids=["silent", "user", "allowed", "busy", "web", "garbage"],
)
def test_why_there_is_no_connection_is_told(world: World, welcome: bytes, state: str) -> None:
    with OddBroker(world.clock, welcome) as broker:
        board = in_world(world, mqtt_host="127.0.0.1", mqtt_port=broker.port)
        world.clock.run(60)
        assert status(world, board)["mqtt"] == state
        assert len(broker.came) > 2
        broker.welcome = b"\x20\2\0\0"
        world.clock.run(75)
        assert status(world, board)["mqtt"] == "connected"
    assert board.faults == []
    assert board.resets == []


def test_a_broker_that_fell_silent_is_left_within_two_minutes(world: World) -> None:
    with OddBroker(world.clock) as broker:
        in_world(world, mqtt_host="127.0.0.1", mqtt_port=broker.port)
        world.clock.run(100)
        assert len(broker.came) == 1
        broker.answers_pings = False
        world.clock.run(75)
        assert len(broker.came) >= 2


def test_discovery_comes_again_when_home_assistant_starts_and_only_then(world: World) -> None:
    with OddBroker(world.clock) as broker:
        board = in_world(world, mqtt_host="127.0.0.1", mqtt_port=broker.port)
        world.clock.run(10)

        def told() -> int:
            everything = parts(bytes(broker.came[0][1]))
            return sum(TOPIC.encode() in content[:60] for _, content in everything)

        birth = b"\0\x14homeassistant/status"
        assert told() == 1
        for content in (birth + b"offline", birth + bytes(20), b"\0\x01aonline", b"\0"):
            broker.say(bytes([0x30, len(content)]) + content)
            world.clock.run(2)
        # One that is far too long, then the right one, in pieces as they may come.
        broker.say(b"\x31\xe8\x07" + birth + bytes(1000 - len(birth)))
        world.clock.run(2)
        assert told() == 1
        online = b"\x30" + bytes([len(birth) + 6]) + birth + b"online"
        for at in range(0, len(online), 5):
            broker.say(online[at : at + 5])
            world.clock.run(0.1)
        world.clock.run(2)
        assert told() == 2
        broker.say(online * 20)
        world.clock.run(5)
        assert 3 <= told() <= 5
        assert len(broker.came) == 1
        assert board.faults == []


@pytest.mark.parametrize(
    "names",
    [(), ("import_w", "gas_m3"), ("forecast_w",), ("tariff", "import_t1_wh")],
)
def test_only_what_the_meter_tells_becomes_a_component(
    world: World, names: tuple[str, ...]
) -> None:
    with OddBroker(world.clock) as broker:
        board = in_world(world, mqtt_host="127.0.0.1", mqtt_port=broker.port, names=names)
        world.clock.run(10)
        found = [content for kind, content in parts(bytes(broker.came[0][1])) if kind == 0x31][1:]
        if not names:
            assert found == []
            return
        head = len(TOPIC) + 2
        document = desk(f"interface-{IDENT}", "1.0.0", PREFIX, set(names))
        assert [content[head:].decode() for content in found] == [document]
        assert board.faults == []


def test_the_network_that_goes_and_comes_back(world: World) -> None:
    with OddBroker(world.clock) as broker:
        board = in_world(world, mqtt_host="127.0.0.1", mqtt_port=broker.port)
        world.clock.run(20)
        world.air.off("HOME")
        world.clock.run(600)
        tried = len(broker.came)
        assert tried <= 2
        world.air.on("HOME", "an invented key", -55)
        world.clock.until(lambda: board.wifi == 5, 60)
        world.clock.run(5)
        assert status(world, board)["mqtt"] == "connected"
        assert len(broker.came) == tried + 1
        assert board.resets == []


def test_new_settings_hold_at_once_and_others_disturb_nothing(world: World) -> None:
    with OddBroker(world.clock) as one, OddBroker(world.clock) as two:
        # What it takes to change settings is not measured here.
        board = in_world(world, heap=48 * 1024, mqtt_host="127.0.0.1", mqtt_port=one.port)
        world.clock.run(10)

        def put(**settings: Any) -> None:
            assert world.ask(board, "PUT", "/api/settings", settings).status == 200
            world.clock.run(6)

        put(language="fr")
        assert (len(one.came), len(two.came)) == (1, 0)
        put(mqtt_port=two.port, mqtt_prefix='a "b"\\é', mqtt_user="ik", mqtt_password="geheim é")
        assert (len(one.came), len(two.came)) == (1, 1)
        heard = parts(bytes(two.came[0][1]))
        assert heard[0][1].endswith(b"\0\2ik\0\x09geheim \xc3\xa9")
        document = desk(f"interface-{IDENT}", "1.0.0", 'a "b"\\é')
        assert any(content.endswith(document.encode()) for _, content in heard)
        # Another name of the board is told too.
        put(name='Meter "<id>" \\ é')
        document = desk('Meter "<id>" \\ é', "1.0.0", 'a "b"\\é')
        assert bytes(two.came[-1][1]).count(document.encode()) == 1
        put(ha_discovery=False)
        kinds = [kind for kind, _ in parts(bytes(two.came[-1][1]))]
        assert (kinds.count(0x31), kinds.count(0x82)) == (1, 0)
        put(mqtt_enabled=False)
        assert status(world, board)["mqtt"] == "off"
        count = len(two.came)
        world.clock.run(120)
        assert (len(one.came), len(two.came)) == (1, count)
        put(mqtt_enabled=True, mqtt_host="")
        assert status(world, board)["mqtt"] == "off"
        put(mqtt_host="127.0.0.1")
        assert status(world, board)["mqtt"] == "connected"
        assert board.faults == []


class Names:
    """A name server in simulated time: the answer's records to each question, or silence."""

    def __init__(self, world: World, records: bytes | None, code: int = 0, deaf: int = 0) -> None:
        self.asked: list[bytes] = []
        self.records, self.code, self.deaf = records, code, deaf
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind(("127.0.0.1", 53))
        except OSError:
            self._socket.close()
            pytest.skip("port 53 cannot be had here")
        self._socket.setblocking(False)
        self._others = world.clock.others
        self._others.append(self.look)

    def __enter__(self) -> Names:
        return self

    def __exit__(self, *_: object) -> None:
        self._others.remove(self.look)
        self._socket.close()

    def look(self, now_us: int) -> bool:
        try:
            question, sender = self._socket.recvfrom(600)
        except BlockingIOError:
            return False
        self.asked.append(question)
        if self.records is not None and len(self.asked) > self.deaf:
            count = 0 if not self.records else 1 + (b"alias" in self.records)
            # Somebody who guesses, first.
            self._socket.sendto(b"\0\0" + question[2:], sender)
            head = question[:2] + bytes([0x81, 0x80 | self.code, 0, 1, 0, count, 0, 0, 0, 0])
            self._socket.sendto(head + question[12:] + self.records, sender)
        return True


ADDRESS = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1"
ALIAS = b"\xc0\x0c\0\5\0\1\0\0\0\x3c\0\x0b\5alias\3lan\0\5alias\3lan\0" + ADDRESS[2:]


@pytest.mark.parametrize(
    ("records", "deaf"), [(ADDRESS, 0), (ALIAS, 0), (ADDRESS, 2)], ids=["plain", "alias", "lost"]
)
def test_a_name_is_asked_for_by_our_own_question(world: World, records: bytes, deaf: int) -> None:
    with OddBroker(world.clock) as broker, Names(world, records, deaf=deaf) as names:
        board = in_world(world, mqtt_host="Broker.example.", mqtt_port=broker.port)
        world.clock.run(15)
        assert status(world, board)["mqtt"] == "connected"
        assert len(names.asked) == 1 + deaf
        question = names.asked[0][2:]
        assert question == b"\1\0\0\1\0\0\0\0\0\0\6Broker\7example\0\0\1\0\1"
        assert board.faults == []


@pytest.mark.parametrize(
    ("records", "code"),
    [(None, 0), (b"", 3), (b"", 0), (ADDRESS[:-9], 0), (b"\xc0" * 9, 0), (ALIAS[:30], 0)],
    ids=["silent", "unknown", "empty", "torn", "garbage", "half"],
)
def test_a_name_that_is_not_known_is_asked_again_for_ever(
    world: World, records: bytes | None, code: int
) -> None:
    with OddBroker(world.clock) as broker, Names(world, records, code) as names:
        board = in_world(world, mqtt_host="broker.example", mqtt_port=broker.port)
        world.clock.run(90)
        assert status(world, board)["mqtt"] == "name not found"
        held, count = board.figures()["alloc"], len(names.asked)
        world.clock.run(600)
        assert 6 <= len(names.asked) - count <= 40
        assert board.figures()["alloc"] <= held + 128
        names.records = ADDRESS
        world.clock.run(75)
        assert status(world, board)["mqtt"] == "connected"
        assert board.faults == []
        assert board.resets == []


@pytest.mark.parametrize("host", ["a..b", ".", "...", "300.1.1.1", "1.2.3", "::1", "é" * 31])
def test_a_host_that_cannot_be_harms_nothing(world: World, host: str) -> None:
    board = in_world(world, mqtt_host=host)
    world.clock.run(100)
    assert status(world, board)["mqtt"] in ("name not found", "no answer")
    assert [fault for fault in board.faults if "getaddrinfo" not in fault] == []
    assert board.resets == []


@pytest.mark.slow
def test_nothing_that_comes_can_stop_the_board(world: World) -> None:
    chance = random.Random(8266)
    good = [b"\x20\2\0\0", b"\xd0\0", b"\x30\x1c\0\x14homeassistant/statusonline", b"\x90\3\0\1\0"]
    with OddBroker(world.clock) as broker:
        board = in_world(world, mqtt_host="127.0.0.1", mqtt_port=broker.port)
        world.clock.run(20)
        held = board.figures()["alloc"]
        for _ in range(150):
            said = b"".join(chance.choices(good, k=3))
            if chance.random() < 0.7:
                said += chance.randbytes(chance.randrange(300))
            at = chance.randrange(len(said))
            broker.say(said[:at])
            world.clock.run(chance.choice([0.1, 1, 5]))
            broker.say(said[at:])
            world.clock.run(chance.choice([0.1, 1, 20]))
        broker.hang_up()
        world.clock.run(90)
        assert status(world, board)["mqtt"] == "connected"
        assert board.figures()["alloc"] <= held + 300
    assert board.faults == []
    assert board.resets == []


def test_it_holds_little_memory(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    with OddBroker(world.clock) as broker:
        board = in_world(
            world,
            heap=48 * 1024,
            mqtt_host="127.0.0.1",
            mqtt_port=broker.port,
            mqtt_user="homeassistant",
            mqtt_password="geheim 1234",
        )
        held = []
        # On the same board, off and on: what was loaded once, such as names, is in neither.
        for on in (False, True, False, True):
            answer = world.ask(board, "PUT", "/api/settings", {"mqtt_enabled": on})
            assert answer.status == 200
            world.clock.run(30)
            assert status(world, board)["mqtt"] == ("connected" if on else "off")
            world.clock.run(10)
            held.append(board.figures()["alloc"])
    with capsys.disabled():
        print(f"\nheap held by a connection to a broker: {held[3] - held[2]} bytes")
    assert abs(held[2] - held[0]) <= 300
    assert held[3] - held[2] <= 2560


# From here on in real time, with real programs.


class Running:
    """A board in real time."""

    def __init__(self, board: VirtualBoard) -> None:
        self.board = board
        board.power_on()

    def status(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{self.board.address}/api/status", timeout=9) as page:
            return json.loads(page.read())

    def comes_in(self, within_s: float = 20) -> None:
        until(lambda: self.board.wifi == 5, 20)
        until(lambda: self.status()["mqtt"] == "connected", within_s)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    running: list[VirtualBoard] = []

    def start(**flashed: Any) -> Running:
        running.append(mqtt_board.board(tmp_path, number=60 + len(running), **flashed))
        return Running(running[-1])

    yield start
    for board in running:
        print(board.address, board.resets, board.faults, board.log[-3000:])
        board.__exit__()


@pytest.mark.slow
def test_mosquitto_hears_what_the_desk_would_say(
    run: Callable[..., Running], broker: Mosquitto, listen: Listen
) -> None:
    heard = listen(broker.port)
    running = run(mqtt_host="127.0.0.1", mqtt_port=broker.port)
    running.comes_in()
    until(lambda: len(heard.of(f"{PREFIX}/state")) >= 5)
    assert [json.loads(text)["fill"] for text in heard.of(f"{PREFIX}/state")] == ["x" * 500] * 5
    late = listen(broker.port)
    until(lambda: late.kept(TOPIC))
    assert late.kept(f"{PREFIX}/status") == "online"
    assert late.kept(TOPIC) == desk(f"interface-{IDENT}", "1.0.0", PREFIX)
    heard.client.publish("homeassistant/status", "online")
    until(lambda: len(heard.of(TOPIC)) == 2)
    # Power fails: the last will.
    running.board.power_off()
    until(lambda: heard.of(f"{PREFIX}/status") == ["online", "offline"])
    assert running.board.faults == []


@pytest.mark.slow
def test_a_wrong_password_is_told_and_the_right_one_is_not_refused(
    run: Callable[..., Running], locked_broker: Mosquitto
) -> None:
    port = locked_broker.port
    wrong = run(mqtt_host="127.0.0.1", mqtt_port=port, mqtt_user="dsmr", mqtt_password="nee")
    until(lambda: wrong.board.wifi == 5, 20)
    until(lambda: wrong.status()["mqtt"] == "refused: user or password")
    wrong.board.power_off()
    run(mqtt_host="127.0.0.1", mqtt_port=port, mqtt_user="dsmr", mqtt_password=SECRET).comes_in()


@pytest.mark.soak
def test_a_broker_that_stops_reading_in_mid_message_stops_nothing_else(
    run: Callable[..., Running], broker: Mosquitto, listen: Listen
) -> None:
    # One that reads nothing any more, at the port where the real one will be.
    broker.stop()
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.bind(("127.0.0.1", broker.port))
    stuck.listen()
    stuck.settimeout(20)
    running = run(mqtt_host="127.0.0.1", mqtt_port=broker.port, size=1000, flood=True)
    one, _ = stuck.accept()
    stuck.close()
    with one:
        one.settimeout(20)
        heard = one.recv(100)
        one.sendall(b"\x20\2\0\0")
        until(lambda: running.status()["dropped"] >= 2)
        held = running.board.figures()["alloc"]
        count = running.status()["count"]
        time.sleep(4)
        told = running.status()
        assert told["mqtt"] == "connected"
        assert told["dropped"] >= 5
        assert told["count"] >= count + 3  # its beat goes on
        assert running.board.figures()["alloc"] <= held + 600
        # It reads again: all that comes is whole, in order, and then it goes on.
        one.settimeout(3)
        end = time.monotonic() + 4
        pieces = [heard]
        while time.monotonic() < end:
            pieces.append(one.recv(1 << 20))
        found = parts(b"".join(pieces))
        head = len(PREFIX) + 8
        counts = [json.loads(content[head:])["count"] for kind, content in found if kind == 0x30]
        assert counts == sorted(counts)
        assert {kind for kind, _ in found} <= {0x10, 0x30, 0x31, 0x82, 0xC0}
        assert counts[-1] > count + 3
        # And it ends, in the midst of what was half sent.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    broker.start()
    new = listen(broker.port)
    running.comes_in()
    until(lambda: len(new.of(f"{PREFIX}/state")) >= 3)
    assert {json.loads(text)["fill"] for text in new.of(f"{PREFIX}/state")} == {"x" * 1000}
    # A real one that restarts.
    broker.stop()
    until(lambda: running.status()["mqtt"] == "no answer")
    broker.start()
    running.comes_in(30)
    assert running.board.faults == []
    assert running.board.resets == []


@pytest.mark.slow
def test_a_broker_is_found_by_its_local_name(
    run: Callable[..., Running], broker: Mosquitto
) -> None:
    told = ServiceInfo(
        "_mqtt._tcp.local.",
        "broker._mqtt._tcp.local.",
        port=broker.port,
        parsed_addresses=["127.0.0.1"],
        server="my-broker.local.",
    )
    zeroconf = Zeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
    try:
        zeroconf.register_service(told)
        running = run(mqtt_host="My-Broker.local", mqtt_port=broker.port)
        running.comes_in()
        assert running.board.faults == []
    finally:
        zeroconf.close()
