"""Boards on the network, as they announce themselves (mDNS, service `_dsmr._tcp`).

Modules with the manual's own firmware announce no such service; they are found by their names.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from dsmrctl import boards
from dsmrctl.network import nics

if TYPE_CHECKING:
    from zeroconf import ServiceInfo
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

T = TypeVar("T")
SERVICE = "_dsmr._tcp.local."
WAIT_S = 3.0
"""A board answers within 0.2 s; the question is asked three times in so long."""
MOST = 250
"""Boards that are looked at: who announces more is no household."""
_ASK_MS = 2000
_QUIET_S = 1.0
_NEXT = ("-2", "-3", "-4")


class Found(NamedTuple):
    """A board as it announces itself; what it says of itself is not fit to print as it is."""

    name: str
    address: str
    port: int
    board: str
    hardware: str
    version: str
    id: str
    host: str = ""

    @property
    def url(self) -> str:
        """Where its page is."""
        return f"http://{self.address}{'' if self.port == 80 else f':{self.port}'}/"


class Foreign(NamedTuple):
    """A module that has a board's host name and is none of ours: the manual's own firmware."""

    host: str
    address: str
    board: str

    @property
    def url(self) -> str:
        """Where its page is."""
        return f"http://{self.address}/"


class Heard:
    """What was heard so far; `foreign` is complete only at the end."""

    def __init__(self) -> None:
        self.boards: dict[str, Found] = {}
        self.foreign: dict[str, Foreign] = {}


# What came: a board, or its name when it said goodbye.
Told = Callable[[Found | str], None]


def browse(
    timeout: float = WAIT_S,
    nic: str | None = None,
    *,
    enough: Callable[[Heard], bool] | None = None,
    told: Told | None = None,
    foreign: bool = False,
) -> Heard:
    """What is heard within `timeout` seconds, or until it is `enough` (asked at each board).

    told: called with each board as it comes or changes, and with the name of one that left. nic: a
    network by name or address, all for None. foreign: the manual's own modules too. Raises NotFound
    when there is no such network.
    """
    addresses = None if nic is None else [each.address for each in nics.find([nic])]
    return _run(lambda: _browse(addresses, timeout, enough, told, foreign))


def wait_for(ident: str, timeout: float, nic: str | None = None) -> Found | None:
    """The board with that id (last three bytes of its MAC, hex), as soon as it is heard.

    None when it was not within `timeout` seconds. nic: a network by name or address, all for None.
    Raises NotFound when there is no such network.
    """

    def its(heard: Heard) -> Found | None:
        same = (one for one in heard.boards.values() if one.id.lower() == ident.lower())
        return next(same, None)

    return its(browse(timeout, nic, enough=lambda heard: its(heard) is not None))


def one_of(
    fits: Callable[[Found], bool], timeout: float = WAIT_S, nic: str | None = None, least: int = 1
) -> Heard:
    """`browse` that ends a second after the last board came, once `least` of them fit."""
    import time

    came = time.monotonic()

    def told(_: Found | str) -> None:
        nonlocal came
        came = time.monotonic()

    def enough(heard: Heard) -> bool:
        fit = sum(map(fits, heard.boards.values()))
        return fit >= least and time.monotonic() - came >= _QUIET_S

    return browse(timeout, nic, enough=enough, told=told)


def read(info: ServiceInfo) -> Found | None:
    """What a service says; None when it is no board's, or tells of no host's address."""
    texts: dict[str, Any] = info.decoded_properties
    usable = [text for text in info.parsed_addresses() if _is_host(text)]
    if not usable or not info.port:
        return None

    def said(key: str) -> str:
        return str(texts.get(key) or "")[:64]

    name = info.name.removesuffix(f".{SERVICE}")
    host = (info.server or "").rstrip(".")
    return Found(
        name, usable[0], info.port, said("board"), said("hw"), said("fw"), said("id"), host
    )


def _is_host(text: str) -> bool:
    """An address that only one answers at: an announcement must not send us anywhere else."""
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return not (address.is_multicast or address.is_unspecified or address.is_reserved)


def _run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What it gives, in a thread of its own: a Ctrl-C meets only the wait here, and no loop midway.

    Raises what it raises, and KeyboardInterrupt once it has ended.
    """
    import threading

    given: list[T] = []
    wrong: list[BaseException] = []
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []
    stop = threading.Event()

    async def begun() -> T:
        task = asyncio.current_task()
        assert task is not None
        running.append((asyncio.get_running_loop(), task))
        if stop.is_set():
            raise asyncio.CancelledError
        return await work()

    def run() -> None:
        try:
            given.append(asyncio.run(begun()))
        except BaseException as error:
            wrong.append(error)

    thread = threading.Thread(target=run, name="mDNS", daemon=True)
    try:
        thread.start()
        while thread.is_alive():
            thread.join(0.5)
    except KeyboardInterrupt:
        stop.set()
        for loop, task in running:
            with contextlib.suppress(RuntimeError):  # it has just ended
                loop.call_soon_threadsafe(task.cancel)
        if thread.ident is not None:
            thread.join(2.0)
        raise
    if wrong:
        raise wrong[0]
    return given[0]


async def _browse(
    addresses: list[str] | None,
    timeout: float,
    enough: Callable[[Heard], bool] | None,
    told: Told | None,
    foreign: bool,
) -> Heard:
    from zeroconf import InterfaceChoice, IPVersion
    from zeroconf.asyncio import AsyncServiceBrowser, AsyncZeroconf

    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    search = _Search(told)
    zeroconf = AsyncZeroconf(
        interfaces=addresses or InterfaceChoice.All, ip_version=IPVersion.V4Only
    )
    try:
        browser = AsyncServiceBrowser(zeroconf.zeroconf, SERVICE, handlers=[search.changed])
        names = asyncio.create_task(_foreign(zeroconf, timeout)) if foreign else None
        while loop.time() < end and not (enough and enough(search.heard)):
            search.news.clear()
            left = end - loop.time()
            try:
                async with asyncio.timeout(min(left, 0.2) if enough else left):
                    await search.news.wait()
            except TimeoutError:
                pass
            if search.fault is not None:
                raise search.fault
        await browser.async_cancel()
        if names is not None and loop.time() < end:
            names.cancel()  # enough was heard
        elif names is not None:
            ours = {one.address for one in search.heard.boards.values()}
            for one in await names:
                if one.address not in ours:
                    search.heard.foreign[one.host] = one
    finally:
        await search.stop()
        await zeroconf.async_close()
    return search.heard


class _Search:
    """Services as they come and go, each asked for what it has not told yet."""

    def __init__(self, told: Told | None) -> None:
        self.heard = Heard()
        self.news = asyncio.Event()
        self.fault: BaseException | None = None
        self._told = told
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def changed(self, zeroconf: Any, service_type: str, name: str, state_change: Any) -> None:
        """A service was added, updated or removed; called in the event loop."""
        from zeroconf import BadTypeInNameException, ServiceStateChange
        from zeroconf.asyncio import AsyncServiceInfo

        if state_change is ServiceStateChange.Removed:
            if self.heard.boards.pop(name, None) is not None:
                self._tell(name.removesuffix(f".{SERVICE}"))
            return
        if name in self._tasks or (name not in self.heard.boards and len(self._tasks) >= MOST):
            return
        try:
            info = AsyncServiceInfo(service_type, name)
        except BadTypeInNameException:
            return  # control characters, or no name at all: no board's
        if info.load_from_cache(zeroconf):
            self._take(info)
        else:
            self._tasks[name] = asyncio.create_task(self._resolve(zeroconf, info))

    async def _resolve(self, zeroconf: Any, info: AsyncServiceInfo) -> None:
        try:
            if await info.async_request(zeroconf, _ASK_MS):
                self._take(info)
        finally:
            self._tasks.pop(info.name, None)

    def _take(self, info: AsyncServiceInfo) -> None:
        board = read(info)
        if board is None or len(self.heard.boards) >= MOST:
            return
        if self.heard.boards.get(info.name) != board:
            self.heard.boards[info.name] = board
            self._tell(board)
        self.news.set()

    def _tell(self, news: Found | str) -> None:
        """What goes wrong in it is raised by who waits: here zeroconf would only log it."""
        if self._told is None:
            return
        try:
            self._told(news)
        except BaseException as error:
            self.fault = error
            self.news.set()

    async def stop(self) -> None:
        """No more is asked."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def resolve(host: str, timeout: float = WAIT_S, nic: str | None = None) -> str | None:
    """The IPv4 address of a name that ends with .local; None when nobody has it."""

    async def ask() -> str | None:
        from zeroconf import InterfaceChoice, IPVersion
        from zeroconf._services.info import AddressResolverIPv4
        from zeroconf.asyncio import AsyncZeroconf

        addresses = None if nic is None else [each.address for each in nics.find([nic])]
        async with AsyncZeroconf(
            interfaces=addresses or InterfaceChoice.All, ip_version=IPVersion.V4Only
        ) as zeroconf:
            asked = AddressResolverIPv4(f"{host.rstrip('.')}.")
            await asked.async_request(zeroconf.zeroconf, timeout * 1000)
            return next(filter(_is_host, asked.parsed_addresses()), None)

    return _run(ask)


async def _foreign(zeroconf: AsyncZeroconf, timeout: float) -> list[Foreign]:
    """The modules that answer to a board's plain host name, or as its next ones, whoever they are.

    The manual's firmware takes NAME-2 where NAME is taken, as ours does.
    """
    from zeroconf._services.info import AddressResolverIPv4

    async def ask(board: boards.Board, host: str) -> list[Foreign]:
        asked = AddressResolverIPv4(f"{host}.local.")
        await asked.async_request(zeroconf.zeroconf, timeout * 1000)
        found = filter(_is_host, asked.parsed_addresses())
        return [Foreign(f"{host}.local", text, board.name) for text in found]

    known: Iterable[boards.Board] = boards.BOARDS.values()
    found = await asyncio.gather(
        *(ask(board, board.host + after) for board in known for after in ("", *_NEXT))
    )
    return [one for some in found for one in some]
