"""Several boards at once, in real time, found by those who will look for them."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from world import KEY, SSID, address, flash

from dsmrctl.virtual.air import Air
from dsmrctl.virtual.board import VirtualBoard

pytestmark = pytest.mark.soak


@pytest.fixture
def three(tmp_path: Path) -> Iterator[list[VirtualBoard]]:
    air = Air()
    air.on(SSID, KEY)
    with ExitStack() as stack:
        found = []
        for number in (211, 212, 213):
            path, place = flash(tmp_path, name=f"{number}.bin")
            mac = bytes([0x5C, 0xCF, 0x7F, 0, 0, number])
            board = VirtualBoard(path, place, address=address(number), mac=mac, air=air)
            stack.enter_context(board)
            board.power_on()
            found.append(board)
        end = time.monotonic() + 20
        while any(board.wifi != 5 for board in found) and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(5)  # names are asked for three times, and again by those that lost one
        yield found


def test_each_is_found_by_zeroconf_under_a_name_of_its_own(three: list[VirtualBoard]) -> None:
    from zeroconf import IPVersion, ServiceBrowser, ServiceListener, Zeroconf

    found: dict[str, tuple[str, str, dict[str, str | None]]] = {}

    class Listener(ServiceListener):
        def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
            info = zc.get_service_info(type_, name)
            assert info is not None
            text = {key.decode(): (value or b"").decode() for key, value in info.properties.items()}
            found[name] = (info.parsed_addresses()[0], info.server or "", dict(text))

        def update_service(self, zc: Zeroconf, type_: str, name: str) -> None:
            pass

        def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
            pass

    zeroconf = Zeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
    try:
        browser = ServiceBrowser(zeroconf, "_dsmr._tcp.local.", Listener())
        end = time.monotonic() + 15
        while len(found) < 3 and time.monotonic() < end:
            time.sleep(0.05)
        browser.cancel()
    finally:
        zeroconf.close()
    assert {one[0] for one in found.values()} == {board.address for board in three}
    hosts = {one[1].replace("-blink", "_blink") for one in found.values()}
    assert hosts == {"dsmr_blink.local.", "dsmr_blink-2.local.", "dsmr_blink-3.local."}
    for _, _, text in found.values():
        assert text["board"] == "blink"
        assert text["frames"] == "1,2"
        assert text["fw"] == "1.0.0"
        assert text["api"] == "1"


def test_curl_reads_who_each_is(three: list[VirtualBoard], need: Callable[[str], str]) -> None:
    for number, board in zip((211, 212, 213), three, strict=True):
        ran = subprocess.run(
            [need("curl"), "-sS", "--max-time", "10", f"http://{board.address}/api/info"],
            capture_output=True,
            text=True,
            check=True,
        )
        info = json.loads(ran.stdout)
        assert info["id"] == f"0000{number:02x}"
        assert info["wifi"]["ip"] == board.address
