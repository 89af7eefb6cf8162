"""The network, made ill for real: each in a network namespace of its own, with its own /sys."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patient import cleared, on_a_network, provoked

from dsmrctl.diagnosis import firewall, network
from dsmrctl.diagnosis.finding import Finding

GROUP, PORT = "239.255.140.1", 28600
# All of it, as the command asks.
LOOK = f"""
from dsmrctl.diagnosis import network
from dsmrctl.network import nics
from dsmrctl.network.multicast import Receiver
with Receiver({GROUP!r}, {PORT}) as receiver:
    tell(network.check(nics.present(), receiver, ({GROUP!r}, {PORT})))
"""
# One part of it, which opens nothing and so is quicker.
ROUTE = f"from dsmrctl.diagnosis import network; tell(network.route({GROUP!r}))"
BRIDGES = "from dsmrctl.diagnosis import network; tell(network.bridges())"
MDNS = "from dsmrctl.diagnosis import network; tell(network.mdns())"
FIREWALL = f"from dsmrctl.diagnosis import firewall; tell(firewall.check({PORT}))"
# A cable whose other end is here too.
CABLE = """
ip link add eth7 type veth peer name far
ip addr add 10.77.0.1/24 dev eth7
ip link set eth7 up; ip link set far up
"""


@pytest.fixture(scope="module")
def well() -> list[Finding]:
    """A network on which all is well."""
    route = "ip route add 224.0.0.0/4 dev eth7"
    rules = "nft add table inet t"
    accept = f"nft add rule inet t in udp dport {PORT} accept"
    chain = "nft 'add chain inet t in { type filter hook input priority 0; policy accept; }'"
    bridge = "ip link add br7 type bridge mcast_snooping 1 mcast_querier 1"
    return on_a_network("\n".join([CABLE, route, rules, chain, accept, bridge]), LOOK)


def test_on_a_network_that_is_well_nothing_is_found(well: list[Finding]) -> None:
    assert {each.severity for each in well} == {"ok"}
    assert "eth7 (10.77.0.1)" in cleared("network", well).what


def test_a_computer_on_no_network_is_told() -> None:
    one = provoked("network", on_a_network("", LOOK), "note")
    assert "only on its own loopback" in one.what


DROP = """
nft add table inet t
nft 'add chain inet t in { type filter hook input priority 0; policy accept; }'
"""


@pytest.mark.slow
def test_an_interface_on_which_nothing_comes_back_is_told() -> None:
    found = on_a_network(f"{CABLE}{DROP}nft add rule inet t in ip saddr 10.77.0.1 drop", LOOK)
    one = provoked("multicast", found)
    assert "eth7 (10.77.0.1)" in one.what
    assert list(one.data["deaf"]) == ["10.77.0.1"]
    found = on_a_network(f"{CABLE}ip link set eth7 down", LOOK)
    assert "eth7" in provoked("multicast", found).what


def test_interfaces_on_which_it_comes_back_are_well(well: list[Finding]) -> None:
    cleared("multicast", well)


def test_no_membership_on_a_network_is_told() -> None:
    # The receiver joined on loopback alone, and the cable is meant too.
    only = LOOK.replace(f"Receiver({GROUP!r}, {PORT})", f"Receiver({GROUP!r}, {PORT}, ['lo'])")
    assert only != LOOK
    one = provoked("membership", on_a_network(CABLE, only))
    assert one.data["lacking"] == ["eth7"]


def test_as_many_groups_as_the_kernel_allows_leave_no_place_for_ours() -> None:
    none_left = f"""
import socket
held = socket.socket(type=socket.SOCK_DGRAM)
from dsmrctl import errors
from dsmrctl.diagnosis import whole
from dsmrctl.network.multicast import Receiver
Path('/proc/sys/net/ipv4/igmp_max_memberships').write_text('0')
found = [each for each in whole.look(whole.Asked(({GROUP!r}, {PORT}), timeout=0.1))]
tell(found)
"""
    one = provoked("membership", on_a_network(CABLE, none_left))
    assert "no network here can join" in one.what


def test_membership_on_all_is_well(well: list[Finding]) -> None:
    cleared("membership", well)


def test_a_bridge_that_snoops_without_a_querier_is_told() -> None:
    found = on_a_network("ip link add br7 type bridge mcast_snooping 1 mcast_querier 0", BRIDGES)
    one = provoked("bridge", found, "note")
    assert one.data["bridges"] == ["br7"]
    assert "sudo ip link set br7 type bridge mcast_querier 1" in one.next


def test_a_bridge_that_does_not_snoop_or_that_asks_is_well(well: list[Finding]) -> None:
    assert cleared("bridge", well).what.startswith("1 bridges")
    cleared("bridge", on_a_network("ip link add br7 type bridge mcast_snooping 0", BRIDGES))
    # Every computer with Docker has this one, and no board is behind it.
    cleared("bridge", on_a_network("ip link add docker0 type bridge mcast_snooping 1", BRIDGES))


@pytest.mark.parametrize(
    ("setup", "name", "kind"),
    [
        ("ip tuntap add office mode tun\nip addr add 10.8.0.2/24 dev office", "office", "tunnel"),
        ("ip link add docker0 type bridge\nip addr add 172.17.0.1/16 dev docker0", "docker0", "co"),
    ],
)
def test_multicast_that_goes_into_a_tunnel_or_to_containers_is_told(
    setup: str, name: str, kind: str
) -> None:
    by = f"{CABLE}{setup}\nip link set {name} up\nip route add 224.0.0.0/4 dev {name}"
    found = on_a_network(by, LOOK)
    one = provoked("route", found, "note")
    # No board is behind it, whatever comes of multicast there.
    assert "eth7" in cleared("multicast", found).what + cleared("network", found).what
    assert name not in cleared("network", found).what
    assert one.data == {"nic": name}
    assert kind in one.what


def test_of_several_routes_the_narrowest_wins_and_of_equals_the_first_choice() -> None:
    kept = "dev eth7 metric 50\nip route add 224.0.0.0/4 dev wg9"
    office = "ip tuntap add wg9 mode tun\nip link set wg9 up"
    narrow = f"{CABLE}{office}\nip route add 239.0.0.0/8 {kept}"
    assert cleared("route", on_a_network(narrow, ROUTE)).data == {"nic": "eth7"}
    first = f"{CABLE}{office}\nip route add 224.0.0.0/4 {kept} metric 60"
    assert cleared("route", on_a_network(first, ROUTE)).data == {"nic": "eth7"}
    last = f"{CABLE}{office}\nip route add 224.0.0.0/4 {kept} metric 40"
    assert provoked("route", on_a_network(last, ROUTE), "note").data == {"nic": "wg9"}


def test_multicast_by_a_real_network_is_well(well: list[Finding]) -> None:
    assert cleared("route", well).data == {"nic": "eth7"}
    assert "no route" in cleared("route", on_a_network("", ROUTE)).what


@pytest.mark.parametrize(
    "rules",
    [
        f"nft add rule inet t in udp dport {PORT} drop",
        f"nft add rule inet t in udp dport '{{ 53, {PORT - 1}-{PORT + 1} }}' reject",
        "nft 'chain inet t in { policy drop; }'\nnft add rule inet t in tcp dport 22 accept\n"
        "nft add rule inet t in iifname lo accept\n"
        "nft add rule inet t in ct state established,related accept",
        "nft add rule inet t in ip protocol udp drop",
    ],
    ids=["a rule", "a range", "its policy", "all of UDP"],
)
@pytest.mark.slow
def test_a_firewall_that_drops_the_port_names_the_chain(rules: str) -> None:
    one = provoked("firewall", on_a_network(f"{DROP}{rules}", FIREWALL))
    assert one.data["chain"] == "inet t in"
    assert f"udp dport {PORT} accept" in one.next


@pytest.mark.slow
def test_a_firewall_that_lets_the_port_in_is_well(well: list[Finding]) -> None:
    assert cleared("firewall", well).data == {"seen": True}
    drop = "nft 'chain inet t in { policy drop; }'\n"
    for accept in (
        f"nft add rule inet t in udp dport {PORT - 5}-{PORT + 5} accept",
        "nft add rule inet t in meta l4proto udp accept",
        "nft add rule inet t in ip daddr 224.0.0.0/4 accept",
    ):
        cleared("firewall", on_a_network(f"{DROP}{drop}{accept}", FIREWALL))


def test_a_rule_that_may_be_about_others_is_not_held_against_it() -> None:
    one_host = "nft add rule inet t in ip saddr 192.0.2.7 drop"
    few = f"nft add rule inet t in udp dport {PORT} limit rate over 900/second drop"
    cleared("firewall", on_a_network(f"{DROP}{one_host}", FIREWALL))
    cleared("firewall", on_a_network(f"{DROP}{few}", FIREWALL))


def test_the_step_that_it_names_lets_the_port_in() -> None:
    setup = f"{DROP}nft add rule inet t in udp dport {PORT} drop"
    step = provoked("firewall", on_a_network(setup, FIREWALL)).next
    command = step.partition(" (")[0].removeprefix("sudo ")
    cleared("firewall", on_a_network(f"{setup}\n{command}", FIREWALL))


def test_a_firewall_that_may_not_be_seen_is_no_fault() -> None:
    assert cleared("firewall", firewall.check(PORT, lambda: None)).data == {"seen": False}
    assert firewall.rules("no-such-program") is None


anything = st.recursive(
    st.none() | st.integers() | st.sampled_from(["udp", "drop", "==", "input", "inet", PORT]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["payload", "meta", "ct", "set", "range", "field", "protocol", "key"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
# As rules are, but for any part of them.
match = st.fixed_dictionaries(
    {"left": anything, "op": st.just("==") | anything, "right": anything}
) | st.just({"left": {"payload": {"protocol": "udp", "field": "dport"}}, "op": "==", "right": {}})
part = st.fixed_dictionaries({"match": match | anything}) | st.just({"drop": None}) | anything
place = {"family": st.just("inet"), "table": st.just("t")}
rule = st.fixed_dictionaries({**place, "chain": st.just("in"), "expr": st.lists(part) | anything})
chain = st.fixed_dictionaries({**place, "name": st.just("in"), "hook": st.just("input")})
one_of_them = st.fixed_dictionaries({}, optional={"rule": rule | anything, "chain": chain})


@given(st.lists(one_of_them | anything, max_size=5) | anything)
def test_rules_of_any_form_are_read_without_a_fault(rules: Any) -> None:
    found = firewall.check(PORT, lambda: {"nftables": rules})
    json.dumps(found.document())


word = st.sampled_from(["eth0", "000000E0", "00000000", "0001", "0", "x", "-1", ":", "1"])


@given(st.lists(st.lists(word, max_size=12).map("\t".join), max_size=5).map("\n".join))
def test_tables_of_any_form_are_read_without_a_fault(text: str) -> None:
    network.members("224.0.1.3", text)
    network.way("224.0.1.3", text)


def test_a_program_that_keeps_the_mdns_port_to_itself_is_told() -> None:
    held = (
        """
import socket
alone = socket.socket(type=socket.SOCK_DGRAM)
alone.bind(("", 5353))
"""
        + MDNS
    )
    one = provoked("mdns", on_a_network("", held))
    assert "5353" in one.what
    assert "ss -ulpn" in one.next


def test_a_program_that_shares_the_mdns_port_is_named_and_well(well: list[Finding]) -> None:
    assert cleared("mdns", well).data == {"others": []}
    shared = (
        """
import subprocess
program = '''
import socket, sys
shared = socket.socket(type=socket.SOCK_DGRAM)
shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
shared.bind(("", 5353))
sys.stdout.write("held")
sys.stdout.flush()
sys.stdin.read()
'''
other = subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1)
other.stdout.read(4)
"""
        + MDNS
        + "\nother.communicate()"
    )
    (name,) = cleared("mdns", on_a_network("", shared)).data["others"]
    assert name.startswith("python")
