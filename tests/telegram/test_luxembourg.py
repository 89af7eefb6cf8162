"""Encrypted telegrams, sealed here with `cryptography` as the meter would."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from conftest import Run
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import KEY, SEALED, numbered, sealed, slices

from dsmrctl import errors
from dsmrctl.telegram import luxembourg
from dsmrctl.telegram.framing import Framer, Reject
from dsmrctl.telegram.telegram import Telegram


def unsealed(stream: bytes, size: int = 0, key: bytes | None = KEY) -> list[Telegram | Reject]:
    framer = Framer(key=key)
    found: list[Telegram | Reject] = []
    for data in slices(stream, size or max(1, len(stream))):
        found += framer.feed(data)
    return found + list(framer.close())


def plain(found: list[Telegram | Reject]) -> list[bytes | Reject]:
    return [item.raw if isinstance(item, Telegram) else item for item in found]


@pytest.mark.parametrize("size", [0, 1, 13, 100])
def test_encrypted_telegrams_come_out_once_each_in_order(size: int) -> None:
    found = unsealed(SEALED, size)
    assert plain(found) == [numbered(n) for n in range(5)]
    assert all(isinstance(item, Telegram) and item.crc == "valid" for item in found)


def test_an_encrypted_telegram_comes_out_with_its_last_byte() -> None:
    framer = Framer(key=KEY)
    frame = sealed(numbered(1))
    assert list(framer.feed(frame[:-1])) == []
    assert plain(list(framer.feed(frame[-1:]))) == [numbered(1)]


@pytest.mark.parametrize("text", [b"/A", b"/ABC5\r\n" + b"x" * 150, numbered(1) * 20])
def test_every_way_to_write_the_length_is_read(text: bytes) -> None:
    found = unsealed(sealed(text) + sealed(numbered(7), 2))
    assert found[-1].raw == numbered(7)


def test_plain_telegrams_are_taken_beside_encrypted_ones() -> None:
    stream = numbered(1) + sealed(numbered(2)) + numbered(3)
    for size in (0, 1):
        assert plain(unsealed(stream, size)) == [numbered(1), numbered(2), numbered(3)]
    assert plain(unsealed(numbered(1) + numbered(2))) == [numbered(1), numbered(2)]


def test_noise_before_and_after_frames_is_rejected_with_its_place() -> None:
    stream = b"noise" + sealed(numbered(1)) + b"\xdbmore"
    for size in (0, 1):
        assert plain(unsealed(stream, size)) == [
            Reject("garbage", 0, b"noise"),
            numbered(1),
            Reject("garbage", len(stream) - 5, b"\xdbmore"),
        ]


def test_the_mark_of_a_frame_by_chance_before_a_real_one_costs_nothing() -> None:
    for lead in (b"\xdb\x08", b"\xdb\x08ab", b"\xdb\x08" * 5):
        found = plain(unsealed(lead + sealed(numbered(1))))
        assert found[-1] == numbered(1)
        assert len(found) == 2


@pytest.mark.parametrize("size", [0, 1])
def test_a_damaged_frame_costs_no_other(size: int) -> None:
    frames = [sealed(numbered(n), n) for n in range(3)]
    for at in range(16, len(frames[1]), 7):
        bad = bytearray(frames[1])
        bad[at] ^= 0x10
        found = plain(unsealed(frames[0] + bytes(bad) + frames[2], size))
        assert found == [numbered(0), Reject("crc", len(frames[0]), bytes(bad)), numbered(2)]


@pytest.mark.parametrize("size", [0, 1])
def test_a_frame_that_lost_bytes_costs_no_other(size: int) -> None:
    frames = [sealed(numbered(n), n) for n in range(3)]
    for kept in (20, 60, len(frames[1]) - 1):
        found = plain(unsealed(frames[0] + frames[1][:kept] + frames[2], size))
        cut = Reject("truncated", len(frames[0]), frames[1][:kept])
        assert found == [numbered(0), cut, numbered(2)]


def test_the_end_of_the_input_inside_a_frame_is_truncated() -> None:
    frames = [sealed(numbered(n), n) for n in range(2)]
    found = plain(unsealed(frames[0] + frames[1][:50]))
    assert found == [numbered(0), Reject("truncated", len(frames[0]), frames[1][:50])]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_wrong_key_is_an_error_that_does_not_tell_it(count: int) -> None:
    stream = b"".join(sealed(numbered(n), n) for n in range(count))
    wrong = bytes(range(16))
    with pytest.raises(luxembourg.WrongKey) as caught:
        unsealed(stream, key=wrong)
    assert caught.value.exit_code == errors.BAD_DATA
    assert wrong.hex() not in f"{caught.value!r} {caught.value.hint}".lower()


def test_no_repr_tells_the_key() -> None:
    framer = Framer(key=KEY)
    list(framer.feed(SEALED))
    assert KEY.hex() not in repr(framer).lower()
    assert repr(KEY) not in repr(framer)


def test_one_damaged_frame_at_the_start_does_not_blame_the_key() -> None:
    bad = bytearray(sealed(numbered(1)))
    bad[40] ^= 1
    found = plain(unsealed(bytes(bad) + SEALED))
    assert found == [Reject("crc", 0, bytes(bad)), *(numbered(n) for n in range(5))]


def test_encrypted_streams_are_known_without_a_key() -> None:
    assert luxembourg.looks_encrypted(b"\xff\xff" + SEALED)
    assert not luxembourg.looks_encrypted(numbered(1) * 3)
    assert "--meter-key-file" in (luxembourg.key_is_needed().hint or "")


PIECE = st.one_of(
    st.integers(0, 9).map(lambda n: sealed(numbered(n), n)),
    st.integers(0, 9).map(numbered),
    st.binary(max_size=30),
    st.sampled_from([b"\xdb", b"\xdb\x08", SEALED[:40], SEALED[:300], b"\xff" * 20]),
)


@pytest.mark.slow
@given(st.lists(PIECE, max_size=8).map(b"".join), st.integers(1, 400))
@settings(max_examples=200)
def test_the_result_is_the_same_however_the_stream_is_cut(stream: bytes, size: int) -> None:
    good = SEALED[: len(SEALED) // 5]  # first, so that no piece can blame the key
    expected = plain(unsealed(good + stream))
    assert plain(unsealed(good + stream, size)) == expected


@given(st.binary(max_size=600))
def test_any_noise_gives_rejects_and_never_a_traceback(noise: bytes) -> None:
    try:
        found = unsealed(b"\xdb\x08" + noise, 17)
    except luxembourg.WrongKey:
        return
    assert all(isinstance(item, Reject) for item in found)


# --- the key -------------------------------------------------------------------------------------


def test_the_key_is_read_from_a_file_the_environment_or_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DSMRCTL_METER_KEY", raising=False)
    assert luxembourg.read_key() is None
    file = tmp_path / "key"
    file.write_text(KEY.hex().upper() + "\n")
    assert luxembourg.read_key(str(file)) == KEY
    assert luxembourg.read_key("-", io.BytesIO(KEY.hex().encode() + b"\n")) == KEY
    monkeypatch.setenv("DSMRCTL_METER_KEY", KEY.hex())
    assert luxembourg.read_key() == KEY


def test_a_key_in_groups_as_the_letter_prints_it_is_read() -> None:
    for between in (" ", ":", "-"):
        text = between.join(f"{byte:02X}" for byte in KEY)
        assert luxembourg.read_key("-", io.BytesIO(text.encode())) == KEY


@pytest.mark.parametrize("text", ["5" * 31, "5" * 33, "0x" + "5" * 30, "g" * 32, "é" * 32])
def test_a_key_of_another_form_is_refused_without_showing_it(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text(text, encoding="utf-8")
    monkeypatch.setenv("DSMRCTL_METER_KEY", text)
    for where, named in ((str(file), str(file)), (None, "DSMRCTL_METER_KEY")):
        with pytest.raises(errors.UsageError, match="32 hexadecimal digits") as caught:
            luxembourg.read_key(where)
        assert named in caught.value.message
        assert text not in f"{caught.value!r} {caught.value.hint}"


@pytest.mark.parametrize("stream", [SEALED, numbered(1)])
def test_the_key_and_the_telegrams_can_both_come_on_standard_input(
    stream: bytes, dsmrctl: Run
) -> None:
    ran = dsmrctl(
        "telegram", "parse", "--json", "-", "--meter-key-file", "-",
        stdin=KEY.hex().encode() + b"\r\n" + stream,
    )  # fmt: skip
    assert (ran.code, ran.err) == (0, "")
    assert len(ran.out.splitlines()) == (5 if stream == SEALED else 1)
