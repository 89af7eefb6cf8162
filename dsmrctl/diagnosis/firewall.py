"""What a firewall of this computer does with frames, as far as this user may see it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import Any

from dsmrctl.diagnosis.finding import Finding, ok, trouble


def rules(program: str = "nft") -> dict[str, Any] | None:
    """The firewall's rules, None when this user may not see them or there is no such program."""
    import json

    paths = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    try:
        asked = subprocess.run(
            [program, "-j", "list", "ruleset"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=5,
            check=False,
            env=dict(os.environ) | {"PATH": paths},
        )
        found = json.loads(asked.stdout) if asked.returncode == 0 else None
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def check(port: int, asking: Callable[[], dict[str, Any] | None] = rules) -> Finding:
    """Whether the rules on input let that UDP port in, as far as they can be seen."""
    found = asking()
    if found is None:
        return ok("firewall", "its rules are not to be seen by this user", seen=False)
    shut = _shut(found, port)
    if shut is None:
        return ok("firewall", f"UDP port {port} is let in", seen=True)
    return trouble(
        "firewall",
        f"the chain {shut} drops what comes to UDP port {port}",
        f"sudo nft insert rule {shut} udp dport {port} accept "
        f"(ufw: sudo ufw allow {port}/udp; firewalld: "
        f"sudo firewall-cmd --permanent --add-port={port}/udp)",
        chain=shut,
        seen=True,
    )


def _shut(found: dict[str, Any], port: int) -> str | None:
    """The first chain on input that drops the port: by a rule for it, or by its policy."""
    listed = _dicts(found.get("nftables"))
    rules = [each["rule"] for each in listed if isinstance(each.get("rule"), dict)]
    for each in listed:
        chain = each.get("chain")
        if not isinstance(chain, dict) or chain.get("hook") != "input":
            continue
        where = (chain.get("family"), chain.get("table"), chain.get("name"))
        if where[0] not in ("ip", "inet"):
            continue
        said = None
        for rule in rules:
            if (rule.get("family"), rule.get("table"), rule.get("chain")) == where:
                said = said or _verdict(_dicts(rule.get("expr")), port)
        if (said or chain.get("policy", "accept")) == "drop":
            return " ".join(map(str, where))
    return None


def _dicts(found: Any) -> list[dict[str, Any]]:
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _verdict(parts: list[dict[str, Any]], port: int) -> str | None:
    """What a rule says of a datagram to that UDP port: accept, drop, or None for nothing.

    Where it is not sure whether a rule is about it, an accept counts and a drop does not.
    """
    sure = True
    for part in parts:
        if "match" in part:
            about = _about(part["match"], port)
            if about is False:
                return None
            sure = sure and about is True
        elif "accept" in part or "jump" in part or "goto" in part:
            return "accept"  # what another chain says is its own: nothing is claimed of the rest
        elif "drop" in part or "reject" in part:
            return "drop" if sure else None
        elif not part.keys() & {"counter", "log"}:
            sure = False  # a limit, a set of addresses: it holds for some only
    return None


def _about(match: Any, port: int) -> bool | None:
    """Whether a match is of datagrams to that UDP port; None when that cannot be said."""
    left = match.get("left") if isinstance(match, dict) else None
    if not isinstance(left, dict) or match.get("op") not in ("==", "in"):
        return None
    right = match.get("right")
    named, meta = left.get("payload"), left.get("meta")
    if "ct" in left or (isinstance(meta, dict) and str(meta.get("key")).startswith("iif")):
        return False  # of answers, or of one interface
    if isinstance(meta, dict) and meta.get("key") == "l4proto":
        return "udp" in _each(right)
    if not isinstance(named, dict):
        return None
    if named.get("field") == "protocol":
        return "udp" in _each(right)
    if named.get("protocol") in ("tcp", "icmp", "icmpv6", "sctp", "ip6"):
        return False
    if named.get("protocol") in ("udp", "th") and named.get("field") == "dport":
        return any(_holds(one, port) for one in _each(right))
    return None


def _each(right: Any) -> list[Any]:
    if isinstance(right, dict) and isinstance(right.get("set"), list):
        return right["set"]
    return [right]


def _holds(one: Any, port: int) -> bool:
    found = one.get("range") if isinstance(one, dict) else None
    if isinstance(found, list) and [type(end) for end in found] == [int, int]:
        return found[0] <= port <= found[1]
    return one == port
