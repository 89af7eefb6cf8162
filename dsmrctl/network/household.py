"""The boards as one household: what each does, who gets frames and who does not, and why."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal, NamedTuple

from dsmrctl import quantities
from dsmrctl.network.census import Census, Seen, whole

SILENT_S = 10
"""A switch that heard no frame for longer switches off (docs/modules.md)."""
_MOST = 1 << 40

Frames = Literal["ok", "sends", "late", "none", "refused", "no telegrams", "no answer", "-"]


class Member(NamedTuple):
    """A board: its live state in words, whether it gets frames, and what to do if it does not."""

    seen: Seen
    state: str
    frames: Frames
    advice: str | None


class Household(NamedTuple):
    """values: the quantities of who knows most of them, by their names."""

    values: dict[str, Any]
    members: list[Member]


def of(census: Census) -> Household:
    """The household that these boards are. Nothing that they say is believed to be well formed."""
    members = [Member(one, state(one), _frames(one), None) for one in census.boards]
    some_hear = any(one.frames == "ok" for one in members)
    some_send = any(one.frames == "sends" for one in members) or some_hear
    told = [
        one._replace(advice=_advice(one, some_hear=some_hear, some_send=some_send))
        for one in members
    ]
    # An interface tells all that its meter does; a switch only what is in a frame.
    sources = sorted(members, key=lambda one: (one.frames != "sends", one.frames != "ok"))
    good = [one for one in sources if one.frames in ("sends", "ok")]
    values = known(good[0].seen.status) if good else {}
    for name in ("output_percent", "frame_age_s", "threshold_w"):
        values.pop(name, None)  # that board's own
    return Household(values, told)


def known(status: dict[str, Any]) -> dict[str, Any]:
    """What of a status are quantities, by their names, and of their types; the rest is left out."""
    found: dict[str, Any] = {}
    for name, value in ({"output_percent": status.get("output")} | status).items():
        quantity = quantities.BY_NAME.get(name)
        if quantity is None:
            continue
        if _is(quantity.kind, value):
            found[name] = value
    return found


def _is(kind: quantities.Kind, value: object) -> bool:
    if kind == "time":
        return isinstance(value, str) and len(value) <= 40 and value.isascii()
    if kind == "integer":
        return whole(value, -_MOST, _MOST) is not None
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return False
    return abs(value) < _MOST


def state(seen: Seen) -> str:
    """What a board does just now, in words; by what its status tells, whatever kind it is."""
    status = seen.status
    if seen.fault is not None:
        return seen.fault.message
    if "output" in status:
        return _switch(status)
    if "export_leds" in status:
        return _monitor(status)
    if seen.sends:
        count = whole(status.get("telegrams"), 0, _MOST)
        bad = whole(status.get("telegrams_bad"), 0, _MOST)
        said = f"{count if count is not None else '?'} telegrams"
        said += f", {bad} bad" if bad else ""
        mqtt = status.get("mqtt")
        return said + (f", MQTT {mqtt}" if isinstance(mqtt, str) and mqtt != "off" else "")
    return "runs"


def _switch(status: dict[str, Any]) -> str:
    level = whole(status.get("output"), 0, 100)
    timer = whole(status.get("timer_s"), 0, _MOST)
    said = "?" if level is None else {0: "off", 100: "ON"}.get(level, f"{level} %")
    left = "" if timer is None else f", {minutes(timer)} left"
    why = {
        "tariff": "by tariff",
        "below": "export is below its threshold",
        "waiting": "export is enough; waits" + left.removesuffix(" left").replace(",", ""),
        "minimum": "stays on" + left.removesuffix(" left").replace(",", ""),
        "export": "by export, until import",
        "proportional": "follows the export",
        "hand": "by hand" + left,
        "silent": "hears no frames",
        "key": "waits for a second signed frame",
    }
    reason = status.get("reason")
    return f"{said}: {why.get(reason, '?')}" if isinstance(reason, str) else said


def _monitor(status: dict[str, Any]) -> str:
    said = []
    for name, most in (("export", 5), ("import", 4)):
        lit = whole(status.get(f"{name}_leds"), 0, most)
        said.append(f"{name} {'?' if lit is None else f'{lit}/{most}'}")
    forecast = whole(status.get("forecast_w"), 0, _MOST)
    threshold = whole(status.get("threshold_w"), 0, _MOST)
    if status.get("peak_led") == "blink":
        said.append(f"PEAK: {forecast} W is coming, above {threshold} W")
    elif threshold is not None:
        said.append(f"warns above {threshold} W")
    return ", ".join(said)


def _frames(seen: Seen) -> Frames:
    status = seen.status
    if seen.fault is not None:
        return "no answer"
    if seen.sends:
        age = whole(status.get("telegram_age_s"), 0, _MOST)
        return "sends" if age is not None and age <= SILENT_S else "no telegrams"
    if "frame_age_s" not in status:
        return "-"
    if seen.frame_age_s is not None and seen.frame_age_s <= SILENT_S:
        return "ok"
    if whole(status.get("refused"), 1, _MOST):
        return "refused"
    return "none" if seen.frame_age_s is None else "late"


def _advice(one: Member, *, some_hear: bool, some_send: bool) -> str | None:
    if one.frames == "no telegrams":
        return (
            "no telegram comes from its meter: is the cable in, and was the P1 port opened by the "
            "grid operator? dsmrctl telegram decode, on a computer's cable, shows what comes"
        )
    if one.frames == "refused":
        return "frames come and it refuses them: is frame_key the same on all boards?"
    if one.frames in ("none", "late"):
        if not some_send:
            return "nobody sends frames: has the interface power, and is it in this network?"
        if some_hear:
            return (
                "others hear frames and it does not: the same group (frame_group)? its access "
                "point may hold multicast back"
            )
        return (
            "the interface sends and it hears nothing: a router may hold multicast back; "
            "dsmrctl config interface frame_target=ADDRESS sends to one address instead"
        )
    if one.frames == "no answer":
        return "it announced itself and does not answer: out of reach, or just restarting?"
    return None


def minutes(seconds: int) -> str:
    """A time to wait: 45 s, 12 min, 3 h."""
    if seconds < 100:
        return f"{seconds} s"
    return f"{(seconds + 59) // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
