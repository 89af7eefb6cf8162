"""What a check found, and every name that a finding can have: what it is about, why it matters."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

Severity = Literal["ok", "note", "trouble"]


class Kind(NamedTuple):
    """One thing that is looked at: under which heading, what it is called, why it matters."""

    subject: str
    title: str
    why: str


COMPUTER, PORTS, METER = "this computer", "serial ports", "the meter"
NETWORK, FRAMES, BOARDS = "the network", "the frames", "the boards"

KINDS: dict[str, Kind] = {
    "python": Kind(COMPUTER, "Python's version", "an older Python cannot run this program"),
    "parts": Kind(
        COMPUTER,
        "the packages it needs",
        "with a package missing or of another version some commands fail",
    ),
    "crc": Kind(
        COMPUTER,
        "crcmod's C extension",
        "without it telegrams are checked in Python: right, but slower in large recordings",
    ),
    "micropython": Kind(
        COMPUTER,
        "the MicroPython program",
        "it boots the virtual boards: without it dsmrctl demo shows none",
    ),
    "mpy-cross": Kind(
        COMPUTER, "mpy-cross", "it makes bundles: without it dsmrctl firmware build does not work"
    ),
    "extras": Kind(COMPUTER, "optional parts", "what needs them does not work"),
    "data-folder": Kind(
        COMPUTER, "the folder for data", "backups of boards are kept there before they are flashed"
    ),
    "cache-folder": Kind(
        COMPUTER,
        "the folder for the cache",
        "each flash fetches MicroPython anew, and completion knows no boards",
    ),
    "preferences": Kind(
        COMPUTER, "the preferences file", "every command reads it, and fails when it is wrong"
    ),
    "port": Kind(
        PORTS, "a serial port", "a P1 cable and a programmer are serial ports; frames need none"
    ),
    "port-permission": Kind(PORTS, "permission to use it", "it can be neither read nor flashed"),
    "port-busy": Kind(
        PORTS, "nobody else uses it", "two programs on a port take each other's bytes away"
    ),
    "modem-manager": Kind(
        PORTS,
        "ModemManager",
        "it writes to each new serial port to see whether it is a modem, which disturbs flashing",
    ),
    "braille": Kind(
        PORTS, "brltty", "it takes CH340 adapters for Braille displays: the port vanishes at once"
    ),
    "driver": Kind(PORTS, "the adapter's driver", "the adapter is plugged in and gives no port"),
    "source": Kind(METER, "the source opens", "nothing can be read from it"),
    "meter-silent": Kind(METER, "something comes", "without telegrams nothing else can work"),
    "meter-noise": Kind(METER, "what comes are telegrams", "of noise nothing can be read"),
    "meter-crc": Kind(
        METER, "telegrams come whole", "each damaged telegram is a second that nobody sees"
    ),
    "meter-key": Kind(
        METER, "the key of an encrypted meter", "without the key nobody can read what it sends"
    ),
    "meter-clock": Kind(
        METER,
        "this computer's clock and the meter's",
        "quarters are the meter's: with another clock, logs and tariffs land in the wrong one",
    ),
    "network": Kind(
        NETWORK, "a network", "boards and frames are on a network; loopback has only virtual ones"
    ),
    "multicast": Kind(
        NETWORK, "multicast comes back on each network", "frames are multicast: none would be heard"
    ),
    "membership": Kind(
        NETWORK,
        "membership of the group",
        "switches and access points pass frames on only to members",
    ),
    "bridge": Kind(
        NETWORK,
        "bridges that snoop have a querier",
        "a bridge that snoops and asks nobody forgets its members: frames stop after minutes",
    ),
    "route": Kind(
        NETWORK,
        "the way of multicast",
        "other programs send multicast there, into a tunnel or to containers, not to the boards",
    ),
    "firewall": Kind(NETWORK, "the firewall", "it may throw frames away before they are read"),
    "buffer": Kind(
        NETWORK,
        "the kernel's buffer",
        "while this computer is busy, what does not fit is lost",
    ),
    "mdns": Kind(
        NETWORK, "the mDNS port", "boards are found by mDNS: discover and status find none"
    ),
    "frames": Kind(FRAMES, "frames come", "without frames all switches switch off after 10 s"),
    "frames-lost": Kind(
        FRAMES, "none is lost here", "what the kernel threw away is in no log and no recording"
    ),
    "frames-senders": Kind(
        FRAMES,
        "one sends",
        "two senders on one group: boards follow now one meter, now the other",
    ),
    "frames-refused": Kind(
        FRAMES, "frames are well formed", "what is refused here is refused by the boards too"
    ),
    "frames-layout": Kind(
        FRAMES,
        "the order of the numbers is known",
        "a frame that says no version and has other numbers than the manual's is not understood",
    ),
    "frames-signed": Kind(
        FRAMES,
        "signatures are checked",
        "without the key anyone on the network can send frames that are believed here",
    ),
    "frames-clock": Kind(
        FRAMES,
        "this computer's clock and the frames'",
        "quarters are the meter's: with another clock, logs and tariffs land in the wrong one",
    ),
    "isolated": Kind(
        FRAMES,
        "multicast passes the access point",
        "an access point or switch holds multicast back: what is behind it hears no frames",
    ),
    "board-answers": Kind(BOARDS, "boards answer", "it announced itself and cannot be reached"),
    "board-absent": Kind(
        BOARDS, "boards that were here are here", "what hangs on it is not switched any more"
    ),
    "board-telegrams": Kind(
        BOARDS, "the interface reads its meter", "without telegrams it sends no frames"
    ),
    "board-frames": Kind(
        BOARDS, "boards hear frames", "a switch without frames switches off after 10 s"
    ),
    "board-key": Kind(
        BOARDS, "boards take the frames", "a board that refuses frames acts as without any"
    ),
    "board-names": Kind(
        BOARDS, "each name is one board's", "a page or a command may reach the wrong board"
    ),
    "board-trial": Kind(
        BOARDS,
        "versions are confirmed",
        "a new version on trial goes back to the old one when it does not hold",
    ),
    "board-version": Kind(
        BOARDS, "firmware is current", "an older one lacks what was mended since"
    ),
}


class Finding(NamedTuple):
    """One thing looked at: how it is, and for what is not well the exact next step.

    name: one of KINDS. severity: "note" hinders nothing for now, "trouble" stands in the way.
    """

    name: str
    severity: Severity
    what: str
    next: str = ""
    data: dict[str, Any] = {}  # noqa: RUF012 - never changed

    @property
    def why(self) -> str:
        """Why it matters; empty while all is well."""
        return "" if self.severity == "ok" else KINDS[self.name].why

    def document(self) -> dict[str, Any]:
        """As --json tells it."""
        return {
            "name": self.name,
            "subject": KINDS[self.name].subject,
            "severity": self.severity,
            "what": self.what,
            "why": self.why or None,
            "next": self.next or None,
            "data": self.data,
        }


def ok(name: str, what: str, **data: Any) -> Finding:
    """All is well with it."""
    return Finding(name, "ok", what, data=data)


def note(name: str, what: str, next: str, **data: Any) -> Finding:
    """Worth knowing; nothing stops for it."""
    return Finding(name, "note", what, next, data)


def trouble(name: str, what: str, next: str, **data: Any) -> Finding:
    """It stands in the way."""
    return Finding(name, "trouble", what, next, data)
