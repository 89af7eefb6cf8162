"""What the tests of findings lean on: faults made for real, and what was found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from ran import clean_environment

from dsmrctl.diagnosis.finding import KINDS, Finding
from dsmrctl.network import census
from dsmrctl.network.census import Seen
from dsmrctl.network.discovery import Found


def provoked(name: str, found: Finding | Iterable[Finding], severity: str = "trouble") -> Finding:
    """That finding is there, with that severity; it says why it matters and what to do next."""
    one = _the(name, found)
    assert one.severity == severity, one
    assert one.what, one
    assert one.why == KINDS[name].why
    assert len(one.next) > 10, one
    json.dumps(one.document())
    return one


def cleared(name: str, found: Finding | Iterable[Finding]) -> Finding:
    """That was looked at, and all is well with it."""
    one = _the(name, found)
    assert one.severity == "ok", one
    assert one.why == one.next == ""
    json.dumps(one.document())
    return one


def _the(name: str, found: Finding | Iterable[Finding]) -> Finding:
    listed = [found] if isinstance(found, Finding) else list(found)
    (one,) = [each for each in listed if each.name == name]
    return one


_TELL = """
import json, sys
from pathlib import Path
def tell(found):
    found = [found] if hasattr(found, "severity") else list(found)
    sys.stdout.write(json.dumps([each._asdict() for each in found]))
"""


def _told(command: list[str], env: dict[str, str]) -> list[Finding]:
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [Finding(**each) for each in json.loads(done.stdout)]


def elsewhere(code: str, *, before: tuple[str, ...] = (), **env: str) -> list[Finding]:
    """What `tell(…)` tells in another Python, with this environment, started by `before`."""
    python = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as home:
        whole = clean_environment(Path(home)) | python | env
        return _told([*before, sys.executable, "-c", _TELL + code], whole)


WITHOUT_POWERS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
"""Even root may then do only what a file's mode lets its owner do."""


def on_a_network(setup: str, code: str, **env: str) -> list[Finding]:
    """What `tell(…)` tells in a network namespace of its own, made as `setup` (shell) says."""
    enter = ["unshare", "-nm"] if os.geteuid() == 0 else ["unshare", "-rnm"]
    if subprocess.run([*enter, "true"], capture_output=True).returncode:
        if os.environ.get("CI"):
            pytest.fail("no network namespace can be made here")
        pytest.skip("no network namespace can be made here")
    made = f'set -e; mount -t sysfs sysfs /sys; ip link set lo up; {setup}\nexec "$@"'
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return elsewhere(code, before=(*enter, "sh", "-c", made, "sh"), PATH=path, **env)


class _Page(BaseHTTPRequestHandler):
    calls: dict[str, Any]

    def do_GET(self) -> None:
        found = self.calls.get(self.path.removeprefix("/api/"))
        body = json.dumps(found if found is not None else {"error": "no such call"}).encode()
        self.send_response(404 if found is None else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def board_that_says(address: str = "127.0.0.1", **calls: Any) -> Iterator[tuple[str, int]]:
    """Where something answers as a board does: board_that_says(info={…}, status={…})."""
    page = type("Page", (_Page,), {"calls": calls})
    with ThreadingHTTPServer((address, 0), page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield address, server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def seen(
    name: str = "hall",
    kind: str = "monitor",
    ident: str = "a1b2c3",
    version: str = "99.0.0",
    info: dict[str, Any] | None = None,
    **status: Any,
) -> Seen:
    """A board that was really asked, over HTTP, and said this of itself."""
    with board_that_says(info={"wifi": {"rssi_dbm": -50}} | (info or {}), status=status) as place:
        found = Found(name, *place, kind, "nodemcu-v3", version, ident, f"{name}.local")
        return census.look(found, 5)


def sending(age: int | None = 0, **more: Any) -> Seen:
    """An interface board; its meter's last telegram is so old."""
    told = {"telegrams": 5, "telegrams_bad": 0, "telegram_age_s": age}
    return seen("meter", "interface", "0f0f0f", **(told | more))
