"""The file system on a board's flash, exactly as MicroPython expects it.

LittleFS 2 with the parameters of MicroPython 1.29's ESP8266 port (modules/flashbdev.py,
extmod/vfs_lfs.c). Geometry must be exact: one block more or less does not mount, and the chip
then waits for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dsmrctl.errors import BadData, Refused, UsageError

if TYPE_CHECKING:
    from littlefs import LittleFS

BLOCK = 4096
# Files up to so many bytes lie in their folder (LittleFS: the cache, at most an eighth of a block).
_INLINE = 128
# Comes and goes while a file system is made; a damaged one may still show it.
FULL = "full"
MEGABYTE = 1 << 20
# The SDK keeps its own data in the last 20 KB of what the image header calls the flash.
_SYSTEM = 20 * 1024
_LARGEST = 4 * MEGABYTE


@dataclass(frozen=True)
class Place:
    """Where on the flash the file system lies; offset in bytes, blocks of 4096."""

    offset: int
    blocks: int

    @property
    def size(self) -> int:
        """Bytes of the file system."""
        return self.blocks * BLOCK


_STARTS = {"FLASH_1M": 0x99000, "": 0x100000}


def place(variant: str, flash_size: int) -> Place:
    """Where MicroPython's build looks for its files on a flash of that many bytes.

    variant: "FLASH_1M", or "" for the generic build. Raises UsageError.
    """
    if variant == "FLASH_1M" and flash_size >= MEGABYTE:
        # This build calls the flash 1 MB, whatever it is.
        return Place(_STARTS[variant], (MEGABYTE - _SYSTEM - _STARTS[variant]) // BLOCK)
    if variant == "" and flash_size >= 2 * MEGABYTE:
        # Larger headers fail to boot (micropython #6874): the rest of a larger flash is not used.
        size = min(flash_size, _LARGEST)
        return Place(_STARTS[variant], (size - _SYSTEM - _STARTS[variant]) // BLOCK)
    name = variant or "generic"
    raise UsageError(
        f"MicroPython's {name} build has no file system on {flash_size // 1024} KB of flash",
        hint="1 MB is needed at least, and 2 MB for boards such as the NodeMCU",
    )


def _open(blocks: int, **more: Any) -> LittleFS:
    from littlefs import LittleFS

    return LittleFS(
        block_size=BLOCK,
        block_count=blocks,
        read_size=32,
        prog_size=32,
        lookahead_size=32,
        cache_size=128,
        block_cycles=100,
        name_max=255,
        disk_version=0x00020001,
        **more,
    )


def make(blocks: int, files: dict[str, bytes], like: Mapping[str, int] | None = None) -> bytes:
    """A file system of that many blocks with these files, paths without a leading slash.

    The same files give the same bytes, and blocks that none of them uses are blank. like: the
    sizes of the files of which it was made before, by path: what did not change then lies where
    it lay (`layout`). Raises Refused when they do not fit.
    """
    from littlefs import LittleFSError

    flash = _counting(blocks)
    system = _open(blocks, context=flash)
    like = like or {}
    before = {path: like[path] for path in sorted(like, key=_order)}
    stay = {path for path in before if path in files and not moves(before[path], files[path])}
    try:
        for path, size in before.items():
            # What has another number of blocks now is there in its old size first: else all that
            # is written after it would move.
            _write(system, path, files[path] if path in stay else bytes(size))
        for path in sorted(files.keys() - stay, key=_order):
            _write(system, path, files[path])
        for path in before.keys() - files.keys():
            system.remove(path)
        for folder in sorted({path.rpartition("/")[0] for path in files}):
            _compact(system, flash, folder)
    except LittleFSError as error:
        if before:
            return make(blocks, files)  # both do not fit at a time
        needed = sum(-(-len(data) // BLOCK) for data in files.values())
        raise Refused(
            f"{needed} blocks of files do not fit on a file system of {blocks} ({error})",
            hint="erase the board (--erase), or take a board with more flash",
        ) from None
    image = bytes(system.context.buffer)
    blank = bytearray(b"\xff" * len(image))
    for start, end in used(image):
        blank[start:end] = image[start:end]
    return bytes(blank)


def layout(files: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int] | None:
    """What `make` needs for files of these sizes where files of those lie now; None for nothing.

    Only code and pages count: a board's own files come last, and move nothing.
    """
    now = {path: size for path, size in files.items() if not _own(path)}
    then = {path: size for path, size in before.items() if not _own(path)}
    if now.keys() == then.keys() and not any(moves(then[path], now[path]) for path in now):
        return None
    return then


def moves(before: int, now: int | bytes) -> bool:
    """Whether a file of another size would move those after it: it takes more or fewer blocks."""
    return _blocks(before) != _blocks(now if isinstance(now, int) else len(now))


def _counting(blocks: int) -> Any:
    """A blank flash of that many blocks; `erased` counts those that were erased."""
    from littlefs.context import UserContext

    class Context(UserContext):
        erased = 0

        def erase(self, cfg: Any, block: int) -> int:
            self.erased += 1
            return super().erase(cfg, block)

    return Context(blocks * BLOCK)


def _write(system: LittleFS, path: str, data: bytes) -> None:
    if "/" in path:
        system.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
    with system.open(path, "wb") as file:
        file.write(data)


def _own(path: str) -> bool:
    """A board's own file: its settings, its history."""
    return "/" not in path and not path.endswith(".py")


def _compact(system: LittleFS, flash: Any, folder: str) -> None:
    """Leaves a folder's entries without how they came about: whoever looks reads a third of it.

    LittleFS does so when the block of a folder is full, which a small file that comes and goes
    fills. A small file takes no block: the first that is erased is the folder's other one.
    """
    path, before = f"{folder}/{FULL}", flash.erased
    while flash.erased == before:
        _write(system, path, b" ")
        system.remove(path)


def _order(path: str) -> tuple[bool, str]:
    """The order of writing: last those that change with the settings, so that they move nothing."""
    return _own(path), path


def _blocks(size: int) -> int:
    """How many blocks a file of that size takes; short ones lie in their folder's.

    A block but the first begins with pointers to those before it (LittleFS's SPEC.md).
    """
    if size <= _INLINE:
        return 0
    count = 0
    while size > 0:
        pointers = (count & -count).bit_length() if count else 0
        size -= BLOCK - 4 * pointers
        count += 1
    return count


def used(image: bytes) -> list[tuple[int, int]]:
    """Which bytes of a file system matter, as (start, end): those that reading all of it reads.

    Both halves of each folder's pair are among them.
    """
    touched: set[int] = set()
    _everything(_mounted(image, touched.add))
    spans: list[tuple[int, int]] = []
    for block in sorted(touched):
        if spans and spans[-1][1] == block * BLOCK:
            spans[-1] = (spans[-1][0], (block + 1) * BLOCK)
        else:
            spans.append((block * BLOCK, (block + 1) * BLOCK))
    return spans


def _mounted(image: bytes, touched: Callable[[int], None] | None = None) -> LittleFS:
    """touched: told the number of each block that is read."""

    def read(offset: int, size: int) -> bytes:
        if touched:
            touched(offset // BLOCK)
        return image[offset : offset + size]

    return mount(read, len(image) // BLOCK)


def mount(read: Callable[[int, int], bytes], blocks: int) -> LittleFS:
    """A file system whose bytes `read` (offset, size) gives when they are asked for; not to write.

    Raises BadData when it is none, and what `read` raises. Use it within `unbroken`.
    """
    from littlefs import LittleFSError
    from littlefs.context import UserContext

    class Context(UserContext):
        failed: BaseException | None = None

        def read(self, cfg: Any, block: int, off: int, size: int) -> bytearray:
            # LittleFS would swallow what is raised here, Ctrl-C too, and go on with other bytes.
            try:
                if self.failed is None:
                    return bytearray(read(block * BLOCK + off, size))
            except BaseException as error:
                self.failed = error
            return bytearray(size)

        def prog(self, cfg: Any, block: int, off: int, data: bytes) -> int:
            raise NotImplementedError

        erase = sync = prog  # pyright: ignore[reportAssignmentType]

    system = _open(blocks, context=Context(buffer=bytearray()), mount=False)
    try:
        with unbroken(system):
            system.mount()
    except LittleFSError as error:
        raise BadData(f"no file system of a board ({error})") from None
    return system


@contextmanager
def unbroken(system: LittleFS) -> Iterator[None]:
    """Raises what reading a mounted file system raised, since LittleFS does not."""
    try:
        yield
    finally:
        flash: Any = system.context
        if flash.failed is not None:
            raise flash.failed


def read(image: bytes) -> dict[str, bytes]:
    """Every file of a file system's bytes. Raises BadData when it is none."""
    from littlefs import LittleFSError

    try:
        return _everything(_mounted(image))
    except LittleFSError as error:
        raise BadData(f"no file system of a board ({error})") from None


def _everything(system: LittleFS) -> dict[str, bytes]:
    found = {}
    for folder, _, names in system.walk("/"):
        for name in names:
            path = f"{folder.rstrip('/')}/{name}".lstrip("/")
            with system.open(path, "rb") as file:
                found[path] = file.read()
    return found


def used_blocks(blocks: int, files: dict[str, bytes]) -> int:
    """How many blocks these files take, folders included."""
    return _mounted(make(blocks, files)).used_block_count
