"""The meter on an MQTT broker: a state a second, our presence, and Home Assistant's discovery.

`Publisher` never makes its caller wait: connecting, waiting and recovering happen on paho's own
thread, and a state that cannot go out now is dropped, for the next second brings a newer one.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dsmrctl import __version__, errors
from dsmrctl.gateway import broker, home_assistant
from dsmrctl.gateway.broker import Broker, parse_mqtt_url, read_password
from dsmrctl.quantities import NAMES

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage, MQTTMessageInfo
    from paho.mqtt.reasoncodes import ReasonCode

__all__ = ["Broker", "Publisher", "parse_mqtt_url", "read_password", "state"]

KEEPALIVE_S = 30
"""A broker that vanished without a word is noticed within twice this."""
UNSENT_LIMIT = 10
"""So many states may wait in a connection that has stopped moving; more are dropped."""
QUIET_S = 600
"""The same trouble is told again only after this long, so that a flapping broker fills no log."""
SHORT_S = 5
"""A connection that lives no longer was ended on purpose: by a broker that has two of a name."""


def state(quantities: Mapping[str, object], also: set[str] | frozenset[str] = frozenset()) -> str:
    """The quantities as one JSON object, in their one order; names that are none are left out.

    Decimals keep their digits. Names in `also` that have no value now are null, so that a
    component's template always finds what it asks for.
    """
    names = [name for name in NAMES if name in quantities or name in also]
    return "{" + ",".join(f'"{name}":{_number(quantities.get(name))}' for name in names) + "}"


class Publisher:
    """Keeps a broker told of one meter; a context manager.

    Topics: `<prefix>/state`, `<prefix>/status` (`online`/`offline`, retained, also the last will)
    and, with `ha_discovery`, the retained discovery document. `on_note` gets sentences for a
    person, once a trouble, from another thread. Two publishers need two ids; without one it is the
    prefix's last part, or this computer's.
    Raises UsageError for an id, prefix or host that cannot be, MissingExtra without paho-mqtt;
    a broker that is absent or says no is never an error: it is told and tried again.
    """

    def __init__(
        self,
        host: str,
        port: int = broker.PORT,
        user: str | None = None,
        password: str | None = None,
        *,
        id: str | None = None,
        prefix: str | None = None,
        name: str = "DSMR interface",
        ha_discovery: bool = True,
        on_note: Callable[[str], object] = lambda _text: None,
        retry_s: tuple[int, int] = (1, 30),
    ) -> None:
        broker.check_host(host)
        for what, text in (("user", user), ("password", password)):
            broker.check_text(what, text)
        if id is None:
            last = "" if prefix is None else prefix.rpartition("/")[2]
            id = re.sub(r"[^A-Za-z0-9_-]", "_", last)[:32] or broker.this_computer()
        elif not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", id):
            raise errors.UsageError("an MQTT id has letters, digits, - and _", hint="say a1b2c3")
        if prefix is None:
            prefix = f"dsmrctl/{id}"
        if not re.fullmatch(rf"(?![/$])[^{broker.CONTROL}#+]{{1,200}}(?<!/)", prefix):
            raise errors.UsageError(
                "an MQTT prefix has no # or + and neither begins nor ends with /",
                hint="for example dsmrctl/a1b2c3",
            )
        self.host, self.port, self.prefix, self.id = host, port, prefix, id
        self.name = re.sub(f"[{broker.CONTROL}]", "", name)[:64] or "DSMR interface"
        self.sent = 0
        """States handed to a live connection."""
        self.dropped = 0
        """States that could not go out: no connection, or one that has stopped moving."""
        self._ha_discovery = ha_discovery
        self._on_note = on_note
        self._lock = threading.Lock()
        self._connected = False
        self._since = 0.0
        self._closing = False
        self._seen: set[str] = set()
        self._unsent: deque[MQTTMessageInfo] = deque()
        self._discovery: MQTTMessageInfo | None = None
        self._place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        # The trouble a person knows of (at first: that nothing is connected yet), and since when.
        self._told: str | None = "connecting"
        self._told_at: dict[str, float] = {}
        self._client = self._new_client(user, password, retry_s)

    def _new_client(
        self, user: str | None, password: str | None, retry_s: tuple[int, int]
    ) -> Client:
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError:
            raise errors.MissingExtra("publishing to MQTT", "mqtt") from None
        # The name is fixed: when this computer comes back from a power cut, the broker ends the
        # old session at once (its will says offline) and not a minute after our "online".
        client: Client = Client(CallbackAPIVersion.VERSION2, client_id=f"dsmrctl-{self.id}")
        client.suppress_exceptions = True
        client.reconnect_delay_set(*retry_s)
        client.will_set(f"{self.prefix}/status", "offline", qos=0, retain=True)
        if user is not None or password is not None:
            client.username_pw_set(user or "", password)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def __repr__(self) -> str:
        return f"<Publisher {self.prefix} at {self._place}>"

    def __enter__(self) -> Publisher:
        self._client.connect_async(self.host, self.port, KEEPALIVE_S)
        self._client.loop_start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self, patience_s: float = 3.0) -> None:
        """Say offline and go; a connection that does not move is left after `patience_s`."""
        if self._closing:
            return
        self._closing = True
        if self._connected:
            self._client.publish(f"{self.prefix}/status", "offline", retain=True)
        self._client.disconnect()
        # paho's stop waits for its thread, which a dead name server can hold for long.
        stopping = threading.Thread(target=self._client.loop_stop, daemon=True)
        stopping.start()
        stopping.join(patience_s)
        stuck = self._client.socket() if stopping.is_alive() else None
        if isinstance(stuck, socket.socket):
            with contextlib.suppress(OSError):
                stuck.shutdown(socket.SHUT_RDWR)
        self._connected = False

    @property
    def connected(self) -> bool:
        """The broker has let us in."""
        return self._connected

    def publish(self, quantities: Mapping[str, object]) -> None:
        """Send this second's quantities as one state, or drop them; returns at once.

        The first value of a quantity makes its Home Assistant component appear.
        """
        with self._lock:
            new = {name for name in NAMES if quantities.get(name) is not None} - self._seen
            self._seen |= new
            if not self._connected:
                self.dropped += 1
                return
            if new & home_assistant.SHOWN:
                self._send_discovery()
            while self._unsent and _written(self._unsent[0]):
                self._unsent.popleft()
            if len(self._unsent) >= UNSENT_LIMIT:
                self.dropped += 1
                return
            text = state(quantities, self._seen)
            self._unsent.append(self._client.publish(f"{self.prefix}/state", text))
            self.sent += 1

    def _send_discovery(self) -> None:
        names = self._seen & home_assistant.SHOWN
        if not self._ha_discovery or not names:
            return
        document = home_assistant.discovery(self.id, self.name, __version__, self.prefix, names)
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        topic = home_assistant.discovery_topic(self.id)
        self._discovery = self._client.publish(topic, text, retain=True)

    # What follows runs on paho's thread.

    def _on_connect(
        self, client: Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        if self._closing:
            return
        if reason.is_failure:
            self._tell(*broker.refusal(str(reason), self._place))
            return
        with self._lock:
            self._unsent.clear()
            client.publish(f"{self.prefix}/status", "online", retain=True)
            self._send_discovery()
            if self._ha_discovery:
                client.subscribe(home_assistant.BIRTH_TOPIC)
            self._connected = True
            self._since = time.monotonic()
        if self._told is not None:
            self._told = None
            self._note(f"MQTT: connected to {self._place}")

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: Any, _reason: ReasonCode, _properties: Any
    ) -> None:
        was, self._connected = self._connected, False
        if self._closing or not was:
            return
        text = f"MQTT: the connection to {self._place} ended; trying again"
        if time.monotonic() - self._since < SHORT_S:
            text += f" (does another program publish as {self.id}?)"
        self._tell("gone", text)

    def _on_connect_fail(self, _client: Client, _data: Any) -> None:
        # paho calls this while it handles the error, and says it nowhere else.
        if not self._closing:
            self._tell(*broker.absence(sys.exc_info()[1], self._place))

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        if message.topic != home_assistant.BIRTH_TOPIC or message.payload != b"online":
            return
        with self._lock:
            # A flood of these must not pile up documents in a slow connection.
            if self._discovery is None or _written(self._discovery):
                self._send_discovery()

    def _tell(self, trouble: str, text: str) -> None:
        """Once until it is over, and not again within QUIET_S however often it comes and goes."""
        now = time.monotonic()
        if trouble == self._told or now - self._told_at.get(trouble, -QUIET_S) < QUIET_S:
            return
        self._told, self._told_at[trouble] = trouble, now
        self._note(text)

    def _note(self, text: str) -> None:
        # A note that cannot be shown must not end paho's thread.
        with contextlib.suppress(Exception):
            self._on_note(text)


def _written(info: MQTTMessageInfo) -> bool:
    """It has left, or was lost with its connection."""
    try:
        return info.is_published()
    except (RuntimeError, ValueError):
        return True


def _number(value: object) -> str:
    """A quantity's value as JSON; what is none of a quantity's types is unknown."""
    if isinstance(value, Decimal):
        # Of no meter, and written out it could be very long.
        return format(value, "f") if value.is_finite() and abs(value.adjusted()) < 30 else "null"
    if isinstance(value, datetime):
        return f'"{value.isoformat()}"'
    if isinstance(value, str):
        return json.dumps(value[:64])
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else "null"
    return json.dumps(value) if isinstance(value, int) else "null"
