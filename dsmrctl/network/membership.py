"""Being a member of a multicast group on every network there is, as networks come and go."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

from dsmrctl import errors
from dsmrctl.network import nics as networks


class Membership:
    """A socket's memberships of one group. Raises NotFound when it can join nowhere.

    nics: names or addresses; None is all, also those that appear later. Memberships end with
    the socket.
    """

    def __init__(self, sock: socket.socket, group: str, nics: Sequence[str] | None) -> None:
        self.joined: set[str] = set()
        self.not_joined: dict[str, str] = {}
        self._socket = sock
        self._group = socket.inet_aton(group)
        self._nics = nics
        self.join()
        if not self.joined:
            refused = [f"{address}: {why}" for address, why in self.not_joined.items()]
            raise errors.NotFound(
                f"no network here can join {group}",
                hint="\n".join(refused) or "is a cable or WiFi connected?",
            )

    def join(self, again: bool = False) -> None:
        """Join where we have not; with `again` also where we have, so that the network hears it."""
        wanted = {nic.address for nic in networks.choose(self._nics, networks.present())}
        self.not_joined.clear()
        for address in self.joined if again else self.joined - wanted:
            try:
                self._set(socket.IP_DROP_MEMBERSHIP, address)
            except OSError:
                pass  # the interface is gone, and the membership with it
        self.joined = set() if again else self.joined & wanted
        for address in sorted(wanted - self.joined):
            try:
                self._set(socket.IP_ADD_MEMBERSHIP, address)
            except OSError as error:
                # In use: the same network by another of its addresses.
                if error.errno != errno.EADDRINUSE:
                    self.not_joined[address] = (error.strerror or str(error)).lower()
                    continue
            self.joined.add(address)

    def _set(self, option: int, address: str) -> None:
        request = self._group + socket.inet_aton(address)
        self._socket.setsockopt(socket.IPPROTO_IP, option, request)
