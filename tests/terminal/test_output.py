"""What the terminal writes, in whatever encoding its streams are."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import pytest

from dsmrctl import errors
from dsmrctl.terminal.output import Terminal, dumps

TEXT = "Ω 3 m³ – 𝄞"


def stream(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")


def written(text: io.TextIOWrapper) -> bytes:
    text.flush()
    assert isinstance(text.buffer, io.BytesIO)
    return text.buffer.getvalue()


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1"])
@pytest.mark.parametrize("number", [1, Decimal("0.10")])
def test_json_loses_no_letter_that_the_stream_lacks(encoding: str, number: object) -> None:
    out, err = stream(encoding), stream(encoding)
    terminal = Terminal(json=True, out=out, err=err)
    terminal.record({"text": TEXT, "number": number})
    terminal.record_note({"note": TEXT})
    assert json.loads(written(out).decode("ascii"))["text"] == TEXT
    assert b"0.10" in written(out) or number == 1
    assert json.loads(written(err).decode("ascii")) == {"note": TEXT}


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_an_error_in_json_loses_no_letter_that_the_stream_lacks(encoding: str) -> None:
    err = stream(encoding)
    Terminal(json=True, out=stream(encoding), err=err).error(errors.NotFound(TEXT))
    assert json.loads(written(err).decode("ascii"))["error"]["message"] == TEXT


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf-8-sig", "utf-16"])
def test_json_keeps_its_letters_where_the_stream_has_them(encoding: str) -> None:
    out = stream(encoding)
    Terminal(json=True, out=out).record(TEXT)
    assert written(out).decode(encoding) == dumps(TEXT) + "\n"
    assert TEXT in dumps(TEXT)


def test_a_stream_in_memory_has_every_letter() -> None:
    out = io.StringIO()
    Terminal(json=True, out=out).record(TEXT)
    assert TEXT in out.getvalue()
