"""A web server on loopback with one file, that can do what servers and networks do wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """What it answers may be changed at any time; `asked` are the headers of each request."""

    content: bytes
    etag: str | None = '"one"'
    modified: str | None = None
    ranges: bool = True
    heeds_if_range: bool = True
    status: int = 200
    kind: str = "application/octet-stream"
    length: bool = True  # says how long it is
    declared: int | None = None  # says so, whatever it is
    cut: int | None = None  # bytes after which an answer breaks off
    pause_s: float = 0.0  # before each byte of the file
    mute: bool = False
    location: str | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    ended: threading.Event = field(default_factory=threading.Event)

    def ranges_asked(self) -> list[str | None]:
        return [each.get("Range") for each in self.asked]


class _Handler(BaseHTTPRequestHandler):
    file: FileServer

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        file = self.file
        file.asked.append({**self.headers, "path": self.path})
        if file.mute:
            file.ended.wait(10)
            return
        if file.location is not None:
            to, file.location = file.location, None if file.location != self.path else self.path
            self.send_response(302)
            self.send_header("Location", to)
            self.end_headers()
            return
        if file.status != 200:
            self.send_error(file.status)
            return
        with suppress(ConnectionError):
            self._send(file)

    def _send(self, file: FileServer) -> None:
        at, whole = 0, file.content
        wanted = self.headers.get("Range") if file.ranges else None
        same = self.headers.get("If-Range") in (file.etag, file.modified)
        if wanted and (same or not file.heeds_if_range):
            at = int(wanted.removeprefix("bytes=").rstrip("-"))
            if at >= len(whole):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {at}-{len(whole) - 1}/{len(whole)}")
        else:
            self.send_response(200)
        self.send_header("Content-Type", file.kind)
        for name, value in (("ETag", file.etag), ("Last-Modified", file.modified)):
            if value:
                self.send_header(name, value)
        if file.length:
            self.send_header("Content-Length", str(file.declared or len(whole) - at))
        self.end_headers()
        sent = whole[at:] if file.cut is None else whole[at : at + file.cut]
        if not file.pause_s:
            self.wfile.write(sent)
            return
        for byte in sent:
            time.sleep(file.pause_s)
            self.wfile.write(bytes([byte]))


@contextmanager
def serving(content: bytes) -> Iterator[FileServer]:
    """A FileServer, until the end."""
    file = FileServer(content)
    handler = type("Handler", (_Handler,), {"file": file})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        file.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield file
        finally:
            file.ended.set()
            server.shutdown()
            thread.join(5)
