"""Only the sectors that differ are written, and few questions find them."""

from __future__ import annotations

import random
import zlib

import pytest
from bare_flash import BareFlash
from hypothesis import given
from hypothesis import strategies as st

from dsmrctl.flashing import filesystem, plan
from dsmrctl.flashing.plan import SECTOR, Run

KB, MEGABYTE = 1 << 10, 1 << 20


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def words(size: int, seed: int = 1) -> bytes:
    """What compresses about as code does, and each level otherwise."""
    letters = random.Random(seed)
    known = [letters.randbytes(letters.randint(2, 9)) for _ in range(99)]
    return b"".join(letters.choices(known, k=size // 2 + 1))[:size]


def depth(sectors: int) -> int:
    """How often a run is halved until a sector is left."""
    return (sectors - 1).bit_length()


def samples(sectors: int) -> set[int]:
    """Where all of these differ, so does the rest: at least three, one of 16 sectors."""
    return set(range(0, sectors, max(1, min(16, sectors // 3)))) if sectors > 4 else set()


def search(sectors: int) -> int:
    """The questions of the search at most, which may end with a question too many."""
    return 24 + sectors // 4


def most_questions(sectors: int) -> int:
    """The whole run, the samples, the search."""
    # Halving down to each sector splits once less than there are sectors: two questions each.
    return 1 + len(samples(sectors)) + min(search(sectors) + 1, 2 * (sectors - 1))


@st.composite
def flashes(draw: st.DrawFn) -> tuple[bytes, list[Run]]:
    """A flash of few kinds of sectors, so that some are as they should be, and runs for it."""
    kinds = [bytes([kind]) * SECTOR for kind in (0xFF, 0x00, 0x41)]
    count = draw(st.integers(1, 40))
    flash = b"".join(draw(st.lists(st.sampled_from(kinds), min_size=count, max_size=count)))
    ends = sorted(draw(st.sets(st.integers(1, count), min_size=1, max_size=4)))
    runs, start = [], 0
    for end in ends:
        first = draw(st.integers(start, end - 1))
        sectors = st.lists(st.sampled_from(kinds), min_size=end - first, max_size=end - first)
        cut = draw(st.sampled_from([0, 0, 4, SECTOR - 4]))
        runs.append(Run(first * SECTOR, b"".join(draw(sectors))[: (end - first) * SECTOR - cut]))
        start = end
    return flash, runs


@given(flashes())
def test_afterwards_the_flash_holds_all_of_it_and_nothing_beside_is_touched(
    drawn: tuple[bytes, list[Run]],
) -> None:
    flash, runs = drawn
    chip = BareFlash(flash)
    found = plan.changed(chip, runs)
    assert chip.questions <= sum(most_questions(run.sectors) for run in runs)
    touched = chip.obey(found)
    own: set[int] = set()
    for run in runs:
        assert chip.flash[run.offset : run.offset + len(run.data)] == run.data
        own |= set(range(run.offset // SECTOR, run.offset // SECTOR + run.sectors))
    assert touched <= own
    for sector in range(len(flash) // SECTOR):
        if sector not in own:
            place = slice(sector * SECTOR, (sector + 1) * SECTOR)
            assert chip.flash[place] == flash[place]
    # What is written once needs nothing more.
    chip.questions = 0
    assert plan.changed(chip, runs).runs == ()
    assert chip.questions == len(runs)


@given(st.integers(1, 300), st.data())
def test_one_sector_that_changed_is_found_alone(count: int, data: st.DataObject) -> None:
    wanted = noise(count * SECTOR)
    at = data.draw(st.integers(0, count - 1))
    chip = BareFlash(wanted)
    chip.flash[at * SECTOR + data.draw(st.integers(0, SECTOR - 1))] ^= 1
    found = plan.changed(chip, [Run(0, wanted)])
    assert [(run.offset, len(run.data)) for run in found.runs] == [(at * SECTOR, SECTOR)]
    # One of the samples may differ, the next does not; then one or two questions a level.
    assert chip.questions <= 1 + 2 + 2 * depth(count)


@pytest.mark.slow
@given(st.integers(1, 1024), st.data())
def test_a_few_that_changed_are_written_with_few_others(count: int, data: st.DataObject) -> None:
    few_others(count, data.draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=24)))


@pytest.mark.parametrize("count", [60, 160, 1024])
def test_a_few_in_bad_places_are_written_with_few_others(count: int) -> None:
    few_others(count, {0, count // 2, count - 1})
    few_others(count, {0, count // 3, 2 * count // 3, count - 1})
    few_others(count, {0, count // 4, count // 2, 3 * count // 4, count - 1})
    # Many in one half, which use the questions up.
    few_others(count, {*range(count // 2 - 12, count // 2), count - 1})


def few_others(count: int, places: set[int]) -> None:
    wanted = bytes(count * SECTOR)
    chip = BareFlash(wanted)
    for place in places:
        chip.flash[place * SECTOR] = 1
    written = chip.obey(plan.changed(chip, [Run(0, wanted)]))
    assert places <= written
    assert chip.questions <= most_questions(count)
    assert len(written) <= 16 * len(places)
    if 2 * len(places) * depth(count) <= search(count) and not samples(count) <= places:
        assert written == places


@pytest.mark.parametrize("count", [1, 4, 5, 98, 153, 245, 1024])
def test_a_flash_of_something_else_takes_few_questions(count: int) -> None:
    wanted = noise(count * SECTOR)
    chip = BareFlash(noise(count * SECTOR, seed=2))
    found = plan.changed(chip, [Run(0, wanted)])
    assert found.flash_bytes == count * SECTOR
    assert len(found.runs) == 1
    # As many as when another firmware is to be told from one that changed here and there.
    assert chip.questions <= 7 + count // 16


def test_a_flash_that_is_blank_is_written_whole() -> None:
    wanted = noise(60 * SECTOR)
    chip = BareFlash(b"\xff" * MEGABYTE)
    found = plan.changed(chip, [Run(0, wanted), Run(0x99000, wanted)])
    assert found.flash_bytes == 2 * len(wanted)
    assert chip.questions <= 2 * (7 + 60 // 16)


# What the flash truly has


@pytest.mark.parametrize(
    ("true", "claimed"),
    [
        (true, claimed)
        for true in (256, 512, 1024, 2048, 4096, 8192)
        for claimed in (1, 2, 4, 8, 16)
        if true < claimed * 1024
    ],
)
def test_a_flash_that_claims_more_than_it_has_shows_it(true: int, claimed: int) -> None:
    chip = BareFlash(noise(true * KB), claims=claimed * MEGABYTE)
    assert plan.true_size(chip) == true * KB


@pytest.mark.parametrize("megabytes", [0.5, 1, 2, 4, 8, 16])
@pytest.mark.parametrize("fill", ["noise", "blank", "zeros", "begun"])
def test_an_honest_flash_has_what_it_says(megabytes: float, fill: str) -> None:
    size = int(megabytes * MEGABYTE)
    flash = {
        "noise": lambda: noise(size),
        "blank": lambda: b"\xff" * size,
        "zeros": lambda: bytes(size),
        "begun": lambda: noise(100 * KB).ljust(size, b"\xff"),
    }[fill]()
    chip = BareFlash(flash)
    assert plan.true_size(chip) == size
    assert chip.questions < 20


def test_a_firmware_with_its_beginning_twice_is_no_smaller_flash() -> None:
    # As one that updates itself has it: a second copy, in the other half.
    flash = bytearray(noise(MEGABYTE))
    flash[MEGABYTE // 2 : MEGABYTE // 2 + 64 * KB] = flash[: 64 * KB]
    chip = BareFlash(bytes(flash))
    assert plan.true_size(chip) == MEGABYTE


# How long it takes

SOME = st.builds(
    lambda sizes, seed: [
        Run(at * MEGABYTE, [noise, words, lambda size, _: bytes(size)][seed % 3](size, seed))
        for at, size in enumerate(sizes)
    ],
    st.lists(st.integers(0, 5 * SECTOR), max_size=3),
    st.integers(0, 9),
)


@given(SOME)
def test_what_goes_over_the_line_is_what_esptool_sends(runs: list[Run]) -> None:
    found = plan.whole(runs)
    assert [run for run in runs if run.data] == list(found.runs)
    assert found.flash_bytes == sum(len(run.data) for run in runs)
    for run, size in zip(found.runs, found.sizes, strict=True):
        assert size == min(len(run.data), len(zlib.compress(run.data, 9)))
    assert found.line_bytes == sum(found.sizes)


@given(st.integers(1, 60), st.sampled_from([115200, 230400, 460800]))
def test_more_takes_longer_and_a_faster_line_never_does(sectors: int, baud: int) -> None:
    less = plan.whole([Run(0, noise(sectors * SECTOR))])
    more = plan.whole([Run(0, noise((sectors + 1) * SECTOR))])
    assert 0 < less.seconds(baud) < more.seconds(baud)
    assert less.seconds(baud * 2) <= less.seconds(baud)
    assert less.seconds(9600) > less.seconds(baud)
    # Never less than the line takes: 10 bits a byte.
    assert less.seconds(baud) >= less.line_bytes * 10 / baud


def test_code_is_sent_at_the_level_that_esptool_uses() -> None:
    code = words(20 * SECTOR)
    (size,) = plan.whole([Run(0, code)]).sizes
    assert size == len(zlib.compress(code, 9)) < len(zlib.compress(code, 6)) < len(code)


def test_nothing_to_write_takes_no_time() -> None:
    assert plan.whole([]).seconds(115200) == 0
    assert plan.whole([Run(0, b"")]).runs == ()


def test_of_a_file_system_only_the_blocks_that_matter_are_wanted() -> None:
    place = filesystem.place("FLASH_1M", MEGABYTE)
    system = filesystem.make(place.blocks, {"boot.py": b"x" * 6000})
    base = noise(100_000)
    first, *runs = plan.wanted(base, place, system)
    assert (first.offset, first.data) == (0, base)
    flash = bytearray(noise(MEGABYTE, seed=3))
    for run in runs:
        assert run.offset % SECTOR == 0
        assert place.offset <= run.offset
        flash[run.offset : run.offset + len(run.data)] = run.data
    assert sum(len(run.data) for run in runs) == 4 * SECTOR
    assert filesystem.read(bytes(flash[place.offset :][: place.size])) == {"boot.py": b"x" * 6000}


def test_no_bytes_of_a_flash_are_shown() -> None:
    assert "secret" not in repr(plan.whole([Run(0, b"secret")]))
