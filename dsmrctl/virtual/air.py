"""The WiFi networks a virtual board can find, changed while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Network:
    """A network of the air; an empty key is an open network. rssi in dBm."""

    key: str = field(default="", repr=False)
    rssi: int = -60


@dataclass
class Air:
    """Networks by name. Boards that were given it hear of every change at once."""

    networks: dict[str, Network] = field(default_factory=dict)
    listeners: list[Callable[[], None]] = field(default_factory=list)

    def on(self, ssid: str, key: str = "", rssi: int = -60) -> None:
        """A network appears, or changes its key."""
        self.networks[ssid] = Network(key, rssi)
        self._changed()

    def off(self, ssid: str) -> None:
        """A network vanishes."""
        self.networks.pop(ssid, None)
        self._changed()

    def _changed(self) -> None:
        for listener in list(self.listeners):
            listener()

    def told(self) -> dict[str, dict[str, object]]:
        """As the stand-in for the chip reads it."""
        return {name: {"key": one.key, "rssi": one.rssi} for name, one in self.networks.items()}
