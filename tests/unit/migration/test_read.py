"""bgpd's configuration read: modes, dialects, bad input; and a verdict for every line."""

import re
from pathlib import Path

import pytest

from speaker.migration.evaluate import evaluate
from speaker.migration.read import read
from speaker.migration.statement import MigrationError
from speaker.migration.values import Dialect, Treatment

GOLDEN = Path(__file__).parents[2] / "golden" / "vtysh"
BGP = "router bgp 64699\n neighbor 203.0.113.1 remote-as 64500\n"


def refused(text: str | bytes) -> list[str]:
    content = text if isinstance(text, bytes) else text.encode()
    found = read("bgpd.conf", content)
    return [str(v) for v in found.verdicts if v.treatment is Treatment.REFUSED]


@pytest.mark.parametrize("daemon", ["quagga-0.99.22.4", "quagga-1.2.4", "frr-8.4.4"])
def test_transcripts(daemon: str) -> None:
    """What each daemon was recorded to write is understood to the last line."""
    record = (GOLDEN / daemon / "05-running-config.txt").read_text()
    text = re.split(r"^Current configuration:\n", record, flags=re.MULTILINE)[1]
    found = read("bgpd.conf", text.partition("--- stderr")[0].encode())
    assert [str(v) for v in found.verdicts if v.treatment is Treatment.REFUSED] == []
    assert found.dialect is (Dialect.FRR if daemon.startswith("frr") else Dialect.QUAGGA)
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
    assert list(map(str, read("f", text.encode()).networks)) == [
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
        " network 192.0.2.1/32 route-map M\n"
    )
    found = read("bgpd.conf", text.encode())
    assert {str(p): n.route_map for p, n in found.networks.items()} == {
        "10.0.0.0/8": None,
        "198.51.100.0/24": None,
        "192.0.2.1/32": "M",
    }
    assert "bgpd.conf:9 says it again" in str(found.verdicts[2])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hostname a\n", "bgpd.conf: has no `router bgp`; is it the right file, and whole?"),
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
        (BGP + "no route-map M\n", "bgpd.conf:3: no route-map M: takes back"),
    ],
)
def test_nothing_can_be_migrated(text: str, expected: str) -> None:
    """No `router bgp`, two of them, VRFs and views: refused by file and line."""
    with pytest.raises(MigrationError) as caught:
        read("bgpd.conf", text.encode())
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("frobnicate", "is unknown here"),
        ("redistribute connected", "routes of other sources are not announced"),
        ("aggregate-address 192.0.2.0/24", "aggregates are not announced"),
        ("neighbor eth0 interface remote-as external", "is a neighbour without an address"),
        ("neighbor 203.0.113.9 activate", "names no neighbour that the lines before it made"),
        ("neighbor 203.0.113.1 timers 1 2", "2 s is no hold time"),
        ("neighbor 203.0.113.1 default-originate", "a default route is not taken over"),
        ("network 2001:db8::1/128", "is of IPv6, and stands where IPv4 is meant"),
        ("network 192.0.2.1/33", "'33' is not a number from 0 to 32"),
        ("bgp listen range 203.0.113.0/24 peer-group G", "neighbours by range"),
        ("address-family ipv4 vpn", "only IPv4 and IPv6 unicast"),
        ("route-map M permit", "is incomplete"),
        ("ip prefix-list L permit 192.0.2.0/24 le", "'le' is no ge or le with a length"),
    ],
)
def test_refused(line: str, expected: str) -> None:
    """What is not translated is refused by file and line, with what to do."""
    (found,) = refused(f"{BGP}{line}\n")
    assert found.startswith(f"bgpd.conf:3: {line}: {expected}")


def test_cut_short() -> None:
    """A file that ends within a line may say something else than meant: its last line is refused."""
    (found,) = refused(BGP + " network 192.0.2.1/3")
    assert found.startswith("bgpd.conf:3: network 192.0.2.1/3: the file ends without a line end")
    assert refused(BGP + "end") == []


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
    first, second = read("f", text.encode()).neighbors
    assert (first.password, first.hold_time, first.multihop) == ("s e c", 9, 5)
    assert (str(first.local), first.group) == ("2001:db8::9", "G")
    assert first.description == "to the router"
    assert (second.hold_time, second.ttl_security, second.port) == (30, 1, 1179)
