"""`redistribute`: which prefixes it comes to, and where that can't be told."""

from __future__ import annotations

import pytest

from policy.route import parse_prefix
from speaker.migration.bgpd_conf.model import Dialect, Treatment
from speaker.migration.bgpd_conf.reader import read
from speaker.migration.updates.evaluate import Evaluation, evaluate
from speaker.migration.updates.verdicts import account

HEAD = "router bgp 64699\n neighbor 203.0.113.1 remote-as 64500\n"
LIST = "ip prefix-list VIPS seq 5 permit 192.0.2.1/32\nip prefix-list VIPS seq 10 permit 192.0.2.2/32\n"
MAP = "route-map OUT permit 10\n match ip address prefix-list VIPS\n set as-path prepend 64699\n"
WIDE = "ip prefix-list VIPS seq 5 permit 192.0.2.0/24 ge 32\n"
LO = (
    "interface lo\n ip address 127.0.0.1/8\n ip address 192.0.2.1/32\n ip address 198.51.100.1/32\n"
)


def told(text: str, dialect: Dialect = Dialect.QUAGGA) -> tuple[Evaluation, list[str]]:
    found = read("bgpd.conf", text.encode(), dialect)
    evaluation = evaluate(found)
    refused = [v for v in account(found, evaluation) if v.treatment is Treatment.REFUSED]
    return evaluation, [str(verdict) for verdict in refused]


def sent(text: str) -> dict[str, str]:
    """What the neighbour is sent, where nothing is unclear or unsaid."""
    evaluation, refused = told(text)
    assert not evaluation.obstacles, evaluation.obstacles[0]
    assert refused == []
    ((_, updates),) = evaluation.updates.items()
    return {str(prefix): str(update.attributes) for prefix, update in updates.items()}


@pytest.mark.parametrize("source", ["connected", "static", "kernel metric 7", "connected metric 7"])
def test_single_prefixes(source: str) -> None:
    """A route-map that permits single prefixes says all: they are announced, with ORIGIN incomplete."""
    med = 7 if "metric" in source else 0
    said = f"as-path [ 64699 64699 ] origin incomplete med {med}"
    text = f"{HEAD} redistribute {source} route-map OUT\n{LIST}{MAP}"
    assert sent(text) == {"192.0.2.1/32": said, "192.0.2.2/32": said}


def test_ipv6() -> None:
    """Each family has lines of its own, and its lists."""
    text = (
        f"{HEAD} address-family ipv6\n  redistribute connected route-map OUT6\n"
        "  neighbor 203.0.113.1 activate\n exit-address-family\n"
        "ipv6 prefix-list V6 permit 2001:db8::1/128\nroute-map OUT6 permit 10\n"
        " match ipv6 address prefix-list V6\n set metric 5\n set origin igp\n"
    )
    assert sent(text) == {"2001:db8::1/128": "as-path [ 64699 ] origin igp med 5"}


def test_the_route_map_decides() -> None:
    """A deny before, a list of zebra's kind, and attributes by clause."""
    text = (
        f"{HEAD} redistribute connected route-map OUT\naccess-list A permit 192.0.2.1/32 exact-match\n"
        "ip prefix-list NO permit 192.0.2.2/32\n"
        "route-map OUT deny 5\n match ip address prefix-list NO\n"
        "route-map OUT permit 10\n match ip address A\n set community 64699:1\n"
        f"{MAP.replace('permit 10', 'permit 20')}{LIST}"
    )
    assert sent(text) == {
        "192.0.2.1/32": "as-path [ 64699 ] origin incomplete med 0 community [ 64699:1 ]"
    }


@pytest.mark.parametrize("more", ["", f" redistribute connected route-map OUT\n{MAP}"])
def test_nothing_known(more: str) -> None:
    """No list of single prefixes, and nothing in the file: an obstacle, that says what keeps the VIPs."""
    text = f"{HEAD} network 192.0.2.9/32\n{more or ' redistribute connected' + chr(10)}{WIDE}"
    evaluation, refused = told(text)
    (obstacle,) = evaluation.obstacles
    assert "write a network line for each VIP" in str(obstacle)
    assert refused == [str(obstacle)]


def test_the_file_knows_some() -> None:
    """What the file has is taken, of each line its own source, and it is said that there may be more."""
    text = (
        f"{LO}ip route 192.0.2.3 255.255.255.255 Null0\nip route 192.0.2.4/32 blackhole vrf X\n"
        f"{HEAD} redistribute connected route-map OUT\n redistribute static\n{WIDE}{MAP}"
    )
    evaluation, refused = told(text)
    ((_, updates),) = evaluation.updates.items()
    assert [*map(str, updates)] == ["192.0.2.1/32", "192.0.2.3/32"]
    assert not evaluation.obstacles
    assert len(refused) == 2
    assert "redistribute connected route-map OUT: taken over: 1 prefix of the file" in refused[0]


def test_a_network_line_goes_before() -> None:
    """bgpd prefers a network line by its ORIGIN; where AS_PATH is longer there, that is an obstacle."""
    text = f"{HEAD} network 192.0.2.1/32 route-map OUT\n redistribute connected route-map OUT\n{LIST}{MAP}"
    assert sent(text)["192.0.2.1/32"] == "as-path [ 64699 64699 ] origin igp med 0"
    longer = "route-map LONG permit 10\n set as-path prepend 64699 64699\n"
    evaluation, _ = told(text.replace("/32 route-map OUT", "/32 route-map LONG") + longer)
    assert "192.0.2.1/32 may come by bgpd.conf:3 too" in str(evaluation.obstacles[0])


OBSTACLES = [
    (
        f"ip route 192.0.2.1/32 203.0.113.9\n{HEAD} redistribute static route-map OUT\n{LIST}{MAP}",
        "bgpd sends the gateway as next hop of 192.0.2.1/32",
    ),
    (
        f"{HEAD} redistribute kernel route-map OUT\n{LIST}{MAP}",
        "MED of 192.0.2.1/32 is the metric that the kernel has",
    ),
    (
        (
            f"{HEAD} redistribute connected route-map OUT\n redistribute static metric 5 route-map OUT\n"
            f"{LIST}{MAP}"
        ),
        "192.0.2.1/32 may come by bgpd.conf:3 too, with other attributes",
    ),
    (
        f"{HEAD} redistribute connected route-map OUT\n{LIST}{MAP} match interface lo\n",
        "match interface lo",
    ),
    (f"{HEAD} redistribute connected foo 1\n", "'foo' is not translated"),
]


@pytest.mark.parametrize(("text", "said"), OBSTACLES, ids=[said for _, said in OBSTACLES])
def test_obstacles(text: str, said: str) -> None:
    """What can't be told is an obstacle, by its line."""
    evaluation, _ = told(text)
    assert any(said in str(obstacle) for obstacle in evaluation.obstacles), evaluation.obstacles


def test_it_is_taken_back_and_said_again() -> None:
    """`no redistribute` takes a line back; a line that says less leaves what one before said, as in bgpd."""
    assert sent(f"{HEAD} redistribute connected\n no redistribute connected\n") == {}
    lines = " redistribute connected metric 7\n redistribute connected route-map OUT\n"
    assert {each[-5:] for each in sent(f"{HEAD}{lines}{LIST}{MAP}").values()} == {"med 7"}


def test_static_by_its_own_source() -> None:
    """A single prefix that the file has of one source is not announced by a line of another."""
    text = (
        f"ip route 192.0.2.1/32 Null0\n{HEAD} redistribute static metric 5 route-map OUT\n"
        f" redistribute connected route-map OUT\n{LIST.splitlines()[0]}\n{MAP}"
    )
    assert sent(text) == {"192.0.2.1/32": "as-path [ 64699 64699 ] origin incomplete med 5"}
    assert parse_prefix("192.0.2.1/32") in read("f", text.encode(), Dialect.QUAGGA).networks
