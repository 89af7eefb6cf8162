"""dsmrctl serve: this computer as the interface."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated, Any

import typer

from dsmrctl import errors, options
from dsmrctl.commands import reading
from dsmrctl.terminal.output import Terminal

LOOPBACK = "127.0.0.1"


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
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


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
    yes: Yes = False,
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
    from dsmrctl.gateway.frame_maker import FrameMaker
    from dsmrctl.gateway.service import parse_speed

    terminal = Terminal(as_json)
    times = parse_speed(speed)
    key = reading.frame_key(frame_key_file)
    maker = FrameMaker(frame_version, key)
    _ask_before_switching(terminal, source, nic, yes)
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
        opened = stack.enter_context(
            reading.open_telegrams(
                source, terminal, dsmr2=dsmr2, key=reading.meter_key(meter_key_file)
            )
        )
        gateway = _gateway(stack, terminal, maker, group, nic, feed, publisher)
        return _serve(terminal, gateway, opened, times, count, timeout)


app = options.command(serve)


def _serve(
    terminal: Terminal,
    gateway: Any,
    opened: Any,
    speed: float | None,
    count: int | None,
    timeout: float | None,
) -> int:
    """Pass on every telegram until the source ends, or `count` frames are sent."""
    from dsmrctl.gateway.service import follow

    tally = reading.Tally()
    items = follow(opened, timeout=timeout, speed=speed, on_note=terminal.note)
    try:
        for telegram in tally.watch(items):
            found = gateway.take(telegram)
            if found is not None and terminal.json:
                terminal.record(found)
            if count is not None and gateway.sent >= count:
                break
    finally:
        terminal.note(f"{gateway.passed} telegrams, {gateway.sent} frames")
    return tally.finish(terminal, opened.name)


def _gateway(
    stack: ExitStack,
    terminal: Terminal,
    maker: Any,
    group: Any,
    nic: str | None,
    feed: Any,
    publisher: Any,
) -> Any:
    from dsmrctl.gateway.service import Gateway
    from dsmrctl.network import multicast

    address, port = group or (multicast.GROUP, multicast.PORT)
    sender = stack.enter_context(multicast.Sender(address, port, nic or LOOPBACK))
    where = f"on {nic}" if nic else "on this computer only; --nic NAME sends them on a network"
    terminal.note(f"frames to {address}:{port} {where}")
    return Gateway(maker, sender, feed, publisher, on_note=terminal.note)


def _feed(terminal: Terminal, address: tuple[str, int]) -> Any:
    from dsmrctl.gateway.tcp_feed import TelegramFeed

    feed = TelegramFeed(*address)
    terminal.note(f"telegrams on tcp://{address[0]}:{feed.port}")
    return feed


def _publisher(terminal: Terminal, url: str, password_file: str | None, prefix: str | None) -> Any:
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
    publisher: Any,
    group: Any,
    nic: str | None,
    key: bytes | None,
    count: int | None,
    timeout: float | None,
) -> int:
    """Every good frame on the network to the broker; sends no frames itself."""
    from dsmrctl.gateway.from_frames import follow
    from dsmrctl.network import frames, multicast

    address, port = group or (multicast.GROUP, multicast.PORT)
    intake = frames.Intake()
    with multicast.Receiver(address, port, [nic] if nic else None) as receiver:
        try:
            for found in follow(receiver, intake, key, timeout):
                publisher.publish(found)
                if terminal.json:
                    terminal.record(found)
                if count is not None and intake.good >= count:
                    break
        finally:
            terminal.note(f"{intake.good} frames published, {intake.refused.total()} refused")
    return errors.DONE


def _ask_before_switching(
    terminal: Terminal, source: str | None, nic: str | None, yes: bool
) -> None:
    """Invented telegrams on a real network move real relays: a person says so first."""
    if source != "household" or nic is None or yes:
        return
    question = f"the household is invented, but boards on {nic} switch real relays by it"
    if not terminal.interactive:
        raise errors.UsageError(question, hint="--yes says that this is meant")
    if not typer.confirm(f"{question}. Go on?", err=True):
        raise typer.Exit(errors.REFUSED)
