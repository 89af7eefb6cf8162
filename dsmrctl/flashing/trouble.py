"""What goes wrong between a computer and a chip in its bootloader, in a person's words."""

from __future__ import annotations

from dsmrctl import errors

NOTHING = "Nothing was written."


class WrongChip(errors.Refused):
    """Another chip than the firmware is for."""

    code = "wrong_chip"

    def __init__(self, found: str, wanted: str = "ESP8266") -> None:
        article = "an" if found[:1] in "AEIO" else "a"
        super().__init__(
            f"This is {article} {found}; the firmware is for {wanted}. {NOTHING}",
            hint="is it the right board, and the right port?",
        )


class FlashTooSmall(errors.Refused):
    """Less flash than the firmware needs."""

    code = "flash_too_small"

    def __init__(self, size: int, needed: int) -> None:
        which = " (often the blue ESP-01)" if size == 512 << 10 else ""
        super().__init__(
            f"This board has {flash_size(size)} flash{which}; {flash_size(needed)} is needed.",
            hint=f"{NOTHING} Take another board: an ESP-01S (black) has 1 MB, a NodeMCU 4 MB",
        )


class FlashSilent(errors.DsmrError):
    """The chip answers, its flash does not."""

    code = "flash_silent"

    def __init__(self, flash_id: int) -> None:
        super().__init__(
            f"The board's flash does not answer: its id reads {flash_id:06x}. {NOTHING}",
            hint="a weak supply (3.3 V, 300 mA), a bad contact in the socket, or a faulty board; "
            "take out whatever else hangs on its pins, and try another USB port",
        )


class FlashUnknown(errors.Refused):
    """A flash whose size its id does not tell."""

    code = "flash_unknown"

    def __init__(self, flash_id: int) -> None:
        super().__init__(
            f"The size of this flash is not known: its id reads {flash_id:06x}. {NOTHING}",
            hint="please report that id; esptool write-flash can write a backup or an image to it",
        )


class FlashSmaller(errors.BadData):
    """A flash that claims to be larger than it is: addresses wrap round."""

    code = "flash_smaller"

    def __init__(self, claimed: int, true: int, written: bool = False) -> None:
        super().__init__(
            f"This flash says it has {flash_size(claimed)} and has {flash_size(true)}."
            + ("" if written else f" {NOTHING}"),
            hint="what is written past its end lands at its beginning: no firmware for "
            f"{flash_size(claimed)} can run on it; take another board",
        )


class FlashFaulty(errors.BadData):
    """What was written reads back as something else, twice."""

    code = "flash_faulty"

    def __init__(self, offset: int) -> None:
        super().__init__(
            f"What was written at 0x{offset:x} reads back differently, twice: "
            "the flash may be faulty.",
            hint="try a slower line (--baud 115200) and another USB port; "
            "when it stays, take another board",
        )


class FlashProtected(errors.Refused):
    """Nothing that is written stays."""

    code = "flash_protected"

    def __init__(self) -> None:
        super().__init__(
            "The board's flash does not take what is written: it reads as before.",
            hint="it may be write-protected, or its supply too weak to write; try another USB port",
        )


class Silent(errors.NoAnswer):
    """Nothing answers on the port."""

    code = "silent"

    def __init__(self, port: str, guide: str) -> None:
        super().__init__(
            f"No answer from a bootloader on {port}. {NOTHING}",
            hint=f"put the board into its bootloader:\n{guide}",
        )


class Running(errors.NoAnswer):
    """Something answers, but it is no bootloader."""

    code = "not_in_bootloader"

    def __init__(self, port: str, guide: str) -> None:
        super().__init__(
            f"The board on {port} runs its firmware, not the bootloader. {NOTHING}",
            hint=f"put it into its bootloader:\n{guide}",
        )


class TooFast(errors.NoAnswer):
    """At that rate neither side hears the other, and the chip cannot be told any more."""

    code = "line_too_fast"

    def __init__(self, port: str, baud: int, guide: str) -> None:
        super().__init__(
            f"The line on {port} does not carry {baud} baud. {NOTHING}",
            hint="put the board into its bootloader anew, and run again with --baud 115200:\n"
            + guide,
        )


class Lost(errors.DsmrError):
    """The connection ended in the middle."""

    code = "connection_lost"

    def __init__(self, percent: int | None = None) -> None:
        where = "" if percent is None else f" at {percent} %"
        super().__init__(
            f"Connection lost{where}. Plug in and run again: it goes on from there.",
            hint="the cable, the socket, or a supply too weak; "
            "the board goes into its bootloader the same way as before",
        )


class ChipError(errors.DsmrError):
    """The chip or esptool says no, in its own words."""

    code = "chip_error"

    def __init__(self, said: str) -> None:
        super().__init__(
            f"The chip did not do what it was asked: {said}",
            hint="put it into its bootloader again and run the same command; "
            "a slower line may help (--baud 115200)",
        )


def flash_size(size: int) -> str:
    """Bytes of a flash as it is sold: 512 KB, 1 MB."""
    return f"{size >> 20} MB" if size >= 1 << 20 else f"{size >> 10} KB"
