"""bgpd's configuration read: modes, dialects, bad input; and a verdict for every line."""

import re
from contextlib import suppress
from pathlib import Path

import pytest

from speaker.migration.bgpd_conf.model import Dialect, Treatment
from speaker.migration.bgpd_conf.placing import statements
from speaker.migration.bgpd_conf.reader import read
from speaker.migration.bgpd_conf.statement import CommandMode, MigrationError
from speaker.migration.bgpd_conf.top_level import TOP_HARMLESS, TOP_REFUSED
from speaker.migration.updates.evaluate import evaluate
from speaker.migration.updates.verdicts import account
from tests.migration.reading import understand

GOLDEN = Path(__file__).parents[3] / "golden" / "vtysh"
BGP = "router bgp 64699\n neighbor 203.0.113.1 remote-as 64500\n"


def refused(text: str | bytes) -> list[str]:
    found = understand(text)
    return [str(v) for v in found.verdicts if v.treatment is Treatment.REFUSED]


@pytest.mark.parametrize("daemon", ["quagga-0.99.22.4", "quagga-1.2.4", "frr-8.4.4"])
def test_transcripts(daemon: str) -> None:
    """What each daemon was recorded to write is understood to the last line."""
    record = (GOLDEN / daemon / "05-running-config.txt").read_text()
    text = re.split(r"^Current configuration:\n", record, flags=re.MULTILINE)[1]
    found = understand(text.partition("--- stderr")[0])
    assert [str(v) for v in found.verdicts if v.treatment is Treatment.REFUSED] == []
    assert found.read_as.dialect is (Dialect.FRR if daemon.startswith("frr") else Dialect.QUAGGA)
    updates = evaluate(found).updates
    paths = {
        str(p): len(u.attributes.as_path) for mine in updates.values() for p, u in mine.items()
    }
    assert paths == {
        "192.0.2.1/32": 2,
        "192.0.2.2/32": 3,
        "2001:db8::1/128": 2,
        "2001:db8::2/128": 3,
    }


def test_no_indentation() -> None:
    """Modes count, indentation does not; what a mode does not know is tried in the one around it."""
    text = (
        "router bgp 64699\nneighbor 203.0.113.1 remote-as 64500\naddress-family ipv6\n"
        "network 2001:db8::1/128\nneighbor 203.0.113.2 remote-as 64500\nnetwork 192.0.2.1/32\n"
        "route-map A permit 10\nset metric 1\nrouter bgp 64699\nnetwork 192.0.2.2/32 route-map A\n"
    )
    assert refused(text) == []
    assert list(map(str, understand(text).networks)) == [
        "2001:db8::1/128",
        "192.0.2.1/32",
        "192.0.2.2/32",
    ]


def test_encodings() -> None:
    """Windows line ends, Latin-1 comments and a byte order mark change nothing."""
    text = b"\xef\xbb\xbf! caf\xe9\r\n" + BGP.replace("\n", "\r\n").encode("latin-1")
    text += b" neighbor 203.0.113.1 description caf\xe9\r\n# \xff\r\nend\r\n"
    assert refused(text) == []


def test_networks() -> None:
    """Networks in all the forms that bgpd takes; the last of two lines counts."""
    text = BGP + (
        " network 192.0.2.1 mask 255.255.255.255\n network 10.0.0.0\n network 198.51.100.7/24\n"
        " network 203.0.113.9/32 backdoor\n network 192.0.2.9/32\n no network 192.0.2.9/32\n"
        " network 192.0.2.1/32 route-map M\n network 192.0.2.8/32\n network 192.0.2.8/32 backdoor\n"
    )
    found = understand(text)
    assert {str(p): n.route_map for p, n in found.networks.items()} == {
        "10.0.0.0/8": None,
        "198.51.100.0/24": None,
        "192.0.2.1/32": "M",
    }
    assert "bgpd.conf:9 says it again" in str(found.verdicts[2])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hostname a\n", "bgpd.conf: has no `router bgp`; is it the right file, and complete?"),
        (
            BGP + "router bgp 64511\n",
            "bgpd.conf:3: router bgp 64511: router bgp 64699 is there too",
        ),
        (
            BGP + "router bgp 64699 vrf RED\n",
            "bgpd.conf:3: router bgp 64699 vrf RED: BGP of vrf RED",
        ),
        ("router bgp 64699 view V\n", "bgpd.conf:1: router bgp 64699 view V: BGP of view V"),
        ("router bgp\n", "bgpd.conf:1: router bgp: no AS number"),
        ("router bgp x\n", "bgpd.conf:1: router bgp x: ASN: 'x'"),
        ("router bgp 64699 z\n", "bgpd.conf:1: router bgp 64699 z: 'z' is unknown"),
        (
            f"{BGP}route-map M permit 10\nroute-map M deny 10\n",
            "bgpd.conf:4: route-map M deny 10: route-map M permit 10 is there too, in line 3",
        ),
        (BGP + "no route-map M\n", "bgpd.conf:3: no route-map M: takes back"),
    ],
)
def test_nothing_can_be_migrated(text: str, expected: str) -> None:
    """No `router bgp`, two of them, VRFs and views: refused by file and line."""
    with pytest.raises(MigrationError) as caught:
        understand(text)
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("frobnicate", "is unknown, incomplete"),
        ("redistribute connected", "which prefixes it announces is not in the file"),
        ("redistribute ospf", "routes of other protocols are not announced"),
        ("aggregate-address 192.0.2.0/24 as-set", "its AS_PATH depends on the routes received"),
        (
            "aggregate-address 192.0.2.0/24 suppress-map M",
            "vip.toml keeps back all VIPs",
        ),
        ("aggregate-address 192.0.2.0/24 origin igp", "bgpd makes its ORIGIN"),
        ("aggregate-address 192.0.2.0/24 frobnicate", "'frobnicate' is not translated"),
        ("aggregate-address 2001:db8::/48", "is of IPv6, and stands where IPv4 is meant"),
        ("aggregate-address 192.0.2.0", "names no prefix"),
        ("aggregate-address 192.0.2.0/24 route-map", "names no route-map"),
        ("neighbor eth0 remote-as 64500", "is neither an address nor the name of a peer-group"),
        ("neighbor 203.0.113.9 activate", "names no neighbour that the lines before it made"),
        ("neighbor 203.0.113.1 timers 1 2", "2 s is not a hold time"),
        ("neighbor 203.0.113.1 default-originate", "a default route is not taken over"),
        ("network 2001:db8::1/128", "is of IPv6, and stands where IPv4 is meant"),
        ("network 192.0.2.1/33", "'33' is not a number from 0 to 32"),
        ("bgp listen range 203.0.113.0/24 peer-group G", "neighbours by range"),
        ("address-family ipv4 vpn", "only IPv4 and IPv6 unicast"),
        ("route-map M permit", "is incomplete"),
        ("ip prefix-list L permit 192.0.2.0/24 le", "'le' is not ge or le with a length"),
        ("ip prefix-list L permit 192.0.2.0/24 ge 16", "'ge 16' is not of 24 <= ge <= le"),
        ("ip prefix-list L permit 192.0.2.0/24 le 28 ge 30", "'le 28 ge 30' is not of 24 <= ge"),
        ("ip prefix-list L permit 192.0.2.0/24 ge 28 ge 30", "'ge 28 ge 30' is not of 24 <= ge"),
        ("ip prefix-list L permit 192.0.2.1", "'192.0.2.1' has no length"),
        ("ipv6 access-list L permit 2001:db8::1", "'2001:db8::1' has no length"),
        ("ip prefix-list L seq 0 permit any", "'0' is not a number from 1 to 4294967295"),
        ("network 192.0.2.1 mask ffff:ffff:ffff::", "'ffff:ffff:ffff::' is not a mask"),
        ("bgp router-id 203.0.113.300", "'203.0.113.300' is not an identifier; bgpd refuses it"),
        (
            "router-id x",
            "'x' is not an identifier; bgpd refuses it as well: write one like 192.0.2.1",
        ),
        ("network x", "'x' is not a prefix"),
        ("hostname a\nset metric 5", "stands in no block"),
        ("route-map M permit ten", "'ten' is not a number from 1 to 65535"),
        ("no neighbor 203.0.113.1 remote-as 64500", "takes a neighbour back"),
        ("no neighbor 203.0.113.1 peer-group G", "takes a neighbour back"),
        ("no neighbor 203.0.113.1", "takes a neighbour back"),
        ("neighbor 203.0.113.1 shutdown rtt 50", "ExaBGP does not measure"),
        ("neighbor 203.0.113.1 shutdown message", "is unknown, incomplete"),
        ("neighbor 203.0.113.1 update-source 203.0.113.9/24", "is unknown, incomplete"),
        ("no neighbor 203.0.113.1 ebgp-multihop 0", "'0' is not a number from 1 to 255"),
        ("no neighbor 203.0.113.1 local-as 64510 replace-as", "is unknown, incomplete"),
        ("neighbor G peer-group\nneighbor G peer-group G", "is a peer-group itself"),
        ("neighbor 203.0.113.1", "says nothing of the neighbour"),
    ],
)
def test_refused(line: str, expected: str) -> None:
    """What is not translated is refused by file and line, with what to do."""
    (found,) = refused(f"{BGP}{line}\n")
    *before, last = line.split("\n")
    assert found.startswith(f"bgpd.conf:{3 + len(before)}: {last}: {expected}")


def test_cut_short() -> None:
    """A file that ends within a line may say something else than meant: its last line is refused."""
    (found,) = refused(BGP + " network 192.0.2.1/3")
    assert found.startswith("bgpd.conf:3: network 192.0.2.1/3: the file ends without a line end")
    for end in ("end", "!", " ! comment", "  "):
        assert refused(BGP + end) == [], end


@pytest.mark.parametrize("end", ["end", " end", "exit\nexit", "quit\n!\nquit"])
def test_left(end: str) -> None:
    """bgpd reads nothing after it has left its configuration; leaving a block is no such thing."""
    text = f"router bgp 64699\n{end}\n"
    assert refused(text) == []
    assert refused(f"{text}end\nexit\n") == []
    (found,) = refused(f"{text}route-map M permit 10\n")
    assert found.startswith(
        f"bgpd.conf:{text.count(chr(10))}: {end.rsplit(maxsplit=1)[-1]}: bgpd reads nothing"
    )
    assert refused(f"{text.replace(end, 'exit')}route-map M permit 10\n") == []


def test_a_network_of_the_other_family() -> None:
    """What IPv6's mode does not know is `router bgp`'s, and so is what follows, as in bgpd."""
    text = f"{BGP} address-family ipv6\n network 192.0.2.7/32\n network 2001:db8::5/128\n"
    (found,) = refused(text)
    assert found.startswith("bgpd.conf:5: network 2001:db8::5/128: is of IPv6, and stands where")
    assert list(map(str, understand(text).networks)) == ["192.0.2.7/32"]


IN_BOTH = {
    *(("vni",), ("segment-routing",)),
    *(("bgp", word) for word in ("graceful-shutdown", "suppress-fib-pending", "update-delay")),
}


@pytest.mark.parametrize("start", sorted({*TOP_HARMLESS, *TOP_REFUSED} - IN_BOTH), ids=" ".join)
def test_top_level(start: tuple[str, ...]) -> None:
    """All that is known of the top level is known to end `router bgp`."""
    (*_, last) = statements("f", f"{BGP}{' '.join(start)} bgp\n".encode())
    assert last.mode is CommandMode.TOP


def test_lines_of_a_refused_route_map() -> None:
    """Lines of a route-map whose number is none are refused with it."""
    text = f"{BGP}route-map M permit ten\n set metric 5\n"
    assert "its route-map was refused" in refused(text)[1]


def test_mpls() -> None:
    """The router-id of LDP is not BGP's."""
    text = f"mpls ldp\n router-id 192.0.2.9\n!\n{BGP}"
    assert refused(text) == []
    assert understand(text).router_id is None


def test_as_notation() -> None:
    """How AS numbers are shown says nothing of them."""
    text = "frr version 10.3\nrouter bgp 1.10 as-notation dot+\n"
    assert understand(text).asn == 65546


@pytest.mark.parametrize(
    "line",
    [
        "neighbor 203.0.113.1 remote-as 1.10",
        "neighbor 203.0.113.1 local-as 1.10",
        "network 192.0.2.1/32 route-map M\nroute-map M permit 10\nset as-path prepend 64699 1.10",
    ],
)
def test_as_numbers_in_halves(line: str) -> None:
    """Quagga refuses them, and FRR before 9.0: of such a file they are an error."""
    for text in (BGP, f"frr version 8.4.4\n{BGP}"):
        obstacles = evaluate(understand(f"{text}{line}\n")).obstacles
        assert any("in halves, which Quagga refuses" in str(each) for each in obstacles)
    with pytest.raises(MigrationError, match="in halves"):
        understand("frr version 8.4.4\nrouter bgp 1.10\n")
    found = understand(f"frr version 10.3\n{BGP}{line}\n")
    assert not any("halves" in str(each) for each in found.obstacles)


@pytest.mark.parametrize("line", ["tcp-mss 1400", "extended-optional-parameters", "solo"])
def test_what_is_of_the_session_alone(line: str) -> None:
    """What a neighbour's line says of TCP, of OPEN or of how bgpd works changes no UPDATE, and hinders no import."""
    for text in (f"neighbor 203.0.113.1 {line}", f"no neighbor 203.0.113.1 {line}"):
        found = understand(f"frr version 8.4.4\n{BGP} {text}\n")
        assert found.obstacles == ()
        assert found.verdicts[-1].treatment is Treatment.HARMLESS


@pytest.mark.parametrize(
    "word",
    [
        *("l2vpn-evpn", "ipv4-vpn", "ipv6-labeled-unicast", "subgroup-pkt-queue-max 40"),
        *("dynamic-capability", "software-version-capability latest-encoding"),
    ],
)
def test_defaults_that_change_no_update(word: str) -> None:
    """`bgp default` of another address family, of capabilities or of how bgpd works hinders no import."""
    for no in ("", "no "):
        found = understand(f"frr version 10.3\n{BGP} {no}bgp default {word}\n")
        assert found.obstacles == ()
        assert found.verdicts[-1].treatment is Treatment.HARMLESS
    assert understand(f"frr version 10.3\n{BGP} bgp default x\n").obstacles


def test_secrets() -> None:
    """No line shows a password or a key, of BGP or of another daemon."""
    for line in (
        "password abc",
        "enable password 8 abc",
        "neighbor 203.0.113.1 password a b abc",
        "ip ospf message-digest-key 1 md5 abc",
        "ip ospf authentication-key abc",
        "key-string abc",
        "area-password clear abc",
    ):
        (found,) = statements("f", line.encode())
        assert "abc" not in str(found)
        assert str(found).endswith(" …")


def test_integrated() -> None:
    """In one file for all daemons, the others' blocks are harmless; their networks are no VIPs."""
    text = (
        "frr version 8.4.4\nservice integrated-vtysh-config\ninterface eth0\n ip address 203.0.113.9/24\n"
        "exit\nip route 0.0.0.0/0 203.0.113.1\nrouter ospf\n network 203.0.113.0/24 area 0\n"
        " redistribute connected\nexit\n" + BGP + "exit\nbfd\n peer 203.0.113.1\nexit\nend\n"
    )
    found = read("frr.conf", text.encode())
    assert [v for v in found.verdicts if v.treatment is Treatment.REFUSED] == []
    assert not found.networks
    assert str(found.neighbors[0].local) == "203.0.113.9"


def test_neighbor() -> None:
    """All that a neighbour's session needs is read, and inherited from its group."""
    text = (
        "router bgp 64699\n timers bgp 10 30\n neighbor G peer-group\n neighbor G remote-as 64500\n"
        " neighbor G password s e c\n neighbor G timers 3 9\n neighbor 2001:DB8::1 peer-group G\n"
        " neighbor 2001:db8::1 description to the\trouter\n neighbor 2001:db8::1 ebgp-multihop 5\n"
        " neighbor 2001:db8::1 update-source 2001:db8::9\n neighbor 203.0.113.2 remote-as 64500\n"
        " neighbor 203.0.113.2 ttl-security hops 1\n neighbor 203.0.113.2 port 1179\n"
    )
    assert refused(text) == []
    first, second = understand(text).neighbors
    assert (first.password, first.hold_time, first.multihop) == ("s e c", 9, 5)
    assert (str(first.local), first.group) == ("2001:db8::9", "G")
    assert first.description == "to the router"
    assert (second.hold_time, second.ttl_security, second.port) == (30, 1, 1179)


@pytest.mark.parametrize(
    ("family", "takes"),
    [("vpnv4 unicast", "Quagga"), ("encap", "Quagga"), ("ipv4 flowspec", "FRR")],
)
def test_a_family_that_one_of_them_refuses(family: str, takes: str) -> None:
    """It reads what stands in it as IPv4 unicast's: an error, and no line to be passed over."""
    block = f" address-family {family}\n  neighbor 203.0.113.1 prefix-list P out\n"
    for daemon, text in (("Quagga", BGP), ("FRR", f"frr version 8.4.4\n{BGP}")):
        found = understand(f"{text}{block}")
        (first, _) = refused(f"{text}{block}")
        expected = [] if daemon == takes else [first]
        assert [str(each) for each in found.obstacles] == expected
        assert (f"{daemon} refuses it, and reads what stands in it" in first) == bool(expected)


USED = f"""\
{BGP} neighbor 203.0.113.1 filter-list A out
 neighbor 203.0.113.1 prefix-list P out
 network 192.0.2.1/32 route-map M
route-map M permit 10
 match community C
 match large-community L
"""


@pytest.mark.parametrize(
    ("line", "in_frr", "in_quagga"),
    [
        ("ip as-path access-list A permit .*", "FRR refuses it from 8.0", ""),
        ("ip community-list standard C permit 64699:1", "FRR refuses it from 8.0", ""),
        ("ip large-community-list 1 permit 64699:1:2", "FRR refuses it from 8.0", ""),
        ("bgp community-list C permit 64699:1", "FRR refuses it without `standard`", None),
        ("bgp large-community-list L permit 1:2:3", "FRR refuses it without `standard`", None),
        ("bgp community-list 100 permit 64699:1", "expanded", None),
        ("bgp community-list standard C permit internet", "refused by FRR 10", None),
        ("ip community-list standard C permit internet", "refused by FRR 10", ""),
        ("ip community-list 100 permit 64699:1", "FRR refuses it from 8.0", "expanded"),
        ("ip prefix-list P permit any le 32", "write 0.0.0.0/0", "write 0.0.0.0/0"),
        ("ip prefix-list P remark x", "is unknown", "is unknown"),
        ("ip prefix-list P seq 5 description x", "is unknown", "is unknown"),
        ("access-list D description x", "is unknown", "is unknown"),
    ],
)
def test_lists_that_a_daemon_refuses(line: str, in_frr: str, in_quagga: str | None) -> None:
    """It has no such list, or entry, then: no line of a list that is refused is taken."""
    for expected, head in ((in_frr, "frr version 8.4.4\n"), (in_quagga, "")):
        if expected is not None:
            found = [each for each in refused(f"{head}{USED}{line}\n") if line in each]
            assert len(found) == bool(expected)
            assert all(expected in each for each in found)
    old = refused(f"frr version 7.3\n{USED}{line}\n")
    assert not any("from 8.0" in each for each in old)


@pytest.mark.parametrize(
    "lines",
    [
        "route-map M permit 10\n set community internet 64699:1",
        "route-map M permit 10\n set as-path prepend 1.10",
        "bgp community-list standard C permit internet",
        "route-map ALL permit 10\n match community internet\nbgp community-list standard internet permit 64699:1",
    ],
)
def test_what_versions_refuse_where_nothing_uses_it(lines: str) -> None:
    """A route-map or a list that no route out meets hinders no import; and a list may be called internet."""
    text = f"frr version 8.4.4\n{BGP} no bgp ebgp-requires-policy\n network 192.0.2.1/32 route-map ALL\n"
    assert evaluate(understand(f"{text}{lines}\n")).obstacles == ()


def test_a_password_of_several_words() -> None:
    """Quagga takes it, FRR refuses the line."""
    text = f"{BGP} neighbor 203.0.113.1 password a b\n"
    assert understand(text).neighbors[0].password == "a b"
    (found,) = refused(f"frr version 8.4.4\n{text}")
    assert "is several words, of which FRR takes one" in found
    assert " a b" not in found


def test_settings_taken_back() -> None:
    """`no` of a member's setting leaves the group's, and `no timers connect` the other timers."""
    text = (
        "frr version 8.4.4\nrouter bgp 64699\n neighbor G peer-group\n neighbor G remote-as 64500\n"
        " neighbor G password g\n neighbor G timers 3 9\n neighbor 203.0.113.1 peer-group G\n"
        " neighbor 203.0.113.1 password own\n no neighbor 203.0.113.1 password own\n"
        " neighbor 203.0.113.1 timers 10 30\n no neighbor 203.0.113.1 timers connect 5\n"
        " neighbor G route-map A out\n neighbor 203.0.113.1 route-map B out\n"
        " no neighbor 203.0.113.1 route-map B out\n"
    )
    assert refused(text) == []
    (found,) = understand(text).neighbors
    assert (found.password, found.hold_time) == ("g", 30)
    assert found.families[4].route_map is not None
    assert found.families[4].route_map.name == "A"


def test_remote_as_of_a_group() -> None:
    """A group's remote-as is all its members', whatever is said of them before or after."""
    text = (
        "router bgp 64699\n neighbor G peer-group\n neighbor 203.0.113.1 remote-as 64501\n"
        " neighbor 203.0.113.1 peer-group G\n neighbor G remote-as 64500\n"
        " neighbor 203.0.113.1 remote-as 64502\n"
    )
    (found,) = refused(text)
    assert found.startswith(
        "bgpd.conf:6: neighbor 203.0.113.1 remote-as 64502: is in the peer-group G"
    )
    assert understand(text).neighbors[0].asn == 64500


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["{M} remote-as 64501", "{M} peer-group G", "G remote-as 64500"], "member 203.0.113.1"),
        (["G remote-as 64500", "{M} peer-group G", "{M} remote-as 64501"], "is in the peer-group"),
        (["{M} remote-as 64501", "G remote-as internal", "{M} peer-group G"], "before FRR 10.7"),
        (["{M} remote-as 64699", "G remote-as external", "{M} peer-group G"], "before FRR 10.7"),
    ],
)
def test_remote_as_beside_that_of_a_group(lines: list[str], expected: str) -> None:
    """Which of two ASes counts depends on FRR's version: that is an error, and no guess."""
    said = "".join(f" neighbor {line.format(M='203.0.113.1')}\n" for line in lines)
    text = f"frr version 10.3\nrouter bgp 64699\n neighbor G peer-group\n{said}"
    (found,) = refused(text)
    assert found.startswith("bgpd.conf:6: ")
    assert expected in found
    assert "10.7" in found
    assert understand(text).obstacles


def test_remote_as_the_same_as_that_of_a_group() -> None:
    """Where both say the same AS, whichever counts is right."""
    text = (
        "frr version 10.3\nrouter bgp 64699\n neighbor G peer-group\n"
        " neighbor 203.0.113.1 remote-as internal\n neighbor 203.0.113.1 peer-group G\n"
        " neighbor G remote-as 64699\n"
    )
    assert refused(text) == []
    assert understand(text).neighbors[0].asn == 64699


@pytest.mark.parametrize("line", ["route-map M out", "prefix-list L out", "send-community both"])
@pytest.mark.parametrize("bind_last", [False, True])
def test_policy_of_a_member(line: str, *, bind_last: bool) -> None:
    """Quagga has one policy out for a group; FRR one for each neighbour."""
    group = " neighbor G peer-group\n"
    lines = [f" neighbor 203.0.113.1 {line}\n", " neighbor 203.0.113.1 peer-group G\n"]
    text = BGP + group + "".join(lines if bind_last else lines[::-1])
    (found,) = refused(text)
    assert "Quagga's members of a peer-group are sent what the group is" in found
    assert understand(text).obstacles
    assert refused(f"frr version 8.4.4\n{text}") == []


@pytest.mark.parametrize(("defaults", "hold"), [("traditional", 180), ("datacenter", 9)])
def test_no_timers(defaults: str, hold: int) -> None:
    """`no timers bgp` is the default's again."""
    text = f"frr defaults {defaults}\nrouter bgp 64699\n timers bgp 10 30\n no timers bgp\n"
    text += " neighbor 203.0.113.1 remote-as 64500\n"
    assert understand(text).neighbors[0].hold_time == hold


def test_a_description_alone() -> None:
    """Of a description alone FRR makes no list, which denies; Quagga one, which permits all."""
    text = f"{BGP} neighbor 203.0.113.1 prefix-list L out\n network 192.0.2.1/32\n"
    text += "ip prefix-list L description of nothing\n"
    for head, count in (("", 1), ("frr version 7.3\n", 0)):
        (sent,) = evaluate(understand(f"{head}{text}")).updates.values()
        assert len(sent) == count


def test_the_last_number() -> None:
    """Where a list has no number left, an entry without one is refused."""
    text = "ip prefix-list L seq 4294967295 permit any\nip prefix-list L permit any\n"
    (found,) = refused(BGP + text)
    assert "there is no number left" in found


@pytest.mark.parametrize("line", ["route-map M permit", "route-map M permit x", "set metric 1"])
def test_what_follows_is_not_known(line: str) -> None:
    """A line after which bgpd may be in another block than it seems stops everything."""
    assert understand(f"{BGP}exit\nline vty\nhostname a\n{line}\n").obstacles


NUMBERED = """\
router bgp 64699
router bgp 1.10
bgp router-id 203.0.113.9
bgp default local-preference 200
timers bgp 3 9
neighbor 203.0.113.1 remote-as 64500
neighbor 203.0.113.1 timers 3 9
neighbor 203.0.113.1 ebgp-multihop 4
neighbor 203.0.113.1 ttl-security hops 4
neighbor 203.0.113.1 port 179
neighbor 203.0.113.1 local-as 64511
neighbor 203.0.113.1 maximum-prefix-out 5
neighbor 203.0.113.1 update-source 203.0.113.9
network 192.0.2.1/32
network 192.0.2.1 mask 255.255.255.255
network 192.0.2.1
network 2001:db8::1/128
route-map M permit 10
match metric 5
match tag 5
set metric 5
set metric +5
set local-preference 5
set weight 5
set as-path prepend 64699 64699
set as-path prepend last-as 5
set community 64699:1
set community 65537
set large-community 64699:1:1
set ip next-hop 203.0.113.9
ip prefix-list L seq 5 permit 192.0.2.0/24 ge 25 le 32
access-list 10 permit 192.0.2.0 0.0.0.255
access-list 100 permit ip 192.0.2.0 0.0.0.255 host 255.255.255.255
access-list A seq 5 permit 192.0.2.0/24
ipv6 access-list A permit 2001:db8::1/128
ip as-path access-list A seq 5 permit 64699
ip community-list 1 permit 64699:1
frr version 8.4.4
ip address 203.0.113.9/24
ipv6 address 2001:db8::9/64
router-id 203.0.113.9""".split("\n")
AROUND = "{}router bgp 64699\nneighbor 203.0.113.1 remote-as 64500\nnetwork 192.0.2.1/32\n{}\nset metric 5\nroute-map M permit 10\n{}\nset metric 5\n"


@pytest.mark.parametrize("line", NUMBERED)
def test_long_numbers(line: str) -> None:
    """A number of thousands of digits, which Python does not convert, is refused like any other too large."""
    for match in re.finditer("[0-9]+", line):
        for digits in ("9" * 5000, "0" * 5000 + "1"):
            long = line[: match.start()] + digits + line[match.end() :]
            for place in (("", long, ""), ("", "", long), (f"interface eth0\n{long}\n", "", "")):
                with suppress(MigrationError):
                    found = understand(AROUND.format(*place))
                    account(found, evaluate(found))
