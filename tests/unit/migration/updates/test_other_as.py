"""`local-as` and `remove-private-AS`: what can't be told is refused by the name of its line."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from speaker.migration.bgpd_conf.model import Dialect
from speaker.migration.bgpd_conf.reader import read
from speaker.migration.updates.evaluate import evaluate

ROUTER = "203.0.113.1"
HEAD = ("router bgp 64699", "no bgp ebgp-requires-policy", f"neighbor {ROUTER} remote-as 64500")
QUAGGA = ("router bgp 64699", f"neighbor {ROUTER} remote-as 64500")
NETWORK = "network 192.0.2.1/32 route-map OWN"
OWN = ("route-map OWN permit 10", "set as-path prepend 64699", "route-map MORE permit 10")


def obstacles(
    *lines: str, head: tuple[str, ...] = HEAD, dialect: Dialect = Dialect.FRR
) -> list[str]:
    text = "\n".join([*head, *lines, NETWORK, *OWN, ""])
    return [*map(str, evaluate(read("bgpd.conf", text.encode(), dialect)).obstacles)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["local-as 64699"], "local-as 64699: is the router's AS, where bgpd refuses it"),
        (["local-as 64500"], "local-as 64500: is the neighbour's AS, where bgpd refuses it"),
        (["remote-as 64699", "local-as 64510"], "local-as 64510: is for eBGP neighbours"),
        (["local-as 64510 replace-as"], "is unknown, incomplete, or abbreviated"),
        (["local-as 64510 no-prepend replace-as dual-as"], "by dual-as the router decides"),
        (["remove-private-AS none"], "is unknown, incomplete, or abbreviated"),
        (["remove-private-AS all", "remove-private-AS"], "bgpd.conf:4 says it otherwise"),
        (
            ["remove-private-AS", "route-map MORE out"],
            "remove-private-AS: which ASes it takes from the AS_PATH depends on bgpd's version",
        ),
    ],
)
def test_refused(lines: list[str], expected: str) -> None:
    """A line that bgpd refuses, one of a kind that is not known, or what two versions read in two ways."""
    more = "set as-path prepend 64699"
    last = (*OWN, *([more] if "route-map" in lines[-1] else []))
    text = "\n".join([*HEAD, *(f"neighbor {ROUTER} {line}" for line in lines), NETWORK, *last, ""])
    found = evaluate(read("bgpd.conf", text.encode(), Dialect.FRR))
    assert any(expected in str(each) for each in found.obstacles), found.obstacles


@pytest.mark.parametrize("asn", ["64500", "65535"])
def test_whose_removal_is_not_known(asn: str) -> None:
    """The neighbour's AS, and the last of 16 bits, are private for some versions only."""
    said = obstacles(
        f"neighbor {ROUTER} remove-private-AS",
        f"network 192.0.2.2/32 route-map O{asn}",
        f"route-map O{asn} permit 10",
        f"set as-path prepend {asn}",
        "router bgp 64699",
    )
    assert len(said) == 1
    assert "or some route-map the neighbour's or 65535" in said[0]


def test_of_quagga() -> None:
    """Quagga has no `all` or `replace-AS`, and a member of a group has the AS of its group."""
    said = obstacles(
        f"neighbor {ROUTER} remove-private-AS all", head=QUAGGA, dialect=Dialect.QUAGGA
    )
    assert "Quagga has neither all nor replace-AS" in said[0]
    said = obstacles(
        "neighbor G peer-group",
        f"neighbor {ROUTER} peer-group G",
        f"neighbor {ROUTER} local-as 64510",
        head=QUAGGA,
        dialect=Dialect.QUAGGA,
    )
    assert "Quagga refuses it for a member" in said[0]
    said = obstacles(f"neighbor {ROUTER} remove-private-AS", head=QUAGGA, dialect=Dialect.QUAGGA)
    assert said == []


def test_of_a_group() -> None:
    """Members have what their group says, and both must say the same."""
    group = ("neighbor G peer-group", f"neighbor {ROUTER} peer-group G")
    assert obstacles(*group, "neighbor G remove-private-AS all") == []
    said = obstacles(
        *group, "neighbor G remove-private-AS all", f"neighbor {ROUTER} remove-private-AS"
    )
    assert "bgpd.conf:6 says it otherwise of its group" in said[0]


def test_taken_back() -> None:
    """The `no` of a line leaves AS_PATH as it was."""
    lines = (
        f"neighbor {ROUTER} local-as 64510",
        f"neighbor {ROUTER} remove-private-AS",
        f"no neighbor {ROUTER} local-as 64510",
        f"no neighbor {ROUTER} remove-private-AS",
    )
    text = "\n".join([*HEAD, *lines, NETWORK, *OWN, ""])
    found = evaluate(read("bgpd.conf", text.encode(), Dialect.FRR))
    assert not found.obstacles
    (update,) = found.updates[ip_address(ROUTER)].values()
    assert str(update.attributes.as_path) == "64699 64699"
