"""Secrets a person gives: keys and passwords, from a file, standard input or the environment.

Never as an argument, which everybody on the computer can see (ps). What was read is in no error.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Protocol

from dsmrctl import errors

LIMIT = 1000
"""Bytes a secret may have: a wrong file named (or an endless one) ends here."""


class Bytewise(Protocol):
    """What a line is read from: `read(1)` gives a byte, b"" at the end."""

    def read(self, size: int, /) -> bytes | None: ...


def read(file: str | None, variable: str, what: str, stdin: Bytewise | None = None) -> bytes | None:
    """The first line of `file` (`-` is standard input), else of the environment's `variable`.

    Its bytes without the line's end; None when neither is given. Of standard input only that line
    is taken: what follows it (telegrams, another secret) is there for whoever reads next. `what`
    names the secret in errors. Raises NotFound, Refused, UsageError (empty, longer than LIMIT).
    """
    if file is None:
        # fsencode gives back the bytes the environment has, whatever the locale made of them.
        line = os.fsencode(os.environ.get(variable, "")).split(b"\n", 1)[0]
    elif file == "-":
        line = _line(_standard_input() if stdin is None else stdin)
    else:
        try:
            with Path(file).open("rb", buffering=0) as opened:
                line = _line(opened)
        except (FileNotFoundError, ValueError):
            raise errors.NotFound(f"there is no {what} file {file}") from None
        except OSError as error:
            raise errors.Refused(f"cannot read the {what} file {file}: {error.strerror}") from None
    line = line.rstrip(b"\r\n")
    where = place(file, variable)
    if len(line) > LIMIT:
        raise errors.UsageError(
            f"the {what} in {where} is longer than {LIMIT} bytes",
            hint=f"the first line is the {what}, and nothing else stands on it",
        )
    if not line and file is not None:
        raise errors.UsageError(
            f"the {what} in {where} is empty", hint=f"the first line is the {what}"
        )
    return line or None


def read_text(
    file: str | None, variable: str, what: str, stdin: Bytewise | None = None
) -> str | None:
    """`read` for a secret that is text. Raises UsageError too when it is not UTF-8."""
    line = read(file, variable, what, stdin)
    try:
        return None if line is None else line.decode()
    except UnicodeDecodeError:
        # `from None`: the decoder's error quotes the bytes.
        raise errors.UsageError(
            f"the {what} in {place(file, variable)} is not UTF-8 text"
        ) from None


def place(file: str | None, variable: str) -> str:
    """Where `read` looks, in a person's words."""
    if file is None:
        return variable
    return "standard input" if file == "-" else file


def _line(source: Bytewise) -> bytes:
    """One line with its end, byte by byte, so that not one behind it is taken; bounded."""
    line = bytearray()
    while len(line) < LIMIT + 3 and (byte := source.read(1)):
        line += byte
        if byte == b"\n":
            break
    return bytes(line)


def _standard_input() -> Bytewise:
    if sys.stdin is None:
        raise errors.UsageError("there is no standard input to read from")
    # A buffer would take the telegrams behind the line with it, and they are read past it.
    buffered = sys.stdin.buffer
    return getattr(buffered, "raw", buffered)
