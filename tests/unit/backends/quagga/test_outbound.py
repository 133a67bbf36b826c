"""Route-maps out at neighbours, as bgpd's lines: made, read back in each dialect's form, and what is not ours."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from policy.extended import ExtendedCommunity
from policy.peers import PeerPolicy
from policy.route import Asn, Community, LargeCommunity, parse_prefix
from speaker.backends.quagga.outbound import (
    AS_IT_IS,
    Outbound,
    is_ours,
    leftovers,
    read_back,
    sets,
)
from speaker.backends.quagga.running_config import parse_running

if TYPE_CHECKING:
    from collections.abc import Sequence

ASN = Asn(64699)
V4, V6, W4 = map(parse_prefix, ("192.0.2.1", "2001:db8::1", "192.0.2.2"))
POLICY = PeerPolicy(
    communities=frozenset({Community(64500, 80), Community(64500, 9)}),
    large_communities=frozenset({LargeCommunity(64500, 1, 2)}),
    prepends=2,
    med=0,
    local_preference=200,
    extended_communities=frozenset(
        map(ExtendedCommunity.parse, ("rt:64500:10", "rt:64500:9", "soo:65546:1"))
    ),
)
SETS = sets(POLICY, ASN)
MADE = Outbound(4, frozenset({W4}), frozenset({V4}), SETS)
NAME = MADE.name
FRR = f"""
frr version 10.3
router bgp 64699
 no bgp ebgp-requires-policy
 neighbor 203.0.113.1 remote-as 64500
 neighbor G peer-group
 neighbor 203.0.113.9 peer-group G
 !
 address-family ipv4 unicast
  network 192.0.2.1/32 route-map VIP-prepend-1
  neighbor 203.0.113.1 route-map {NAME} out
  neighbor 203.0.113.1 route-map THEIRS in
  neighbor G route-map SITE out
  neighbor G prefix-list MINE out
 exit-address-family
 !
 address-family ipv6 unicast
  neighbor 203.0.113.1 route-map SIX out
 exit-address-family
 !
 address-family l2vpn evpn
  neighbor 203.0.113.1 route-map EVPN out
 exit-address-family
exit
!
router bgp 64699 vrf red
 neighbor 203.0.113.1 route-map RED out
exit
!
ip prefix-list SITE seq 5 permit 198.51.100.0/24
ip prefix-list {NAME}-given seq 5 permit 192.0.2.1/32
ip prefix-list {NAME}-kept seq 5 permit 192.0.2.2/32
!
route-map {NAME} deny 10
 match ip address prefix-list {NAME}-kept
exit
!
route-map {NAME} permit 20
 match ip address prefix-list {NAME}-given
 set as-path prepend 64699 64699
 set community 64500:9 64500:80 additive
 set large-community 64500:1:2 additive
 set extcommunity rt 64500:10 64500:9
 set extcommunity soo 65546:1
 set local-preference 200
 set metric 0
exit
!
route-map {NAME} permit 30
exit
!
end
"""


def read(text: str, name: str = NAME) -> Outbound | None:
    return read_back(parse_running(text.splitlines()), name)


def test_what_a_policy_sets() -> None:
    """Each key, with numbers sorted; what is as usual is not set."""
    assert SETS == (
        "set as-path prepend 64699 64699",
        "set community 64500:9 64500:80 additive",
        "set extcommunity rt 64500:9 64500:10",
        "set extcommunity soo 65546:1",
        "set large-community 64500:1:2 additive",
        "set local-preference 200",
        "set metric 0",
    )
    assert sets(PeerPolicy(prepends=0, local_preference=100), ASN) == ()


def test_the_commands() -> None:
    """Prefix-lists first, then the clauses; and no clause that would match nothing, or all."""
    assert [*MADE.lists("X"), *MADE.clauses("X")] == [
        "ip prefix-list X-kept seq 5 permit 192.0.2.2/32",
        "ip prefix-list X-given seq 5 permit 192.0.2.1/32",
        "route-map X deny 10",
        "match ip address prefix-list X-kept",
        "exit",
        "route-map X permit 20",
        "match ip address prefix-list X-given",
        *SETS,
        "exit",
        "route-map X permit 30",
        "exit",
    ]
    six = Outbound(6, frozenset({V6}))
    assert [*six.lists("X"), *six.clauses("X")] == [
        "ipv6 prefix-list X-kept seq 5 permit 2001:db8::1/128",
        "route-map X deny 10",
        "match ipv6 address prefix-list X-kept",
        "exit",
        "route-map X permit 20",
        "exit",
    ]


def test_what_drains_softly_keeps_its_numbers() -> None:
    """It is known by its MED; what is more than that is set on it all the same. It reads back."""
    soft = replace(MADE, soft=((8, frozenset({V4})),))
    assert soft.name != MADE.name
    lines = [*soft.lists(NAME), *soft.clauses(NAME)]
    at = lines.index(f"route-map {NAME} permit 20")
    assert "ip prefix-list X-soft-8 seq 5 permit 192.0.2.1/32".replace("X", NAME) in lines
    assert lines[at + 1 : at + 9] == [
        f"match ip address prefix-list {NAME}-soft-8",
        "match metric 8",
        *SETS[:5],
        "exit",
    ]
    inside = ("match ", "set ")
    shown = [" " * line.startswith(inside) + line for line in lines if line != "exit"]
    assert read("\n".join(["router bgp 64699", *shown, "end"])) == soft
    assert (
        read("\n".join(["router bgp 64699", *shown, "end"]).replace("metric 8", "metric 9")) is None
    )
    assert [*leftovers(parse_running(shown), [])][-1] == f"no ip prefix-list {NAME}-given"
    assert len([*leftovers(parse_running(shown), [])]) == 4


def test_effects() -> None:
    """Kept back, changed, or as it is."""
    other = parse_prefix("198.51.100.0/24")
    assert [MADE.effect(prefix) for prefix in (W4, V4, other)] == [None, SETS, AS_IT_IS]


def test_names() -> None:
    """What it does is its name; only names of that form are ours."""
    assert is_ours(NAME)
    assert Outbound(4, frozenset({V4})).name != Outbound(4, frozenset({W4})).name
    assert Outbound(4, frozenset({W4}), frozenset({V4}), SETS).name == NAME
    assert is_ours(f"{NAME}-2")
    for theirs in (
        "VIP-OUT",
        "VIP-OUT-transit",
        "VIP-prepend-1",
        f"{NAME}-",
        f"{NAME}-kept",
        "VIP-OUT-1234567G",
    ):
        assert not is_ours(theirs)


def test_read_back_from_frr() -> None:
    """What FRR 10 shows of it: route-maps in front or behind, lists by name, lines in its own order."""
    running = parse_running(FRR.splitlines())
    assert read_back(running, NAME) == MADE
    assert running.asns == [ASN]
    assert running.networks == {V4: "VIP-prepend-1"}
    lines = running.neighbors
    assert lines.maps == {
        ("203.0.113.1", 4): NAME,
        ("G", 4): "SITE",
        ("203.0.113.1", 6): "SIX",
    }
    assert lines.inherited(("203.0.113.9", 4)) == "SITE"
    assert lines.inherited(("203.0.113.9", 6)) == ""
    assert (lines.is_filtered(("203.0.113.9", 4)), lines.is_filtered(("203.0.113.1", 4))) == (
        True,
        False,
    )
    assert not lines.needs_policy
    assert [*leftovers(running, [NAME])] == []
    assert [*leftovers(running, [])] == [
        f"no route-map {NAME}",
        f"no ip prefix-list {NAME}-given",
        f"no ip prefix-list {NAME}-kept",
    ]


def test_read_back_from_quagga() -> None:
    """IPv4 in `router bgp` itself, names of communities, no `exit`, and lists without numbers."""
    text = f"""
hostname lvs
router bgp 64699
 neighbor 203.0.113.1 route-map {NAME} out
!
 address-family ipv6
 neighbor 203.0.113.1 activate
 neighbor 203.0.113.1 route-map SIX out
 exit-address-family
!
ip prefix-list {NAME}-kept permit 192.0.2.2/32
!
route-map {NAME} deny 10
 match ip address prefix-list {NAME}-kept
!
route-map {NAME} permit 30
!
line vty
!
end
"""
    running = parse_running(text.splitlines())
    assert read_back(running, NAME) == Outbound(4, frozenset({W4}))
    assert running.neighbors.maps == {("203.0.113.1", 4): NAME, ("203.0.113.1", 6): "SIX"}
    assert running.neighbors.needs_policy


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("deny 10\n match", "permit 10\n match"),
        (f"route-map {NAME} permit 30", f"route-map {NAME} deny 30"),
        (f" match ip address prefix-list {NAME}-kept\n", ""),
        (f"-list {NAME}-kept\nexit", f"-list {NAME}-kept\n on-match next\nexit"),
        (f"-list {NAME}-kept\nexit", f"-list {NAME}-kept\n description theirs\nexit"),
        (f"ip prefix-list {NAME}-kept seq 5 permit 192.0.2.2/32\n", ""),
        ("permit 192.0.2.2/32", "deny 192.0.2.2/32"),
        ("permit 192.0.2.2/32", "permit 192.0.2.0/24 le 32"),
        ("permit 192.0.2.2/32", "permit any"),
        ("permit 192.0.2.2/32", "description theirs"),
        ("80 additive", "80"),
        ("set metric 0", "set metric 1"),
        ("match ip address", "match ipv6 address"),
        (f"route-map {NAME} permit 30\n", f"route-map {NAME} permit 30\n call SITE\n"),
    ],
)
def test_what_somebody_changed(was: str, now: str) -> None:
    """It is not what it was, and mostly not known to do anything."""
    assert was in FRR
    assert read(FRR.replace(was, now)) != MADE


def test_a_name_without_anything() -> None:
    """It is not known what it does: bgpd denies all by it."""
    assert read("router bgp 64699\nend") is None


@pytest.mark.parametrize(
    ("lines", "needs"),
    [
        ((), True),
        ((" no bgp ebgp-requires-policy",), False),
        (("frr defaults datacenter", "router bgp 64699"), False),
        (("frr defaults datacenter", "router bgp 64699", " bgp ebgp-requires-policy"), True),
    ],
)
def test_whether_frr_needs_a_policy(lines: Sequence[str], *, needs: bool) -> None:
    """By its own lines, which it shows where they are not its defaults."""
    first = () if "router bgp 64699" in lines else ("router bgp 64699",)
    assert parse_running([*first, *lines, "end"]).neighbors.needs_policy is needs


def test_a_list_whose_number_is_no_med() -> None:
    """It is none of ours, however long it is."""
    text = (
        f"router bgp 64699\nip prefix-list {NAME}-soft-{'9' * 5000} seq 5 permit 192.0.2.1/32\nend"
    )
    assert read(text) is None
    assert [*leftovers(parse_running(text.splitlines()), [])] == []
