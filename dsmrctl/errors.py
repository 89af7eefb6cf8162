"""What can go wrong, said once: a message, what to do next, and the exit code scripts rely on.

Domain code raises these (or its own kin of them) and never imports typer; `cli` turns them into
one line on stderr, or with `--json` into one JSON object there.
"""

from __future__ import annotations

DONE = 0
FAILED = 1
USAGE = 2
NOT_FOUND = 3
NO_ANSWER = 4
REFUSED = 5
BAD_DATA = 6
CONDITION_HOLDS = 7
INTERRUPTED = 130
BROKEN_PIPE = 141


class DsmrError(Exception):
    """Something a person can mend. `hint` says how; `code` names the kind for scripts."""

    exit_code = FAILED
    code = "failed"

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(DsmrError):
    """The command line asks for something that cannot be."""

    exit_code = USAGE
    code = "usage"


class NotFound(DsmrError):
    """No such board, port, file or bundle."""

    exit_code = NOT_FOUND
    code = "not_found"


class NoAnswer(DsmrError):
    """Nothing came within the time given."""

    exit_code = NO_ANSWER
    code = "no_answer"


class Refused(DsmrError):
    """The other side, or this system, said no."""

    exit_code = REFUSED
    code = "refused"


class BadData(DsmrError):
    """What came is damaged: CRC, frame or checksum."""

    exit_code = BAD_DATA
    code = "bad_data"


class MissingExtra(DsmrError):
    """An optional part is not installed."""

    exit_code = FAILED
    code = "missing_extra"

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs an optional part that is not installed",
            hint=f"pipx inject dsmrctl 'dsmrctl[{extra}]', or: pip install 'dsmrctl[{extra}]'",
        )
