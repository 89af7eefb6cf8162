"""A stand-in for the access point of a board: WiFiManager's pages, of two ages, and our own.

Only what a client can tell apart is here: which tags and attributes carry what, how names are
escaped, which paths there are and how a stranger's Host is treated.
"""

from __future__ import annotations

import html
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs

LOCK = " \N{LOCK}"
PORTAL_HTML = Path(__file__).parents[2] / "dsmrctl" / "firmware" / "web" / "portal.html"


class Heard(NamedTuple):
    ssid: str
    rssi_dbm: int
    secure: bool


def quality(rssi_dbm: int) -> int:
    return min(100, max(0, 2 * (rssi_dbm + 100)))


def page(body: str) -> str:
    return (
        "<!DOCTYPE html><html lang='en'><head><title>Config 99%</title><script>function c(l){"
        "if(l<3)p='<a data-ssid=\"no\">';}</script><style>.q{width:50%}</style></head>"
        f"<body class='l'><div class='wrap'>{body}</div></body></html>"
    )


def form(method: str) -> str:
    return (
        f"<br/><form method='{method}' action='wifisave'><label for='s'>SSID</label>"
        "<input id='s' name='s' maxlength='32' placeholder='75%'><br/>"
        "<input id='p' name='p' type='password'><button type='submit'>Save</button></form>"
    )


def version_2(heard: list[Heard]) -> str:
    """WiFiManager 2: the name in data-ssid; in the text a space is another character."""

    def escaped(text: str) -> str:
        return html.escape(text, quote=False).replace("'", "&#39;")

    lines = [
        f"<div><a href='#p' onclick='c(this)' data-ssid='{escaped(one.ssid)}'>"
        f"{escaped(one.ssid).replace(' ', '&#160;')}</a>"
        f"<div role='img' aria-label='{quality(one.rssi_dbm)}%' title='{quality(one.rssi_dbm)}%' "
        f"class='q q-3 {'l' if one.secure else ''} '></div>"
        f"<div class='q h'>{quality(one.rssi_dbm)}%</div></div>"
        for one in heard
    ]
    return page(("".join(lines) or "No networks found. Refresh to scan again.") + form("POST"))


def version_0_16(heard: list[Heard]) -> str:
    """WiFiManager 0.16, of 2021 and before: the name as it is, between the tags."""
    lines = [
        f"<div><a href='#p' onclick='c(this)'>{one.ssid}</a>&nbsp;"
        f"<span class='q {'l' if one.secure else ''}'>{quality(one.rssi_dbm)}%</span></div>"
        for one in heard
    ]
    return page("".join(lines) + form("get"))


def ours(heard: list[Heard]) -> str:
    """What our boards make of portal.html."""
    lines = [
        f"<p><a href='#s' data-ssid='{html.escape(one.ssid)}' onclick='c(this)'>"
        f"{html.escape(one.ssid)}</a> <span>{quality(one.rssi_dbm)}%</span>"
        f"{LOCK if one.secure else ''}</p>\n"
        for one in heard
    ]
    return PORTAL_HTML.read_text("utf-8").replace("<!--networks-->", "".join(lines))


class AccessPoint:
    """A board nobody has given a network yet; `saved` is what it was handed."""

    def __init__(self, address: str, heard: list[Heard], pages: Callable[[list[Heard]], str]):
        self.address = address
        self.heard = heard
        self.pages = pages
        self.old = pages is version_0_16
        self.saved: list[tuple[str, str]] = []
        self.hosts: list[str] = []
        self.refuses: tuple[int, str] | None = None

    def answer(self, method: str, path: str, body: str) -> tuple[int, str, str]:
        path = path.split("?")[0]
        if path == "/wifi":
            return 200, "text/html", self.pages(self.heard)
        if path == "/0wifi":
            return 200, "text/html", self.pages([])
        if path == "/wifisave":
            if self.refuses:
                return (self.refuses[0], "application/json", self.refuses[1])
            fields = {key: values[0] for key, values in parse_qs(body).items()}
            self.saved.append((fields.get("s", ""), fields.get("p", "")))
            said = "<div>Credentials Saved<br />Trying to connect ESP to network.</div>"
            return 200, "text/html", page(said)
        if path == ("/i" if self.old else "/info"):
            if self.pages is ours:
                return 200, "text/plain", "blink esp01s 0.4.0 a1b2c3"
            terms = "<dl><dt>Chip ID</dt><dd>a1b2c3</dd><dt>Flash</dt><dd>Used<br/>1 &lt; 2</dd>"
            return 200, "text/html", page(terms + "<dt>Station MAC</dt><dd>5C:CF</dd></dl>")
        return 404, "text/plain", "File Not Found\n\nURI: " + path


@contextmanager
def running(point: AccessPoint) -> Iterator[int]:
    """Serve `point` at its address; gives the port."""

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            host = self.headers.get("Host", "")
            point.hosts.append(host)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            status, kind, content = point.answer(self.command, self.path, body)
            moved = not host.replace(".", "").replace(":", "").isdigit()
            if moved and status == 404:
                status, content = 302, ""
            self.send_response(status)
            if moved:
                self.send_header("Location", "http://192.168.4.1")
            self.send_header("Content-Type", kind)
            self.end_headers()  # an end without a length: the connection's
            self.wfile.write(content.encode())

        do_GET = do_POST = respond

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer((point.address, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
