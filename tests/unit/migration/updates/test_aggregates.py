"""Aggregates, as bgpd makes them of what lies in them."""

from ipaddress import ip_address

import pytest

from policy.route import parse_prefix
from speaker.migration.updates.evaluate import evaluate
from tests.migration.reading import understand

ROUTER = ip_address("203.0.113.1")
FRR = "frr version 8.4.4\nfrr defaults traditional\n"
SENT = "as-path [ 64699 ] origin {} med 0 next-hop self"
INCOMPLETE = "route-map M permit 10\nset origin incomplete"


def bgpd(*lines: str, after: str = "", head: str = FRR) -> str:
    policy = ["no bgp ebgp-requires-policy"] if head else []
    neighbor = f"neighbor {ROUTER} remote-as 64500"
    return head + "\n".join(["router bgp 64699", *policy, neighbor, *lines, after, ""])


def said(text: str) -> dict[str, str]:
    """Return what the neighbour is sent of each prefix, or why nothing."""
    found = evaluate(understand(text))
    assert not found.obstacles
    sent = {**found.silent[ROUTER], **found.updates[ROUTER]}
    return {str(prefix): str(what) for prefix, what in sent.items()}


def test_beside_its_members() -> None:
    """Without summary-only both are announced; members' MED and AS_PATH are theirs alone."""
    text = bgpd(
        "network 192.0.2.1/32 route-map M",
        "aggregate-address 192.0.2.0 255.255.255.0",
        after="route-map M permit 10\nset metric 7\nset as-path prepend 64699",
    )
    assert said(text) == {
        "192.0.2.0/24": SENT.format("igp"),
        "192.0.2.1/32": "as-path [ 64699 64699 ] origin igp med 7 next-hop self",
    }


def test_in_their_place() -> None:
    """With summary-only what lies in it is kept back, and nothing else."""
    text = bgpd(
        "network 192.0.2.1/32",
        "network 198.51.100.1/32",
        "aggregate-address 192.0.2.0/24 summary-only",
    )
    assert said(text) == {
        "192.0.2.0/24": SENT.format("igp"),
        "192.0.2.1/32": "kept back by 192.0.2.0/24, summary-only",
        "198.51.100.1/32": SENT.format("igp"),
    }
    kept = evaluate(understand(text)).kept_back[ROUTER]
    assert {str(p): str(u) for p, u in kept.items()} == {"192.0.2.1/32": SENT.format("igp")}


def test_worst_origin() -> None:
    """FRR gives it the worst ORIGIN of its members; what Quagga does is not known."""
    lines = (
        "network 192.0.2.1/32",
        "network 192.0.2.2/32 route-map M",
        "aggregate-address 192.0.2.0/24",
    )
    assert said(bgpd(*lines, after=INCOMPLETE))["192.0.2.0/24"] == SENT.format("incomplete")
    found = evaluate(understand(bgpd(*lines, after=INCOMPLETE, head="")))
    (obstacle,) = found.obstacles
    assert obstacle.reason.startswith("a network in it has another ORIGIN than igp")


def test_nothing_in_it() -> None:
    """Members that their route-map denies, and other aggregates, are none."""
    text = bgpd(
        "network 192.0.2.1/32",
        "network 192.0.2.129/32 route-map NONE",
        "aggregate-address 192.0.2.0/25",
        "aggregate-address 192.0.2.128/25",
        "no aggregate-address 192.0.2.0/25",
    )
    found = said(text)
    assert found["192.0.2.128/25"] == "no network in it is announced, so bgpd does not announce it"
    assert "192.0.2.0/25" not in found


@pytest.mark.parametrize("line", ["aggregate-address 192.0.2.1/32 summary-only", ""])
def test_of_one_address(line: str) -> None:
    """One that covers nothing but itself changes nothing."""
    assert said(bgpd("network 192.0.2.1/32", line)) == {"192.0.2.1/32": SENT.format("igp")}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["network 198.51.100.1/32"], "no network of the file lies in it"),
        (["network 192.0.2.0/24", "network 192.0.2.1/32"], "bgpd.conf:6 announces it too"),
        ([f"neighbor {ROUTER} unsuppress-map M", "network 192.0.2.1/32"], "it announces what"),
    ],
)
def test_obstacle(lines: list[str], expected: str) -> None:
    """Nothing in it, a prefix that is a network too, and members that one neighbour gets all the same."""
    found = evaluate(understand(bgpd(*lines, "aggregate-address 192.0.2.0/24 summary-only")))
    assert any(expected in str(each) for each in found.obstacles), found.obstacles


def test_members_that_no_neighbor_would_get() -> None:
    """What is kept back has its own attributes where the neighbour's lists would deny it."""
    text = bgpd(
        "network 192.0.2.1/32",
        "aggregate-address 192.0.2.0/24 summary-only",
        f"neighbor {ROUTER} prefix-list COVER out",
        after="ip prefix-list COVER permit 192.0.2.0/24",
    )
    kept = evaluate(understand(text)).kept_back[ROUTER]
    assert str(kept[parse_prefix("192.0.2.1/32")]) == SENT.format("igp")
