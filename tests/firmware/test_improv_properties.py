"""Improv for any line: whatever comes between the datagrams, and however it is cut up."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import assume, example, given
from hypothesis import strategies as st

from dsmrctl.firmware.core import improv
from dsmrctl.firmware.core.improv import Reader

bodies = st.binary(max_size=255)
datagrams = st.tuples(st.integers(0, 255), bodies)
# Pieces of datagrams among the noise are the hard part.
noise = st.lists(
    st.binary(max_size=40)
    | st.sampled_from((b"I", b"IMPROV", improv.HEAD, b"\r\n", b"/FLU5\\2537_A\r\n", b"\xff")),
    max_size=4,
).map(b"".join)
texts = st.lists(st.text(max_size=20), max_size=6)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    marks = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(marks)]


def heard(data: bytes, cuts: list[int]) -> list[tuple[int, bytes]]:
    reader = Reader()
    found = []
    for piece in pieces(data, cuts):
        found += reader.feed(piece)
        assert len(reader.held) < 300
    return found + reader.quiet()


@given(st.lists(datagrams, max_size=5), st.lists(st.integers(0, 3000), max_size=12))
def test_datagrams_one_after_another_all_come_in_any_pieces(
    sent: list[tuple[int, bytes]], cuts: list[int]
):
    assert heard(b"".join(improv.build(*one) for one in sent), cuts) == sent


@given(st.lists(st.tuples(noise, datagrams), max_size=4), noise)
def test_no_datagram_between_noise_is_lost(
    sent: list[tuple[bytes, tuple[int, bytes]]], after: bytes
):
    # Noise that begins a datagram may by chance be one, with what follows it as its data.
    assume(all(improv.HEAD not in before for before, _ in sent) and improv.HEAD not in after)
    line = b"".join(before + improv.build(*one) for before, one in sent) + after
    assert heard(line, []) == [one for _, one in sent]


@given(noise, st.lists(st.integers(0, 3000), max_size=12))
def test_the_pieces_change_nothing(line: bytes, cuts: list[int]):
    assert heard(line, cuts) == heard(line, [])


@given(st.binary(max_size=2000))
def test_any_bytes_do_no_harm(data: bytes):
    for _, body in heard(data, []):
        assert len(body) <= 255
        improv.strings(body)


@given(datagrams, st.integers(0, 264), st.integers(1, 255))
def test_one_changed_byte_is_never_taken(one: tuple[int, bytes], at: int, flip: int):
    sent = bytearray(improv.build(*one))
    at %= len(sent) - 2
    sent[1 + at] ^= flip
    assert one not in heard(bytes(sent), [])


@given(datagrams, datagrams, st.integers(0, 264))
@example((4, bytes(200)), (1, b"\x02"), 20)
def test_what_was_cut_does_not_swallow_the_next(
    one: tuple[int, bytes], following: tuple[int, bytes], cut: int
):
    sent = improv.build(*one)[1:-1]
    cut %= len(sent)
    found = heard(sent[:cut] + improv.build(*following), [])
    # By chance the sum may hold for the head of the one with the data of the other.
    assume(not any(len(data) == len(one[1]) and (kind, data) != following for kind, data in found))
    assert found == [following]


@given(st.integers(0, 255), texts)
def test_texts_come_back_as_they_were(command: int, sent: list[str]):
    length = sum(len(text.encode()) + 1 for text in sent)
    assume(length <= 253)
    ((kind, data),) = Reader().feed(improv.result(command, sent))
    assert (kind, data[0]) == (improv.RESULT, command)
    assert improv.strings(data) == [text.encode() for text in sent]


class Silent:
    """A board that takes whatever it is given."""

    def url(self) -> str:
        return ""

    def joining(self) -> bool:
        return False

    def info(self) -> tuple[str, ...]:
        return ("a", "b", "c", "d")

    def scan(self) -> list[tuple[str, int, bool]]:
        return []

    def join(self, ssid: str, password: str) -> bool:
        assert 0 < len(ssid.encode()) <= 32
        return True


@given(st.integers(0, 5), bodies)
def test_any_request_is_answered_and_nothing_else_is(kind: int, body: bytes):
    sent = b"".join(improv.answer(kind, body, Silent()))
    assert bool(sent) == (kind == improv.RPC)
    assert all(answer != improv.RPC for answer, _ in Reader().feed(sent))
