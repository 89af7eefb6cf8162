"""dsmrctl wifi: a board's network, by cable, at its access point, or over the network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsmrctl import errors, options
from dsmrctl.commands import asking, reaching
from dsmrctl.terminal import prompt
from dsmrctl.terminal.output import Terminal, safe

if TYPE_CHECKING:
    from dsmrctl.network.discovery import Foreign, Found
    from dsmrctl.provisioning import Network
    from dsmrctl.provisioning.improv import Improv
    from dsmrctl.provisioning.portal import Portal

# Not from DSMRCTL_PORT: that a cable is there does not say that it is meant.
Cable = Annotated[
    str | None,
    typer.Option(
        "--port", metavar="PORT", help="The board's serial port; without it: the one there is."
    ),
]
AtPortal = Annotated[
    bool, typer.Option("--portal", help="At the board's access point AutoConnectAP.")
]

_PLUG_S = 60.0
_SEEN_S = 30.0
COLUMNS = ("network", "dBm", "password")

app = options.new_app("Hand a board its WiFi network, or show which it hears.")


@app.command()
def push(
    board: options.BoardName = None,
    ssid: options.Ssid = None,
    password_file: options.PasswordFile = None,
    no_password: options.OpenNetwork = False,
    port: Cable = None,
    portal: AtPortal = False,
    host: options.Host = None,
    nic: options.Nic = None,
    timeout: options.Timeout = None,
    admin_file: options.AdminFile = None,
    as_json: options.Json = False,
) -> int:
    """Hand a board its WiFi network, and wait until it is seen there.

    By cable with --port (Improv), at its access point with --portal (also the manual's
    own modules), or, when it is on a network already, by its name: it moves, and comes
    back to the old network when it cannot. Without --ssid the board says what it hears.

    \b
    Examples:
      dsmrctl wifi push --ssid HOME --port /dev/ttyUSB0
      dsmrctl wifi push --ssid HOME --portal
      dsmrctl wifi push boiler --ssid GARAGE --host 192.168.1.20
    """
    terminal = Terminal(as_json)
    person = asking.Asked(terminal, sure=False)
    _one_way(board, port, portal, host)
    wish = _Wish(terminal, ssid, password_file, no_password)
    if port is not None:
        found = _by_cable(person, wish, port, nic, timeout)
    elif portal:
        found = _at_portal(person, wish, nic, timeout)
    else:
        way = reaching.Way(terminal, host, nic, None, admin_file)
        found = _over_network(person, wish, way, board, timeout)
    name = safe(getattr(found, "name", None) or getattr(found, "host", ""), 60)
    person.line(f"{name} is on the network {safe(wish.ssid, 40)}: {found.url}")
    person.event("seen", name=name, ssid=safe(wish.ssid, 40), url=found.url)
    return errors.DONE


@app.command()
def scan(
    board: options.BoardName = None,
    port: Cable = None,
    portal: AtPortal = False,
    host: options.Host = None,
    nic: options.Nic = None,
    timeout: options.Timeout = None,
    as_json: options.Json = False,
) -> int:
    """Show the WiFi networks that a board hears.

    By cable with --port, at its access point with --portal, or by its name when it
    is on a network. One document with --json; the strongest first.

    \b
    Examples:
      dsmrctl wifi scan --port /dev/ttyUSB0
      dsmrctl wifi scan boiler --host 192.168.1.20
    """
    from dsmrctl.provisioning import over_network

    terminal = Terminal(as_json)
    person = asking.Asked(terminal, sure=False)
    _one_way(board, port, portal, host)
    if port is not None:
        with _line(port) as improv:
            _awake(person, improv, port, timeout, events=False)
            found = improv.networks()
    elif portal:
        found = _portal(person, timeout, events=False).networks()
    else:
        way = reaching.Way(terminal, host, nic, timeout)
        found = over_network.networks(way.client(way.board(board)))
    if as_json:
        terminal.record([one._asdict() | {"ssid": safe(one.ssid)} for one in found])
    else:
        terminal.table([_row(one) for one in found], COLUMNS, right=("dBm",))
    return errors.DONE


class _Wish:
    """The network that is meant, its password asked for once it is known which."""

    def __init__(
        self, terminal: Terminal, ssid: str | None, file: str | None, is_open: bool
    ) -> None:
        self._terminal, self._file, self._open = terminal, file, is_open
        self.ssid = ssid or ""
        self.password = ""
        if ssid is not None:
            self._ask()
        elif not prompt.possible(terminal):
            raise errors.UsageError("which network?", hint="--ssid NAME, or DSMRCTL_WIFI_SSID")

    def choose(self, heard: list[Network]) -> None:
        """One of what the board hears, unless it was named."""
        if self.ssid:
            return
        if not heard:
            raise errors.NotFound(
                "the board hears no network", hint="is the access point on, and 2.4 GHz?"
            )
        rows = [tuple(safe(cell, 40) for cell in _row(one)) for one in heard]
        number = prompt.choose(self._terminal, "Which network?", rows)
        self.ssid = heard[number].ssid
        self._open = self._open or not heard[number].secure
        self._ask()

    def _ask(self) -> None:
        from dsmrctl import provisioning

        self.password = asking.wifi_password(self._terminal, self.ssid, self._file, self._open)
        provisioning.check(self.ssid, self.password)


def _one_way(board: str | None, port: str | None, portal: bool, host: str | None) -> None:
    """Raises UsageError unless one way is named; DSMRCTL_HOST may stand beside the others."""
    ways = [port is not None, portal, board is not None]
    if not any(ways):
        ways.append(host is not None)
    if sum(ways) > 1:
        raise errors.UsageError(
            "by cable (--port), at its access point (--portal), or by its name?",
            hint="one of the three",
        )
    if not any(ways):
        raise errors.UsageError(
            "which board, and how?",
            hint="by cable: --port PORT; at its access point: --portal; over the network: its name",
        )


def _row(one: Network) -> tuple[str, str, str]:
    dbm = "-" if one.rssi_dbm is None else str(one.rssi_dbm)
    return (one.ssid, dbm, "yes" if one.secure else "no")


@contextmanager
def _line(port: str) -> Iterator[Improv]:
    from dsmrctl.provisioning import improv
    from dsmrctl.telegram import ports

    line: Any = ports.open_port(port, improv.BAUD)
    try:
        yield improv.Improv(line)
    finally:
        try:
            line.close()
        except OSError:
            pass  # the cable was pulled


def _awake(
    person: asking.Asked, improv: Improv, port: str, timeout: float | None, *, events: bool = True
) -> None:
    """Waits for a board to answer on the line, and tells which it is."""
    person.tell(f"asking on {port}; plug the board in now, or press its reset button")
    improv.state(timeout or _PLUG_S)
    info = improv.info()
    person.tell(f"{info.name}: {info.firmware} {info.version}, {info.chip}")
    if events:
        person.event("board", name=info.name, firmware=info.firmware, version=info.version)


def _by_cable(
    person: asking.Asked, wish: _Wish, port: str, nic: str | None, timeout: float | None
) -> Found:
    from dsmrctl.network import discovery, fleet

    with _line(port) as improv:
        _awake(person, improv, port, timeout)
        if not wish.ssid:
            wish.choose(improv.networks())
        person.tell(f"it joins {safe(wish.ssid, 40)} …")
        person.event("joining", ssid=safe(wish.ssid, 40))
        url = improv.connect(wish.ssid, wish.password)
        name = improv.info().name
    heard = discovery.browse(
        timeout or _SEEN_S,
        nic,
        enough=lambda now: any(one.name == name for one in now.boards.values()),
    )
    for one in heard.boards.values():
        if one.name == name:
            return one
    try:
        return fleet.at((url or "").removeprefix("http://").strip("/"))
    except errors.DsmrError:
        raise errors.NoAnswer(
            f"the board says that it is on {wish.ssid!r}" + (f", at {url}" if url else "")
            + "; this computer does not see it there",
            hint="is this computer in that network? then: dsmrctl discover",
        ) from None  # fmt: skip


def _portal(person: asking.Asked, timeout: float | None, *, events: bool = True) -> Portal:
    """The portal, once this computer is on a board's access point; told is how to get there."""
    from dsmrctl.network import fleet
    from dsmrctl.provisioning import access_points, at_portal
    from dsmrctl.provisioning.portal import ADDRESS, Portal

    address, port = fleet.split(os.environ.get("DSMRCTL_PORTAL") or ADDRESS)
    portal = Portal(address, port)

    def told() -> None:
        there = access_points.in_the_air()
        if there:
            person.tell("in the air: " + ", ".join(
                f"{one.bssid} ({one.signal} %, likely board {one.id})" for one in there
            ))  # fmt: skip
            if len(there) > 1:
                person.tell("several boards: one at a time, the strongest is the nearest")
        elif there is not None:
            person.tell("no AutoConnectAP is in the air: a board opens it 15 s after its start,")
            person.tell("when it knows no network or does not come onto it")
        person.tell("join this computer to the board's access point:")
        for step in access_points.steps(there[0] if there else None):
            person.tell(f"  {step}")
        person.tell("waiting for it (Ctrl-C to stop) …")

    info = at_portal.wait(portal, timeout or at_portal.PATIENCE_S, told)
    what = info.get("board") or ", ".join(f"{key} {info[key]}" for key in list(info)[:3])
    person.tell(f"at the access point: {safe(what, 120)}")
    if events:
        person.event("portal", board=safe(what, 120))
    return portal


def _at_portal(
    person: asking.Asked, wish: _Wish, nic: str | None, timeout: float | None
) -> Found | Foreign:
    from dsmrctl.provisioning import access_points, at_portal

    portal = _portal(person, timeout)
    board = at_portal.ident(portal.info())
    if not wish.ssid:
        wish.choose(portal.networks())
    portal.save(wish.ssid, wish.password)
    back = access_points.steps_back(wish.ssid)
    person.tell(f"it has the network {safe(wish.ssid, 40)}, and tries it; {back}")
    person.event("joining", ssid=safe(wish.ssid, 40))
    return at_portal.came(
        portal, wish.ssid, board, back, nic=nic, timeout=timeout or at_portal.PATIENCE_S
    )


def _over_network(
    person: asking.Asked, wish: _Wish, way: reaching.Way, board: str | None, timeout: float | None
) -> Found:
    from dsmrctl.provisioning import over_network

    found = way.board(board)
    password: Any = way.password()
    client = way.client(found, password)
    if not wish.ssid:
        wish.choose(over_network.networks(client))
    person.tell(
        f"{safe(found.name, 40)} goes to {safe(wish.ssid, 40)}; it comes back after a minute when "
        "it cannot"
    )
    person.event("joining", ssid=safe(wish.ssid, 40))
    moved = over_network.move(
        found, client, wish.ssid, wish.password, nic=way.nic, admin=password,
        timeout=timeout or over_network.PATIENCE_S,
    )  # fmt: skip
    return moved.board
