"""Archives as columns: what the Framer and the general parser say, whatever lies in between."""

from __future__ import annotations

import gzip
import sys
import tracemalloc
from datetime import UTC
from decimal import Decimal
from pathlib import Path

import captured
import pytest
import streams
from hypothesis import given, settings
from hypothesis import strategies as st

from dsmrctl.telegram import Framer, Reject, Telegram, layout, matrix
from dsmrctl.telegram.archive import Block, iter_blocks, read_archive
from dsmrctl.telegram.block import NAMES
from dsmrctl.telegram.document import quantities

np = pytest.importorskip("numpy")

BELGIAN = "belgium_emucs-1.7.1_gas_water_13-months"
OBJECTS = ("0-0:17.0.0", "1-0:31.4.0", "1-0:99.99.9")
ORDINARY = (
    "belgium_emucs-1.3",
    BELGIAN,
    "belgium_emucs-2.1_relays_ean",
    "luxembourg_smarty",
    "netherlands_dsmr-4.2",
    "netherlands_dsmr-5.0",
    "sweden_h1",
)


def generally(stream: bytes) -> tuple[list[Telegram], list[Reject]]:
    """Every telegram and reject of a stream, one by one; the definition."""
    framer = Framer()
    items = [*framer.feed(stream), *framer.close()]
    telegrams = [item for item in items if isinstance(item, Telegram)]
    return telegrams, [item for item in items if isinstance(item, Reject)]


def number(block: Block, name: str, at: int) -> Decimal | None:
    column = block.columns[name]
    if not column.valid[at]:
        assert column.values[at] == 0
        return None
    return Decimal(int(column.values[at])).scaleb(-column.decimals)


def same(block: Block, stream: bytes, objects: tuple[str, ...] = ()) -> None:
    telegrams, rejects = generally(stream)
    assert block.rows == len(telegrams)
    assert block.rejects == rejects
    assert set(block.columns) == {*NAMES, *objects}
    for at, telegram in enumerate(telegrams):
        said = quantities(telegram)
        assert {name: number(block, name, at) for name in NAMES} == {
            name: said[name] for name in NAMES
        }
        for code in objects:
            item = telegram.get(code)
            measured = item.measurement if item else None
            assert number(block, code, at) == (measured.number if measured else None)
        if telegram.time is None:
            assert np.isnat(block.time[at])
            continue
        clock = telegram.time.astimezone(UTC).replace(tzinfo=None)
        offset = telegram.time.utcoffset()
        assert offset is not None
        assert (block.time[at].item(), block.offset[at]) == (clock, offset.total_seconds())


def varied(name: str, count: int) -> list[bytes]:
    """Telegrams of a capture's shape: other numbers and times in each, and its CRC made anew."""
    learned = layout.learn(captured.raw(name))
    assert learned is not None
    steps = iter(range(10**9))

    def mixed(below: int) -> int:
        return next(steps) * 2654435761 % 2**32 * below >> 32

    return [captured.signed(learned.filled(mixed)) for _ in range(count)]


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many telegrams each run of the fast path read: that it was taken at all."""
    rows: list[int] = []
    read = matrix.Plan.read

    def counted(self: matrix.Plan, *args: object) -> Block:
        block = read(self, *args)  # type: ignore[arg-type]
        rows.append(block.rows)
        return block

    monkeypatch.setattr(matrix.Plan, "read", counted)
    return rows


@pytest.mark.parametrize("name", captured.NAMES)
def test_every_capture_again_and_again_gives_what_the_general_parser_says(name: str) -> None:
    stream = captured.raw(name) * 12
    same(read_archive(stream), stream)


@pytest.mark.slow
@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_meter_is_read_in_runs_with_the_same_result(
    name: str, plans: list[int]
) -> None:
    stream = b"".join(varied(name, 300))
    same(read_archive(stream, objects=OBJECTS), stream, OBJECTS)
    assert sum(plans) > 250


@pytest.mark.slow
def test_only_what_values_decide_has_a_layout_and_is_not_read_in_runs() -> None:
    raws = {name: captured.raw(name) for name in captured.NAMES}
    without = {
        name
        for name, raw in raws.items()
        if layout.learn(raw) is not None and matrix.plan(raw, OBJECTS) is None
    }
    assert without == {"meters_two-gas-the-older-stopped", "zero-without-a-unit"}


@pytest.mark.slow
def test_real_streams_beside_the_project_give_what_the_general_parser_says() -> None:
    files = [streams.OWN_STREAM]
    if captured.BESIDE.is_dir():
        files += [file for file in captured.BESIDE.iterdir() if file.suffix in (".txt", ".raw")]
    for file in files:
        stream = file.read_bytes()
        same(read_archive(stream * 3), stream * 3)


@pytest.mark.slow
def test_a_wrong_crc_in_a_run_is_rejected_and_nothing_else(plans: list[int]) -> None:
    telegrams = varied(BELGIAN, 200)
    at = telegrams[120].index(b"1-0:1.8.1(") + 12
    telegrams[120] = telegrams[120][:at] + b"7" + telegrams[120][at + 1 :]
    whole = b"".join(telegrams)
    if telegrams[120][at : at + 1] == b"7":
        telegrams[120] = telegrams[120][:at] + b"8" + telegrams[120][at + 1 :]
        whole = b"".join(telegrams)
    found = read_archive(whole)
    same(found, whole)
    assert [reject.reason for reject in found.rejects] == ["crc"]
    assert found.rejects[0].offset == sum(map(len, telegrams[:120]))
    assert found.rows == 199
    assert sum(plans) > 150


@pytest.mark.parametrize("digit", range(0, 900, 37))
def test_each_bit_that_falls_over_is_found(digit: int) -> None:
    telegrams = varied(BELGIAN, 40)
    raw = bytearray(telegrams[30])
    raw[digit] ^= 1 << digit % 8
    telegrams[30] = bytes(raw)
    stream = b"".join(telegrams)
    same(read_archive(stream), stream)


@pytest.mark.parametrize(
    "sentinel",
    ["632525252525W", "700101010000W", "000101000001W", "250000000000W", "260231120000W"],
)
def test_a_time_that_is_none_is_unknown_and_its_neighbours_are_known(sentinel: str) -> None:
    telegrams = varied(BELGIAN, 60)
    for at, key in ((20, b"0-0:1.0.0("), (30, b"1-0:1.6.0("), (40, b"0-1:24.2.3(")):
        raw = telegrams[at]
        place = raw.index(key) + len(key)
        telegrams[at] = captured.signed(raw[:place] + sentinel.encode() + raw[place + 13 :])
    stream = b"".join(telegrams)
    found = read_archive(stream)
    same(found, stream)
    assert np.isnat(found.time).tolist() == [at == 20 for at in range(60)]


def test_characters_beside_the_digits_are_no_digits_even_with_a_good_crc() -> None:
    telegrams = varied(BELGIAN, 40)
    for at, sign in enumerate(b":;<=>?", 20):
        raw = telegrams[at]
        place = raw.index(b"1-0:1.7.0(") + len(b"1-0:1.7.0(")
        telegrams[at] = captured.signed(raw[:place] + bytes((sign,)) + raw[place + 1 :])
    stream = b"".join(telegrams)
    found = read_archive(stream)
    same(found, stream)
    assert (~found.columns["import_w"].valid).nonzero()[0].tolist() == [20, 21, 22, 23, 24, 25]


def test_summer_and_winter_are_the_same_moment_in_utc() -> None:
    raw = varied(BELGIAN, 1)[0]
    place = raw.index(b"0-0:1.0.0(") + len(b"0-0:1.0.0(")
    hours = (b"261025023000S", b"261025023000W") * 20
    stream = b"".join(captured.signed(raw[:place] + hour + raw[place + 13 :]) for hour in hours)
    found = read_archive(stream)
    same(found, stream)
    assert [str(each) for each in found.time[-2:]] == ["2026-10-25T00:30:00", "2026-10-25T01:30:00"]
    assert found.offset[-2:].tolist() == [7200, 3600]


def test_two_gas_meters_and_a_dead_one_are_chosen_as_the_general_parser_does() -> None:
    for name in ("meters_two-gas-the-older-stopped", "meters_dead-gas-beside-a-live-one",
                 "meters_both-readings-on-a-channel"):  # fmt: skip
        stream = b"".join(varied(name, 60))
        same(read_archive(stream), stream)


def test_a_reading_without_a_time_counts_when_it_is_not_zero() -> None:
    def metered(first: int, second: int) -> bytes:
        return streams.telegram(
            "0-1:24.1.0(003)",
            f"0-1:24.2.1({first:05}.000*m3)",
            f"0-1:24.2.3(260114120000W)({second:05}.125*m3)",
        )

    stream = b"".join(metered(n % 7 and n, 1000 + n) for n in range(80))
    same(read_archive(stream), stream)


@pytest.mark.slow
@pytest.mark.parametrize("place", range(4))
def test_letters_after_f_are_no_crc(place: int) -> None:
    telegrams = varied(BELGIAN, 400)
    at = next(
        n for n in range(50, 400) if telegrams[n][-6 + place : -5 + place or None][:1] == b"0"
    )
    raw = bytearray(telegrams[at])
    raw[-6 + place] = ord("G")
    telegrams[at] = bytes(raw)
    stream = b"".join(telegrams)
    found = read_archive(stream)
    same(found, stream)
    assert found.rows == 399


def test_what_the_framer_still_holds_is_not_passed_over_by_a_run() -> None:
    run = b"".join(varied(BELGIAN, 40))
    pieces = [run, captured.raw("crc_unpadded") + b"noise", run]
    stream = b"".join(pieces)
    blocks = list(iter_blocks(iter(pieces), size=1))
    telegrams, rejects = generally(stream)
    assert sum(block.rows for block in blocks) == len(telegrams) == 81
    assert [reject for block in blocks for reject in block.rejects] == rejects != []


def test_a_number_that_no_longer_fits_beside_finer_ones_is_unknown() -> None:
    coarse = [
        streams.telegram("0-1:24.1.0(003)", f"0-1:24.2.1(260114120000W)({n}23456789012345*m3)")
        for n in range(1, 9)
    ]
    fine = streams.telegram("0-1:24.1.0(003)", "0-1:24.2.1(260114120000W)(1.123456789*m3)")
    found = read_archive(b"".join([*coarse * 5, fine]))
    assert found.columns["gas_m3"].valid.tolist() == [False] * 40 + [True]
    assert number(found, "gas_m3", 40) == Decimal("1.123456789")


def test_decimals_that_change_in_the_middle_stay_exact() -> None:
    telegrams = varied(BELGIAN, 40) + [
        captured.signed(raw.replace(b".", b"", 40).replace(b"*m3", b".125*m3"))
        for raw in varied(BELGIAN, 40)
    ]
    stream = b"".join(telegrams)
    same(read_archive(stream), stream)


def test_a_number_too_large_for_a_column_is_unknown() -> None:
    telegrams = [streams.telegram(f"1-0:1.8.1({n}23456789012345*MWh)") for n in range(1, 9)] * 5
    found = read_archive(b"".join(telegrams))
    assert not found.columns["import_t1_wh"].valid.any()
    assert found.rows == 40


@pytest.mark.slow
def test_blocks_are_bounded_and_their_rows_are_all_there() -> None:
    telegrams = varied(BELGIAN, 500)
    stream = b"".join(telegrams)
    size = 40_000
    blocks = list(iter_blocks(stream, size=size))
    assert max(block.rows for block in blocks) <= size // len(telegrams[0]) + 2
    same(read_archive(iter([stream])), stream)
    assert sum(block.rows for block in blocks) == 500
    assert np.concatenate([block.time for block in blocks]).tolist() == (
        read_archive(stream).time.tolist()
    )


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 100, 1059, 4096, 10**6])
def test_it_does_not_matter_how_the_bytes_are_cut(size: int) -> None:
    stream = b"\xff\x00" + b"".join(varied(BELGIAN, 60))[500:-100]
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    same(read_archive(iter(pieces)), stream)
    found = list(iter_blocks(iter(pieces), size=max(size, 50)))
    assert sum(block.rows for block in found) == 58
    assert [reject for block in found for reject in block.rejects] == generally(stream)[1]


def test_a_file_is_read_plain_and_gzipped(tmp_path: Path) -> None:
    stream = b"".join(varied(BELGIAN, 50))
    plain, packed = tmp_path / "a.raw", tmp_path / "a.raw.gz"
    plain.write_bytes(stream)
    packed.write_bytes(gzip.compress(stream[:20_000]) + gzip.compress(stream[20_000:]))
    same(read_archive(plain), stream)
    same(read_archive(str(packed)), stream)
    same(read_archive(packed.read_bytes()), stream)
    pieces = [bytes((each,)) for each in packed.read_bytes()]
    same(read_archive([b"", *pieces[:5], b"", *pieces[5:]]), stream)


def test_nothing_and_only_noise_give_no_rows() -> None:
    assert (read_archive(b"").rows, read_archive(b"").rejects) == (0, [])
    found = read_archive(b"\xaa\x55" * 50_000)
    assert found.rows == 0
    assert {reject.reason for reject in found.rejects} == {"garbage"}
    assert found.columns["import_w"].values.dtype == np.int64


def test_a_code_that_is_none_is_refused_before_anything_is_read() -> None:
    with pytest.raises(ValueError, match="is no OBIS code"):
        read_archive(b"", objects=["import"])


def test_encrypted_telegrams_are_opened_with_their_key() -> None:
    found = read_archive(streams.SEALED, key=streams.KEY)
    same(found, b"".join(streams.numbered(n) for n in range(5)))
    assert found.rows == 5


@pytest.mark.slow
def test_an_archive_larger_than_a_block_does_not_fill_the_memory(plans: list[int]) -> None:
    piece = b"".join(varied(BELGIAN, 40)) * 25
    tracemalloc.start()
    try:
        rows = sum(block.rows for block in iter_blocks(piece for _ in range(60)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert rows == 60_000
    assert sum(plans) > 59_000
    assert peak < 0.7 * 60 * len(piece)


@pytest.mark.parametrize("missing", ["layout", "matrix"])
def test_it_reads_the_same_without_the_fast_path(missing: str, monkeypatch, plans) -> None:
    name = f"dsmrctl.telegram.{missing}"
    if missing == "layout":
        monkeypatch.delitem(sys.modules, "dsmrctl.telegram.matrix")
    stream = b"".join(varied(BELGIAN, 40))
    monkeypatch.setitem(sys.modules, name, None)
    same(read_archive(stream), stream)
    assert not plans


# --- streams of all sorts ------------------------------------------------------------------------

pools = {name: varied(name, 40) for name in (BELGIAN, "netherlands_dsmr-5.0", "sweden_h1")}
runs = st.builds(
    lambda name, start, count: b"".join((pools[name] * 2)[start : start + count]),
    st.sampled_from(sorted(pools)),
    st.integers(0, 39),
    st.integers(1, 40),
)
disturbances = st.one_of(
    st.just(b""),
    st.binary(max_size=40),
    st.sampled_from([b"\r\n", b"\0\xff", b"!", b"\r\n!0000\r\n", b"/FLU5\\253769484_A\r\n\r\n"]),
    st.builds(lambda run, end: run[:-end], runs, st.integers(1, 500)),
    st.builds(lambda run, start: run[start:], runs, st.integers(1, 500)),
    st.sampled_from(captured.NAMES).map(captured.raw),
)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.lists(st.tuples(runs, disturbances), max_size=5), st.integers(500, 60_000))
def test_noise_cut_telegrams_and_other_meters_in_the_middle(
    parts: list[tuple[bytes, bytes]], size: int
) -> None:
    stream = b"".join(run + disturbance for run, disturbance in parts)
    same(read_archive(stream), stream)
    blocks = list(iter_blocks(stream, size=size))
    telegrams, rejects = generally(stream)
    assert sum(block.rows for block in blocks) == len(telegrams)
    assert [reject for block in blocks for reject in block.rejects] == rejects


@pytest.mark.slow
@settings(max_examples=60)
@given(st.data())
def test_bits_that_fall_over_anywhere_change_nothing_that_the_general_parser_would_not(
    data,
) -> None:
    stream = bytearray(b"".join(pools[BELGIAN]))
    for at in data.draw(st.lists(st.integers(0, len(stream) - 1), max_size=4)):
        stream[at] ^= 1 << data.draw(st.integers(0, 7))
    same(read_archive(bytes(stream)), bytes(stream))
