"""Where a replay goes: a network, whose boards switch by it, or a line that telegrams come out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from dsmrctl import errors
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from dsmrctl.network.multicast import Sender

# Sends one item; why it could not, or None.
Send = Callable[[bytes], "str | None"]
# At the end, when all was sent: gives readers a moment for the last of it.
Finish = Callable[[], object]

_FINISH_S = 1.0
_SHOWN = 8


def network(
    terminal: Terminal, stack: ExitStack, group: tuple[str, int] | None, nic: str | None, sure: bool
) -> tuple[Sender, bool]:
    """Where frames go, and whether that is this computer only.

    Asks before real relays switch. Raises Refused, UsageError where nobody can be asked, NotFound.
    """
    from dsmrctl.network import multicast

    address, port = group or (multicast.GROUP, multicast.PORT)
    here = _stays_here(address, nic)
    if not here:
        _ask_before_switching(terminal, address, nic, sure)
    sender = stack.enter_context(multicast.Sender(address, port, nic, ttl=0 if here else 1))
    where = " on this computer only; --nic NAME sends them on a network" if here else ""
    terminal.note(f"frames to {address}:{port}{where or (f' on {nic}' if nic else '')}")
    return sender, here


def _stays_here(address: str, nic: str | None) -> bool:
    from dsmrctl.network import multicast, nics

    if nic is None:
        return multicast.is_multicast(address) or address.startswith("127.")
    return all(each.address.startswith("127.") for each in nics.find([nic]))


def _ask_before_switching(terminal: Terminal, address: str, nic: str | None, sure: bool) -> None:
    """A recording switches real relays. Asked also when no board was found: one that does not
    answer within seconds hears frames all the same, and the network may come from DSMRCTL_NIC."""
    if sure:
        return
    from dsmrctl.commands import asking
    from dsmrctl.network import discovery

    where = safe(nic or f"the way to {address}")
    heard = discovery.browse(discovery.WAIT_S, nic, foreign=True)
    names = [one.name for one in heard.boards.values()]
    names += [f"{one.board} at {one.address}" for one in heard.foreign.values()]
    reason = f"no board answered on {where}, but each that hears the frames switches by them"
    if names:
        shown = ", ".join(safe(name, 40) for name in sorted(names)[:_SHOWN])
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        reason = f"real boards on {where} switch by what is recorded: {shown}{more}"
    if not asking.Asked(terminal, sure).sure([reason]):
        raise errors.Refused("nothing was sent")


def outlet(
    terminal: Terminal, stack: ExitStack, onto: str | None, baud: int
) -> tuple[Send, Finish]:
    """Where telegrams go. Raises UsageError, Refused, NotFound; what sends, PortLost."""
    if onto is None:
        raise errors.UsageError(
            "telegrams go where?",
            hint="--onto pty, tcp://8088 or a serial port; dsmrctl serve FILE makes frames of them",
        )
    if onto == "pty":
        from dsmrctl.virtual.meter_outlets import PtyOutlet

        pty = stack.enter_context(PtyOutlet())
        terminal.note(f"telegrams on {pty.path}")
        full = "nobody read them in time"
        return (lambda raw: None if pty.send(raw) else full), lambda: pty.finish(_FINISH_S)
    if onto.startswith("tcp://"):
        return _feed(terminal, stack, onto.removeprefix("tcp://"))
    from dsmrctl.virtual.meter_outlets import SerialOutlet

    line = stack.enter_context(SerialOutlet(onto, baud))
    terminal.note(f"telegrams to {safe(onto)} at {baud} bits/s, 8N1")
    busy = "the line was still busy with the one before"
    return (lambda raw: None if line.send(raw) else busy), lambda: line.finish(_FINISH_S)


def _feed(terminal: Terminal, stack: ExitStack, address: str) -> tuple[Send, Finish]:
    from dsmrctl.gateway.tcp_feed import TelegramFeed, parse_address

    try:
        host, port = parse_address(address)
    except errors.UsageError as error:
        raise errors.UsageError(
            f"--onto tcp://{safe(address)}: {error.message.removeprefix('--tcp ')}",
            hint="for example tcp://8088, or tcp://0.0.0.0:8088 for every network",
        ) from None
    feed = stack.enter_context(TelegramFeed(host, port))
    terminal.note(f"telegrams on tcp://{host}:{feed.port}")

    def send(raw: bytes) -> str | None:
        if not feed.readers:
            return "nobody was connected"
        dropped = feed.dropped
        feed.send(raw)
        return None if feed.dropped == dropped else "a reader was too slow for them"

    return send, lambda: None
