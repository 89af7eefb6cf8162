"""The file system on a board's flash, exactly as MicroPython expects it.

LittleFS 2 with the parameters of MicroPython 1.29's ESP8266 port (modules/flashbdev.py,
extmod/vfs_lfs.c). Geometry must be exact: one block more or less does not mount, and the chip
then waits for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dsmrctl.errors import BadData, Refused, UsageError

if TYPE_CHECKING:
    from littlefs import LittleFS

BLOCK = 4096
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


def place(variant: str, flash_size: int) -> Place:
    """Where MicroPython's build looks for its files on a flash of that many bytes.

    variant: "FLASH_1M", or "" for the generic build. Raises UsageError.
    """
    if variant == "FLASH_1M" and flash_size >= MEGABYTE:
        # This build calls the flash 1 MB, whatever it is.
        return Place(0x99000, (MEGABYTE - _SYSTEM - 0x99000) // BLOCK)
    if variant == "" and flash_size >= 2 * MEGABYTE:
        # Larger headers fail to boot (micropython #6874): the rest of a larger flash is not used.
        size = min(flash_size, _LARGEST)
        return Place(0x100000, (size - _SYSTEM - 0x100000) // BLOCK)
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


def make(blocks: int, files: dict[str, bytes]) -> bytes:
    """A file system of that many blocks with these files, paths without a leading slash.

    The same files give the same bytes. Raises Refused when they do not fit.
    """
    from littlefs import LittleFSError

    system = _open(blocks)
    try:
        for path in sorted(files):
            if "/" in path:
                system.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            with system.open(path, "wb") as file:
                file.write(files[path])
    except LittleFSError as error:
        needed = sum(-(-len(data) // BLOCK) for data in files.values())
        raise Refused(
            f"{needed} blocks of files do not fit on a file system of {blocks} ({error})",
            hint="erase the board (--erase), or take a board with more flash",
        ) from None
    return bytes(system.context.buffer)


def _mounted(image: bytes) -> LittleFS:
    from littlefs.context import UserContext

    context = UserContext(len(image))
    context.buffer[:] = image
    system = _open(len(image) // BLOCK, context=context, mount=False)
    system.mount()
    return system


def read(image: bytes) -> dict[str, bytes]:
    """Every file of a file system's bytes. Raises BadData when it is none."""
    from littlefs import LittleFSError

    try:
        system = _mounted(image)
        found = {}
        for folder, _, names in system.walk("/"):
            for name in names:
                path = f"{folder.rstrip('/')}/{name}".lstrip("/")
                with system.open(path, "rb") as file:
                    found[path] = file.read()
    except LittleFSError as error:
        raise BadData(f"no file system of a board ({error})") from None
    return found


def used_blocks(blocks: int, files: dict[str, bytes]) -> int:
    """How many blocks these files take, folders included."""
    return _mounted(make(blocks, files)).used_block_count
