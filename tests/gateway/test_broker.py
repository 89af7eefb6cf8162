"""Where a broker is, and a password that shows up nowhere."""

from __future__ import annotations

import io
import os
import queue
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl import errors
from dsmrctl.gateway import broker
from dsmrctl.gateway.mqtt import Publisher, parse_mqtt_url, read_password


@pytest.mark.parametrize(
    "text, expected",
    [
        ("mqtt://192.168.1.10", ("192.168.1.10", 1883, None)),
        ("mqtt://dsmr@broker.local:8883/", ("broker.local", 8883, "dsmr")),
        ("mqtt://me%40home@broker", ("broker", 1883, "me@home")),
        ("mqtt://[::1]:1884", ("::1", 1884, None)),
        ("dsmr@localhost:1884", ("localhost", 1884, "dsmr")),
        ("localhost", ("localhost", 1883, None)),
    ],
)
def test_an_address_is_a_user_a_host_and_a_port(
    text: str, expected: tuple[str, int, str | None]
) -> None:
    assert parse_mqtt_url(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "mqtt://dsmr:hunter2@broker",
        "mqtt://dsmr:hunter2@broker:1883",
        "mqtt://dsmr:@broker",
        "mqtt://:hunter2@broker",
        "dsmr:hunter2@broker",
        "mqtt:dsmr:hunter2@broker",
        "mqtts://dsmr:hunter2@broker",
        "mqtt://dsmr:hun/ter2@broker",
        "mqtt://dsmr:hunt#er2?@broker",
        "mqtt://dsmr:hun@ter2@broker",
    ],
)
def test_a_password_in_the_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(errors.UsageError, match="would be seen by everyone") as refused:
        parse_mqtt_url(text)
    said = f"{refused.value} {refused.value.hint} {refused.value!r}"
    assert "--mqtt-password-file or DSMRCTL_MQTT_PASSWORD" in said
    assert "hun" not in said


@pytest.mark.parametrize(
    "text",
    [
        "", "mqtt://", "mqtt://user@", "mqtt://broker:0", "mqtt://broker:65536",
        "mqtt://broker:hunter2", "mqtt://[::1", "mqtts://broker", "http://broker",
        "mqtt://broker/prefix", "mqtt://broker?x=1", "mqtt://bro ker", "mqtt://a..b",
        "mqtt://" + "a" * 64 + ".local",
    ],
)  # fmt: skip
def test_what_is_no_address_is_a_usage_error_that_does_not_quote_it(text: str) -> None:
    with pytest.raises(errors.UsageError) as refused:
        parse_mqtt_url(text)
    assert "hunter2" not in f"{refused.value} {refused.value.hint}"


@given(st.text() | st.from_regex(r"mqtts?://[^\x00]{0,20}@?[^\x00]{0,20}(:[0-9]{0,6})?"))
def test_any_text_is_an_address_one_can_connect_to_or_a_usage_error(text: str) -> None:
    try:
        found = parse_mqtt_url(text)
        Publisher(found.host, found.port, user=found.user)
    except errors.UsageError:
        return
    assert found.host.encode("idna")
    assert 0 < found.port < 65536


def test_a_password_comes_from_the_first_line_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("  kelder 42 é \r\nnot this\n", encoding="utf-8")
    assert read_password(str(file)) == "  kelder 42 é "


def test_a_password_comes_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("kelder é\n".encode()), "ascii"))
    assert read_password("-") == "kelder é"  # whatever the locale: MQTT speaks UTF-8


def test_a_password_comes_from_the_environment_unless_a_file_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DSMRCTL_MQTT_PASSWORD", raising=False)
    assert read_password(None) is None
    monkeypatch.setenv("DSMRCTL_MQTT_PASSWORD", "from the environment")
    assert read_password(None) == "from the environment"
    (tmp_path / "password").write_text("from the file")
    assert read_password(str(tmp_path / "password")) == "from the file"


def test_a_password_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFound, match="no MQTT password file"):
        read_password(str(tmp_path / "absent"))
    with pytest.raises(errors.Refused, match="cannot read the MQTT password file"):
        read_password(str(tmp_path))
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(errors.UsageError, match="empty"):
        read_password(str(tmp_path / "empty"))
    (tmp_path / "latin").write_bytes(b"hunter2\xe9\n")
    with pytest.raises(errors.UsageError, match="not UTF-8") as refused:
        read_password(str(tmp_path / "latin"))
    assert "hunter2" not in f"{refused.value} {refused.value.__cause__}"


@pytest.mark.parametrize("password", ["hunter2\udce9", "hunter2" * 10_000])
def test_a_password_mqtt_cannot_say_is_refused_without_showing_it(password: str) -> None:
    with pytest.raises(errors.UsageError, match="the MQTT password is too long or not") as refused:
        Publisher("127.0.0.1", password=password)
    assert "hunter2" not in f"{refused.value} {refused.value.hint}"


@pytest.mark.parametrize(
    "prefix", ["", "/a", "a/", "a/#", "+/a", "$SYS/a", "a\nb", "\ud800", "a" * 201]
)
def test_a_prefix_no_broker_would_take_is_refused(prefix: str) -> None:
    with pytest.raises(errors.UsageError, match="prefix"):
        Publisher("127.0.0.1", id="a1b2c3", prefix=prefix)


def test_an_id_is_given_or_the_prefixs_last_part_or_this_computers() -> None:
    assert Publisher("h", id="d4e5f6", prefix="huis/meter").id == "d4e5f6"
    assert Publisher("h", prefix="huis/de meter").id == "de_meter"
    own = Publisher("h")
    assert own.id == Publisher("h").id == broker.this_computer()
    assert len(own.id) == 6
    assert int(own.id, 16) >= 0
    assert own.prefix == f"dsmrctl/{own.id}"
    with pytest.raises(errors.UsageError, match="id"):
        Publisher("h", id="a/b")


@pytest.mark.parametrize(
    "error, kind, words",
    [
        (socket.gaierror(-2, "Name or service not known"), "name", "is not known here"),
        (socket.gaierror(-3, "Temporary failure"), "name", "give the broker's address"),
        (TimeoutError("timed out"), "gone", "does not answer"),
        (ConnectionRefusedError(111, "Connection refused"), "gone", "no broker listens at"),
        (OSError(113, "No route to host"), "gone", "(No route to host)"),
        (None, "gone", "cannot be reached"),
    ],
)
def test_why_a_broker_is_not_reached_is_a_sentence_with_what_to_do(
    error: BaseException | None, kind: str, words: str
) -> None:
    found, text = broker.absence(error, "broker.local:1883")
    assert found == kind
    assert words in text
    assert "broker.local:1883" in text
    assert "trying again" in text


@pytest.mark.slow
@pytest.mark.skipif(
    os.environ.get("DSMRCTL_TESTS_ISOLATED") != "yes", reason="would ask a real name server"
)
def test_a_name_nobody_knows_is_told_once() -> None:
    notes: list[str] = []
    with Publisher("nobody.invalid", id="a1b2c3", on_note=notes.append, retry_s=(1, 1)) as meter:
        own = meter._client.on_connect_fail
        assert own is not None
        tries: queue.Queue[object] = queue.Queue()

        def both(*args: Any) -> None:
            own(*args)
            tries.put(args)

        meter._client.on_connect_fail = both
        tries.get(timeout=30)
        tries.get(timeout=30)
    assert len(notes) == 1
    assert "the name of the broker nobody.invalid:1883 is not known here" in notes[0]
