"""Secrets from a file, standard input or the environment, and never in what an error says."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl import errors, keys

VARIABLE = "DSMRCTL_TEST_KEY"


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def said(error: errors.DsmrError) -> str:
    return f"{error!r} {error.message} {error.hint} {error.__cause__!r}"


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\nsecond line\n", b"\r\n\xff\xfe"])
def test_a_secret_is_the_first_line_wherever_it_comes_from(
    end: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"  kelder \xc3\xa9 " + end)
    expected = b"  kelder \xc3\xa9 "
    assert keys.read(str(file), VARIABLE, "key") == expected
    assert keys.read("-", VARIABLE, "key", io.BytesIO(file.read_bytes())) == expected
    monkeypatch.setitem(os.environ, VARIABLE, os.fsdecode(file.read_bytes()))
    assert keys.read(None, VARIABLE, "key") == expected


def test_a_file_goes_before_the_environment_and_without_both_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert keys.read(None, VARIABLE, "key") is None
    monkeypatch.setenv(VARIABLE, "")
    assert keys.read(None, VARIABLE, "key") is None
    monkeypatch.setenv(VARIABLE, "from the environment")
    (tmp_path / "key").write_text("from the file")
    assert keys.read(str(tmp_path / "key"), VARIABLE, "key") == b"from the file"


@given(
    st.binary(min_size=1, max_size=40).filter(
        lambda line: line.strip(b"\r\n") and b"\n" not in line
    ),
    st.binary(max_size=40),
)
def test_not_one_byte_behind_the_line_is_taken(line: bytes, rest: bytes) -> None:
    stdin = io.BytesIO(line + b"\n" + rest)
    assert keys.read("-", VARIABLE, "key", stdin) == line.rstrip(b"\r")
    assert stdin.read() == rest


def test_two_secrets_and_what_follows_share_a_real_standard_input() -> None:
    program = (
        "import os; from dsmrctl import keys;"
        "print(keys.read('-', 'X', 'key'), keys.read('-', 'X', 'key'), os.read(0, 100))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=b"one\ntwo\nrest\n", capture_output=True, check=True
    )
    assert done.stdout.decode().split() == ["b'one'", "b'two'", r"b'rest\n'"]


@pytest.mark.parametrize("size, fits", [(keys.LIMIT, True), (keys.LIMIT + 1, False)])
@pytest.mark.parametrize("end", [b"", b"\r\n"])
def test_a_secret_has_a_longest_length(
    size: int, fits: bool, end: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"q" * size + end)
    monkeypatch.setenv(VARIABLE, "q" * size)
    for where in (str(file), None):
        if fits:
            assert keys.read(where, VARIABLE, "key") == b"q" * size
            continue
        with pytest.raises(errors.UsageError, match="longer than 1000 bytes") as refused:
            keys.read(where, VARIABLE, "key")
        assert "qq" not in said(refused.value)


def test_an_endless_file_is_left_after_the_longest_line() -> None:
    with pytest.raises(errors.UsageError, match="/dev/zero is longer"):
        keys.read("/dev/zero", VARIABLE, "key")


def test_a_secret_that_cannot_be_read_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (str(tmp_path / "absent"), "a\0b"):
        with pytest.raises(errors.NotFound, match="there is no frame key file"):
            keys.read(name, VARIABLE, "frame key")
    with pytest.raises(errors.Refused, match="cannot read the frame key file"):
        keys.read(str(tmp_path), VARIABLE, "frame key")
    (tmp_path / "empty").write_text("\nnot this\n")
    with pytest.raises(errors.UsageError, match="is empty") as refused:
        keys.read(str(tmp_path / "empty"), VARIABLE, "frame key")
    assert "not this" not in said(refused.value)
    with pytest.raises(errors.UsageError, match="standard input is empty"):
        keys.read("-", VARIABLE, "frame key", io.BytesIO())
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(errors.UsageError, match="no standard input"):
        keys.read("-", VARIABLE, "frame key")


def test_text_that_is_not_utf_8_is_refused_without_showing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"hunter2\xe9\n")
    monkeypatch.setitem(os.environ, VARIABLE, "hunter2\udce9")
    for where in (str(file), None):
        with pytest.raises(errors.UsageError, match="is not UTF-8 text") as refused:
            keys.read_text(where, VARIABLE, "key")
        assert "hunter2" not in said(refused.value)
        assert refused.value.__suppress_context__
    file.write_bytes("kelder é\n".encode())
    assert keys.read_text(str(file), VARIABLE, "key") == "kelder é"
    monkeypatch.delenv(VARIABLE)
    assert keys.read_text(None, VARIABLE, "key") is None
