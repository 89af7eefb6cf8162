"""Where the broker is and how to log in, and in a person's words why it cannot be reached."""

from __future__ import annotations

import hashlib
import platform
import re
import socket
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from dsmrctl import errors, keys

PORT = 1883
PASSWORD_VARIABLE = "DSMRCTL_MQTT_PASSWORD"
TEXT_LIMIT = 65535
"""Bytes of a user or password (MQTT 3.1.1, 1.5.3: its length is two bytes)."""
# Control characters, and halves of characters that no UTF-8 can say.
CONTROL = r"\x00-\x1f\x7f-\x9f\ud800-\udfff"


class Broker(NamedTuple):
    """Where a broker is and as whom to log in; the password travels apart."""

    host: str
    port: int = PORT
    user: str | None = None


def parse_mqtt_url(text: str) -> Broker:
    """`mqtt://[user@]host[:port]`, or without `mqtt://`. IPv6 addresses in brackets.

    Raises UsageError; a password in it is refused and never repeated in the message.
    """
    example = "for example mqtt://user@192.168.1.10:1883"
    address = text if "://" in text else f"mqtt://{text}"
    # The login first, before any message could quote the text.
    login, _, _ = address.partition("://")[2].rpartition("@")
    if ":" in login:
        raise errors.UsageError(
            "a password in the address would be seen by everyone on this computer (ps)",
            hint=f"write mqtt://user@host, and give --mqtt-password-file or {PASSWORD_VARIABLE}",
        )
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise errors.UsageError("the broker's address is not an address", hint=example) from None
    if parts.scheme != "mqtt":
        hint = "encrypted MQTT is not supported" if parts.scheme == "mqtts" else example
        raise errors.UsageError("the broker's address begins with mqtt://", hint=hint)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise errors.UsageError("a broker's address ends after its port", hint=example)
    check_host(host)
    if port == 0:
        raise errors.UsageError("port 0 cannot be connected to", hint=example)
    return Broker(host, PORT if port is None else port, unquote(login) or None)


def read_password(file: str | None) -> str | None:
    """The password: the first line of `file` (`-` is standard input), else the environment's.

    None when neither is given. Raises NotFound, Refused or UsageError; never shows the password.
    """
    return keys.read_text(file, PASSWORD_VARIABLE, "MQTT password")


def this_computer() -> str:
    """Six hexadecimal digits that stay this computer's: the id where none is given."""
    try:
        own = Path("/etc/machine-id").read_text().strip() or platform.node()
    except OSError:
        own = platform.node()
    return hashlib.sha256(f"dsmrctl {own}".encode()).hexdigest()[:6]


def check_host(host: str) -> None:
    try:
        # The name service's own rule; paho's thread would die of it in silence.
        fine = 0 < len(host) <= 253 and host.encode("idna")
    except UnicodeError:
        fine = False
    if not fine or re.search(rf"[\s/@{CONTROL}]", host):
        raise errors.UsageError(
            "the broker's host is no name or address", hint="for example mqtt://192.168.1.10"
        )


def check_text(what: str, text: str | None) -> None:
    try:
        fine = text is None or len(text.encode()) <= TEXT_LIMIT
    except UnicodeError:
        fine = False
    if not fine:
        raise errors.UsageError(f"the MQTT {what} is too long or not UTF-8 text")


def absence(error: BaseException | None, place: str) -> tuple[str, str]:
    """Why there is no connection: the kind of trouble, and a sentence with what to do."""
    if isinstance(error, socket.gaierror):
        return "name", (
            f"MQTT: the name of the broker {place} is not known here; trying again. "
            "Check the name in --mqtt, or give the broker's address"
        )
    if isinstance(error, TimeoutError):
        return "gone", (
            f"MQTT: {place} does not answer; trying again. "
            "Check the address in --mqtt, and the broker's firewall"
        )
    if isinstance(error, ConnectionRefusedError):
        return "gone", (
            f"MQTT: no broker listens at {place}; trying again. "
            "Is it running, and open to other computers (mosquitto: a listener line)?"
        )
    why = error.strerror if isinstance(error, OSError) and error.strerror else "no connection"
    return "gone", f"MQTT: {place} cannot be reached ({why}); trying again. Check the network"


def refusal(reason: str, place: str) -> tuple[str, str]:
    """Why the broker would not let us in, by paho's words for MQTT's return code."""
    if reason in ("Not authorized", "Bad user name or password"):
        return "login", (
            f"MQTT: the broker {place} refuses the user or password; trying again. "
            f"Give user@ in --mqtt, and --mqtt-password-file or {PASSWORD_VARIABLE}"
        )
    return "login", f"MQTT: the broker {place} refuses us ({reason}); trying again. See its log"
