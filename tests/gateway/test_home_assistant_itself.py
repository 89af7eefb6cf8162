"""Home Assistant's own code takes what `dsmrctl serve --mqtt` publishes."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from brokers import Listener, Mosquitto
from conftest import clean_environment
from ha_judged import PREFIX, Source, judge

from dsmrctl import __version__


@contextmanager
def serving(folder: Path, port: int) -> Iterator[Callable[[bytes], object]]:
    """The desk: `dsmrctl serve --mqtt`, with a meter at a TCP port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        meter = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        options = ["--group", "239.255.70.21:17021", "--mqtt", f"mqtt://127.0.0.1:{port}"]
        options += ["--mqtt-prefix", PREFIX]
        with subprocess.Popen(
            [sys.executable, "-m", "dsmrctl", "serve", meter, *options],
            stdin=subprocess.DEVNULL,
            env=clean_environment(folder),
        ) as process:
            try:
                line, _ = server.accept()
                with line:
                    yield line.sendall
                    process.terminate()
                    process.wait(20)
            finally:
                process.kill()


@pytest.mark.slow
def test_home_assistant_makes_of_the_desk_what_we_mean(
    broker: Mosquitto, listen: Callable[..., Listener], tmp_path: Path
) -> None:
    judge(Source("DSMR interface", __version__, serving), broker, listen, tmp_path)
