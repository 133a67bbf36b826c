"""What bgpd sends, rule by rule: the traps that FRR's and Quagga's own behaviour sets."""

from ipaddress import ip_address

import pytest

from policy.route import parse_prefix
from speaker.migration.updates.evaluate import Evaluation, Hop, Update, evaluate
from tests.migration.reading import understand

ROUTER = "203.0.113.1"
VIP = "192.0.2.1/32"
MAP = "route-map M permit 10"


def evaluated(text: str) -> Evaluation:
    return evaluate(understand(text))


def config(*bgp: str, after: str = "", asn: int = 64500) -> str:
    """One neighbour, one network with the route-map M, and what a test adds."""
    lines = ["router bgp 64699", f"neighbor {ROUTER} remote-as {asn}", *bgp]
    return "\n".join([*lines, f"network {VIP} route-map M", after, ""])


def sent(text: str, prefix: str = VIP, neighbor: str = ROUTER) -> str:
    """Return what a neighbour is sent, or why nothing."""
    found = evaluated(text)
    assert not found.obstacles
    address = ip_address(neighbor)
    update: Update | None = found.updates[address].get(parse_prefix(prefix))
    return str(update or found.silent[address][parse_prefix(prefix)])


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        ("", "as-path [ 64699 ] origin igp med 0 next-hop self"),
        ("set as-path prepend 64699", "as-path [ 64699 64699 ] origin igp med 0 next-hop self"),
        ("set metric 50", "as-path [ 64699 ] origin igp med 50 next-hop self"),
        ("set origin incomplete", "as-path [ 64699 ] origin incomplete med 0 next-hop self"),
        (
            "set community 64699:100 64699:1 additive",
            "as-path [ 64699 ] origin igp med 0 community [ 64699:1 64699:100 ] next-hop self",
        ),
        (
            "set large-community 64699:1:2",
            "as-path [ 64699 ] origin igp med 0 large-community [ 64699:1:2 ] next-hop self",
        ),
        (
            "set extcommunity soo 65546:1\nset extcommunity rt 64699:2 192.0.2.1:5",
            (
                "as-path [ 64699 ] origin igp med 0 "
                "extended-community [ rt:64699:2 rt:192.0.2.1:5 soo:65546:1 ] next-hop self"
            ),
        ),
        (
            "set extcommunity rt 64699:2\nset extcommunity rt 64699:3",
            "as-path [ 64699 ] origin igp med 0 extended-community [ rt:64699:3 ] next-hop self",
        ),
        ("set weight 5", "as-path [ 64699 ] origin igp med 0 next-hop self"),
        ("set local-preference 5", "as-path [ 64699 ] origin igp med 0 next-hop self"),
        (
            "set metric 5\nset metric 6",
            "as-path [ 64699 ] origin igp med 6 next-hop self",
        ),
    ],
)
def test_set(sets: str, expected: str) -> None:
    """A network's route-map makes its attributes; MED is 0 where it says nothing; eBGP adds the AS."""
    assert sent(config(after=f"{MAP}\n{sets}")) == expected


def test_ibgp() -> None:
    """An iBGP neighbour gets the prepends alone, and LOCAL_PREF, 100 where nothing set it."""
    text = config(after=f"{MAP}\nset as-path prepend 64699", asn=64699)
    expected = "as-path [ 64699 ] origin igp med 0 local-preference 100 next-hop self"
    assert sent(text) == expected


def test_no_route_map() -> None:
    """A network without a route-map is announced with the plain AS_PATH."""
    text = config("network 198.51.100.1/32")
    assert "as-path [ 64699 ]" in sent(text, "198.51.100.1/32")


def test_missing_route_map() -> None:
    """A network whose route-map does not exist is not announced, and it is said why."""
    assert sent(config()) == "route-map M does not exist, so bgpd announces nothing"


def test_no_clause() -> None:
    """A network that no clause of its route-map means is not announced."""
    text = config(
        after=f"ip prefix-list L permit 10.0.0.0/8\n{MAP}\nmatch ip address prefix-list L"
    )
    assert sent(text) == "no clause of route-map M means it"


def test_match_splits() -> None:
    """One route-map with matches is several profiles, by prefix."""
    text = config(
        "network 192.0.2.2/32 route-map M",
        after="ip prefix-list FAR permit 192.0.2.2/32\nroute-map M permit 20\n"
        f"{MAP}\nmatch ip address prefix-list FAR\nset as-path prepend 64699 64699",
    )
    assert "as-path [ 64699 ]" in sent(text)
    assert "as-path [ 64699 64699 64699 ]" in sent(text, "192.0.2.2/32")


@pytest.mark.parametrize("name", ["no-export", "no-advertise", "local-AS"])
def test_well_known(name: str) -> None:
    """What a network's route-map forbids to go out is never sent on eBGP."""
    said = sent(config(after=f"{MAP}\nset community {name}"))
    assert said.startswith("bgpd sends ")
    assert name in said
    assert "as-path" not in said


def test_no_export_is_sent_within() -> None:
    """no-export goes to iBGP neighbours; no-advertise goes nowhere."""
    assert "as-path" in sent(config(after=f"{MAP}\nset community no-export", asn=64699))
    assert "as-path" not in sent(config(after=f"{MAP}\nset community no-advertise", asn=64699))


def test_no_export_on_the_way_out() -> None:
    """A neighbour's route-map may add no-export: bgpd has looked before that, and sends it."""
    text = config(
        f"neighbor {ROUTER} route-map OUT out",
        after=f"{MAP}\nroute-map OUT permit 10\nset community no-export",
    )
    assert "community [ 65535:65281 ]" in sent(text)


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("prefix-list L out", "ip prefix-list L deny 192.0.2.1/32\nip prefix-list L permit any"),
        ("prefix-list MISSING out", ""),
        ("distribute-list 10 out", "access-list 10 permit 198.51.100.0 0.0.0.255"),
        ("filter-list L out", "ip as-path access-list L permit _64500_"),
        ("route-map MISSING out", ""),
        ("route-map OUT out", "route-map OUT deny 10"),
        ("shutdown", ""),
    ],
)
def test_filtered(line: str, after: str) -> None:
    """What a neighbour's lists or route-map deny, or what is shut down, is not sent."""
    assert "as-path" not in sent(config(f"neighbor {ROUTER} {line}", after=f"{after}\n{MAP}"))


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("prefix-list L out", "ip prefix-list L permit 192.0.2.0/24 ge 32"),
        ("prefix-list L out", "ip prefix-list L seq 9 deny any\nip prefix-list L seq 4 permit any"),
        ("prefix-list L out", "ip prefix-list L description nothing in it"),
        ("distribute-list 10 out", "access-list 10 permit 192.0.2.0 0.0.0.255"),
        ("distribute-list L out", "access-list L permit 192.0.2.0/24"),
        (
            "distribute-list 100 out",
            "access-list 100 permit ip 192.0.2.0 0.0.0.255 host 255.255.255.255",
        ),
        ("filter-list L out", "bgp as-path access-list L seq 5 permit ^$"),
        ("prefix-list MISSING in", ""),
    ],
)
def test_passed(line: str, after: str) -> None:
    """What they permit is sent; a prefix-list without entries permits all."""
    assert "as-path" in sent(config(f"neighbor {ROUTER} {line}", after=f"{after}\n{MAP}"))


def test_send_community() -> None:
    """A neighbour without send-community gets none."""
    text = config(
        f"no neighbor {ROUTER} send-community",
        after=f"{MAP}\nset community 64699:1\nset large-community 64699:1:1",
    )
    assert "med 0 large-community [ 64699:1:1 ]" in sent(text)


def test_send_community_extended() -> None:
    """So it is of extended ones, which bgpd sends unless told."""
    after = f"{MAP}\nset community 64699:1\nset extcommunity rt 64699:1"
    for kind, has in (("", True), (" extended", False), (" both", False), (" large", True)):
        text = sent(config(f"no neighbor {ROUTER} send-community{kind}", after=after))
        assert ("extended-community" in text) is has


def test_extended_communities_are_added() -> None:
    """Each route-map adds to what is there, `none` takes all away; with others in one clause, the order is not known."""
    out = f"neighbor {ROUTER} route-map OUT out"
    first = f"{MAP}\nset extcommunity rt 64699:1\nroute-map OUT permit 10\n"
    both = sent(config(out, after=f"{first}set extcommunity rt 64699:2"))
    assert "extended-community [ rt:64699:1 rt:64699:2 ]" in both
    assert "extended" not in sent(config(out, after=f"{first}set extcommunity none"))
    for lines in ("rt 64699:1\nset extcommunity none", "none\nset extcommunity soo 64699:1"):
        (obstacle,) = evaluated(config(after=f"{MAP}\nset extcommunity {lines}")).obstacles
        assert "comes last is not seen in the file" in str(obstacle)


def test_frr_requires_a_policy() -> None:
    """FRR sends nothing to an eBGP neighbour without a policy, unless told; nor did it before 7.4."""
    assert "ebgp-requires-policy" in sent("frr version 8.4.4\n" + config(after=MAP))
    assert "as-path" in sent("frr version 7.3\n" + config(after=MAP))
    assert "as-path" in sent(
        "frr version 8.4.4\n" + config("no bgp ebgp-requires-policy", after=MAP)
    )
    assert "as-path" in sent("frr version 8.4.4\n" + config(after=MAP, asn=64699))
    for line in ("route-map M out", "prefix-list L out", "filter-list A out"):
        lists = "ip prefix-list L permit any\nbgp as-path access-list A permit ^$\n"
        policy = config(f"neighbor {ROUTER} {line}", after=lists + MAP)
        assert "as-path" in sent("frr version 8.4.4\n" + policy)


def test_default_activation() -> None:
    """`no bgp default ipv4-unicast` holds for the neighbours after it."""
    other = "203.0.113.2"
    text = config("no bgp default ipv4-unicast", f"neighbor {other} remote-as 64500", after=MAP)
    assert "as-path" in sent(text)
    assert "not activated" in sent(text, neighbor=other)


V6 = "2001:db8::1/128"


def test_ipv6() -> None:
    """IPv6 has to be activated. On a session over IPv4 the next hop is the interface's."""
    family = f"address-family ipv6 unicast\nnetwork {V6}\nneighbor {ROUTER} activate"
    assert "not activated" in sent(config(after=f"ipv6 bgp network {V6}"), V6)
    assert f"next-hop {Hop.INTERFACE}" in sent(config(family), V6)
    text = "interface eth0\nip address 203.0.113.9/24\nipv6 address 2001:db8:ffff::9/64\n"
    assert "next-hop 2001:db8:ffff::9" in sent(text + config(family), V6)


def test_peer_group() -> None:
    """A member has what its group has, but for what it says itself."""
    text = config(
        "neighbor G peer-group",
        "neighbor G remote-as 64500",
        "neighbor G route-map OUT out",
        "neighbor 203.0.113.2 peer-group G",
        after=f"{MAP}\nroute-map OUT permit 10\nset metric 7",
    )
    assert "med 7" in sent(text, neighbor="203.0.113.2")
    assert "med 0" in sent(text)


MEMBER = "203.0.113.2"


def grouped(*lines: str) -> str:
    """A member of a group, the IPv6 family, and what a test adds."""
    text = ["neighbor G peer-group", f"neighbor {MEMBER} remote-as 64500"]
    text += [f"neighbor {MEMBER} peer-group G", "address-family ipv6", f"network {V6}"]
    return config(*text, *lines, "exit-address-family", after=MAP)


def test_a_group_is_activated_with_its_members() -> None:
    """FRR activates a group's members with it, and one that joins later is as the group is."""
    frr = "frr version 7.3\n"
    active = "neighbor G activate"
    assert "as-path" in sent(frr + grouped(active), V6, MEMBER)
    assert "not activated" in sent(
        frr + grouped(active, f"no neighbor {MEMBER} activate"), V6, MEMBER
    )
    assert "not activated" in sent(frr + grouped(active), V6)
    late = grouped(active, "neighbor 203.0.113.3 remote-as 64500").replace(
        "route-map M permit 10", "router bgp 64699\nneighbor 203.0.113.3 peer-group G\n" + MAP
    )
    assert "as-path" in sent(frr + late, V6, "203.0.113.3")


def test_a_member_in_one_family() -> None:
    """In Quagga a neighbour is a member of its group in that family alone where it was said."""
    assert "not activated" in sent(grouped("neighbor G activate"), V6, MEMBER)
    joined = grouped("neighbor G activate", f"neighbor {MEMBER} peer-group G")
    assert "as-path" in sent(joined, V6, MEMBER)


def test_a_list_that_is_not_understood() -> None:
    """A line of a list that is not understood stops all where the list is used, and only there."""
    after = (
        "ip as-path access-list A permit [[:digit:]]\nip as-path access-list A permit ^$\n" + MAP
    )
    (obstacle,) = evaluated(config(f"neighbor {ROUTER} filter-list A out", after=after)).obstacles
    assert str(obstacle).startswith("bgpd.conf:5: ip as-path access-list A permit [[:digit:]]: ")
    assert not evaluated(config(f"neighbor {ROUTER} filter-list A in", after=after)).obstacles


@pytest.mark.parametrize(
    "line",
    [
        "set metric rtt",
        "set extcommunity bandwidth 100",
        "set extcommunity color 100",
        "set extcommunity rt 1.10:5",
        "set extcommunity rt 65546:65536",
        "set extcommunity soo 192.0.2.1:5",
        "set extcommunity rt",
        "set extcommunity",
        "match tag 5",
        "continue",
    ],
)
def test_obstacle(line: str) -> None:
    """What a VIP meets and can't be translated is named with its line."""
    (obstacle,) = evaluated(config(after=f"{MAP}\n{line}")).obstacles
    assert str(obstacle).startswith(f"bgpd.conf:5: {line}: ")


def test_falls_off() -> None:
    """Where a route-map goes on to nothing, FRR permits; of Quagga, and after clauses that do not mean it, that is not known."""
    (obstacle,) = evaluated(config(after=f"{MAP}\non-match next")).obstacles
    assert str(obstacle).startswith("bgpd.conf:4: route-map M permit 10: goes on, and no clause")
    text = "frr version 8.4.4\n" + config(after=f"{MAP}\non-match next")
    assert not evaluated(text).obstacles
    assert evaluated(f"{text}\nroute-map M permit 20\nmatch metric 9").obstacles


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("set metric +5", "med 5"),
        ("set metric -5", "med 0"),
        (
            "set metric +4294967295\non-match next\nroute-map M permit 20\nset metric +9",
            f"med {2**32 - 1}",
        ),
        ("on-match goto 30\nroute-map M permit 20\nset metric 1\nroute-map M permit 30", "med 0"),
        ("call C\nset metric 7\nroute-map C permit 10\nset metric +5", "med 12"),
        ("call NOWHERE\nset metric 7", "med 7"),
        (
            "set as-path prepend 64511\non-match next\nroute-map M permit 20\nset as-path prepend last-as 2",
            "as-path [ 64699 64511 64511 64511 ]",
        ),
    ],
)
def test_flow(lines: str, expected: str) -> None:
    """Clauses that go on, jump and call; what adds to MED, and repeats an AS of the path."""
    assert expected in sent(config(after=f"{MAP}\n{lines}"))


def test_endless() -> None:
    """Route-maps that call each other without an end are no traceback, and no UPDATE."""
    (obstacle,) = evaluated(config(after=f"{MAP}\ncall M")).obstacles
    assert "call each other without an end" in str(obstacle)


def test_no_obstacle() -> None:
    """What no VIP meets stands in no VIP's way."""
    text = config(
        after=f"{MAP}\nroute-map M permit 20\nset metric rtt\nroute-map IN permit 10\ncall X"
    )
    assert not evaluated(text).obstacles


@pytest.mark.parametrize(
    "line",
    [
        "route-server-client",
        "attribute-unchanged",
        "dont-capability-negotiate",
        "graceful-shutdown",
        "local-role provider",
        "local-role peer strict-mode",
    ],
)
def test_obstacle_of_a_neighbour(line: str) -> None:
    """What changes what a neighbour is sent and can't be translated is named with its line."""
    (obstacle,) = evaluated(config(f"neighbor {ROUTER} {line}", after=MAP)).obstacles
    assert str(obstacle).startswith(f"bgpd.conf:3: neighbor {ROUTER} {line}: ")


@pytest.mark.parametrize("role", ["customer", "rs-client"])
def test_a_role_that_changes_nothing(role: str) -> None:
    """What goes to a provider or a route server has no ONLY_TO_CUSTOMER (RFC 9234 §5): the line is refused alone."""
    assert "as-path [ 64699 ]" in sent(config(f"neighbor {ROUTER} local-role {role}", after=MAP))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("permit 64699:1:2", "med 7"),
        ("permit 64699:1:2 64699:1:3", "med 7"),
        ("permit 64699:1:9", "no clause of route-map M means it"),
        ("deny 64699:1:2", "no clause of route-map M means it"),
    ],
)
def test_large_communities(entry: str, expected: str) -> None:
    """A list permits a path that has all of an entry's large communities."""
    after = (
        f"bgp large-community-list standard L {entry}\nroute-map T permit 10\nset large-community 64699:1:2 64699:1:3\n"
        f"on-match next\nroute-map T permit 20\ncall M\n{MAP}\nmatch large-community L\nset metric 7"
    )
    text = f"frr version 8.4\n{config('no bgp ebgp-requires-policy', after=after)}"
    assert expected in sent(text.replace("route-map M\nbgp", "route-map T\nbgp"))


def test_a_large_community_list_that_is_not_read() -> None:
    """Expanded ones, and what is no large community, stand in the way where the list is used."""
    for entry in ("expanded L permit .*", "standard L permit 64699:1"):
        after = f"bgp large-community-list {entry}\n{MAP}\nmatch large-community L"
        found = evaluated(f"frr version 8.4\n{config(after=after)}")
        assert any("large-community-list" in str(each) for each in found.obstacles), entry
