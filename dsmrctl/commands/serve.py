"""dsmrctl serve: this computer as the interface."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsmrctl import errors, options
from dsmrctl.commands import reading
from dsmrctl.terminal.output import Terminal

if TYPE_CHECKING:
    from dsmrctl.gateway.mqtt import Publisher
    from dsmrctl.gateway.service import Gateway
    from dsmrctl.gateway.tcp_feed import TelegramFeed
    from dsmrctl.network.multicast import Sender
    from dsmrctl.telegram.sources import Source


def _address(text: str) -> tuple[str, int]:
    from dsmrctl.gateway.tcp_feed import parse_address

    return parse_address(text)


Feed = Annotated[
    Any,
    typer.Option(
        "--tcp",
        parser=_address,
        metavar="[ADDR:]PORT",
        help="Pass raw telegrams on to many readers over TCP; of this computer only, "
        "unless an address is named (0.0.0.0: every network).",
    ),
]
Mqtt = Annotated[
    str | None,
    typer.Option(
        "--mqtt",
        metavar="URL",
        help="Publish to a broker: mqtt://user@host:1883, with Home Assistant's discovery.",
    ),
]
PasswordFile = Annotated[
    str | None,
    typer.Option(
        "--mqtt-password-file",
        metavar="FILE",
        help="The broker's password; - for standard input. Or DSMRCTL_MQTT_PASSWORD.",
    ),
]
Prefix = Annotated[
    str | None,
    typer.Option("--mqtt-prefix", metavar="TOPIC", help="Instead of dsmrctl/<id>."),
]
FrameVersion = Annotated[
    int, typer.Option("--frame-version", min=1, max=2, help="1 for boards that know only that.")
]


def serve(
    source: options.Source = None,
    group: options.Group = None,
    nic: options.Nic = None,
    frame_version: FrameVersion = 2,
    frame_key_file: options.FrameKeyFile = None,
    tcp: Feed = None,
    mqtt: Mqtt = None,
    mqtt_password_file: PasswordFile = None,
    mqtt_prefix: Prefix = None,
    speed: options.Speed = "1",
    count: options.Count = None,
    timeout: options.Timeout = None,
    dsmr2: options.Dsmr2 = False,
    meter_key_file: options.MeterKeyFile = None,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> int:
    """This computer as the interface: telegrams in, frames out.

    One frame for each valid telegram, at the meter's pace. Frames stay on this
    computer unless --nic names a network. SOURCE can also be: frames, those on
    the network, to publish them with --mqtt.

    \b
    Examples:
      dsmrctl serve meter.raw
      dsmrctl serve /dev/ttyUSB0 --nic eth0
      dsmrctl serve tcp://192.168.1.20:2001 --tcp 8088 --mqtt mqtt://dsmr@broker
    """
    from dsmrctl.gateway.service import parse_speed

    terminal = Terminal(as_json)
    times = parse_speed(speed)
    key = reading.frame_key(frame_key_file)
    if key is not None and frame_version != 2:
        raise errors.UsageError("version 1 frames cannot be signed", hint="leave out the key")
    signal.signal(signal.SIGTERM, _terminated)
    with ExitStack() as stack:
        publisher = None
        if mqtt is not None:
            publisher = stack.enter_context(
                _publisher(terminal, mqtt, mqtt_password_file, mqtt_prefix)
            )
        if source == "frames":
            if publisher is None or tcp is not None:
                raise errors.UsageError(
                    "frames are on the network already, and hold no telegrams",
                    hint="--mqtt publishes them; dsmrctl listen shows them",
                )
            return _publish_frames(terminal, publisher, group, nic, key, count, timeout)
        feed = stack.enter_context(_feed(terminal, tcp)) if tcp is not None else None
        meter = reading.meter_key(meter_key_file)
        opened = stack.enter_context(
            reading.open_telegrams(source, terminal, dsmr2=dsmr2, key=meter, speed=times)
        )
        _ask_before_switching(terminal, opened, nic, yes)
        sender = stack.enter_context(_sender(terminal, group, nic))
        gateway = _gateway(terminal, opened, frame_version, key, sender, feed, publisher)
        return _serve(terminal, gateway, opened, times, count, timeout)


app = options.command(serve)


def _terminated(number: int, _: object) -> None:
    """A service that is stopped says goodbye to its broker and its readers."""
    raise SystemExit(128 + number)


def _serve(
    terminal: Terminal,
    gateway: Gateway,
    opened: Source,
    speed: float | None,
    count: int | None,
    timeout: float | None,
) -> int:
    """Pass on every telegram until the source ends, or `count` frames are sent."""
    from dsmrctl.gateway.service import Journal, paced
    from dsmrctl.telegram.sources import telegrams

    tally = reading.Tally()
    journal = Journal(terminal.note, time.monotonic)
    items = telegrams(opened, timeout=timeout, on_silence=journal.silence)
    items = paced(items, opened, speed)
    try:
        for telegram in tally.watch(
            items, count, on_reject=journal.rejected if opened.live else None
        ):
            found = gateway.take(telegram)
            if found is not None and terminal.json:
                terminal.record(found)
            if count is not None and gateway.sent >= count:
                break
    finally:
        terminal.note(f"{gateway.passed} telegrams, {gateway.sent} frames")
    code = tally.finish(terminal, opened.name)
    return code if gateway.sent else errors.FAILED


def _sender(terminal: Terminal, group: tuple[str, int] | None, nic: str | None) -> Sender:
    from dsmrctl.network import multicast

    address, port = group or (multicast.GROUP, multicast.PORT)
    sender = multicast.Sender(address, port, nic)
    where = ""
    if nic:
        where = f" on {nic}"
    elif multicast.is_multicast(address):
        where = " on this computer only; --nic NAME sends them on a network"
    terminal.note(f"frames to {address}:{port}{where}")
    return sender


def _gateway(
    terminal: Terminal,
    opened: Source,
    version: int,
    key: bytes | None,
    sender: Sender,
    feed: TelegramFeed | None,
    publisher: Publisher | None,
) -> Gateway:
    from dsmrctl.gateway.frame_maker import FrameMaker
    from dsmrctl.gateway.memory import Memory
    from dsmrctl.gateway.service import Gateway

    # Only a real meter has a past that is worth keeping.
    memory = Memory(on_note=terminal.note) if opened.live and opened.name != "household" else None
    maker = FrameMaker(version, key, memory)
    return Gateway(maker, sender, feed, publisher, on_note=terminal.note)


def _feed(terminal: Terminal, address: tuple[str, int]) -> TelegramFeed:
    from dsmrctl.gateway.tcp_feed import TelegramFeed

    feed = TelegramFeed(*address)
    terminal.note(f"telegrams on tcp://{address[0]}:{feed.port}")
    return feed


def _publisher(
    terminal: Terminal, url: str, password_file: str | None, prefix: str | None
) -> Publisher:
    from dsmrctl.gateway import mqtt

    broker = mqtt.parse_mqtt_url(url)
    return mqtt.Publisher(
        broker.host,
        broker.port,
        user=broker.user,
        password=mqtt.read_password(password_file),
        prefix=prefix,
        on_note=terminal.note,
    )


def _publish_frames(
    terminal: Terminal,
    publisher: Publisher,
    group: tuple[str, int] | None,
    nic: str | None,
    key: bytes | None,
    count: int | None,
    timeout: float | None,
) -> int:
    """Every good frame of the first sender to the broker; sends no frames itself."""
    from dsmrctl.gateway.from_frames import follow
    from dsmrctl.network import frames, multicast

    address, port = group or (multicast.GROUP, multicast.PORT)
    intake = frames.Intake(key=key)
    published = 0
    with multicast.Receiver(address, port, [nic] if nic else None) as receiver:
        try:
            for found in follow(receiver, intake, timeout, terminal.note):
                publisher.publish(found)
                published += 1
                if terminal.json:
                    terminal.record(found)
                if count is not None and published >= count:
                    break
        finally:
            terminal.note(f"{published} frames published, {intake.refused.total()} refused")
            for line in intake.explain_refused():
                terminal.note(f"  {line}")
    return errors.DONE


def _ask_before_switching(terminal: Terminal, opened: Source, nic: str | None, yes: bool) -> None:
    """What no meter says now moves real relays on a real network: a person says so first."""
    if nic is None or yes or (opened.live and opened.name != "household"):
        return
    what = f"{opened.name} is no meter, but boards on {nic} switch real relays by it"
    if not terminal.interactive:
        raise errors.UsageError(what, hint="--yes says that this is meant")
    if not typer.confirm(f"{what}. Go on?", err=True):
        raise typer.Exit(errors.REFUSED)
