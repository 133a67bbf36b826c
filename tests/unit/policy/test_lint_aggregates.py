"""What check finds of aggregates: those never announced, and those that others' routes bypass."""

from __future__ import annotations

from policy.aggregate import Aggregates
from policy.assignment import assignments
from policy.lint import lint
from policy.lint.aggregates import Duties, bypassed
from policy.lint.finding import Code
from policy.route import Asn, Prefix, parse_prefix
from policy.topology import Address, AggregateRule, DataCentre, Profile, Topology, Vip

DCS = (DataCentre("par1", Asn(64699)), DataCentre("lyo1", Asn(64699)))
RANKS = tuple(map(Profile.plain, (1, 2)))
FIRST, SECOND, OUTSIDE = map(parse_prefix, ("203.0.113.1", "203.0.113.2", "192.0.2.1"))
NARROW = parse_prefix("203.0.113.0/24")


def site(rule: AggregateRule, *hosts: Prefix) -> Topology:
    prefer = ("par1", "lyo1")
    vips = [Vip(f"vip-{host}", (Address(host, prefer),), RANKS) for host in hosts]
    covering = Vip(str(NARROW), (Address(NARROW, prefer),), RANKS, aggregate=rule)
    return Topology(DCS, tuple(vips), (covering,))


def test_clean() -> None:
    """Enough inside, and the same everywhere: nothing to say. An aggregate is no load, and no half of a pair."""
    for rule in (AggregateRule(), AggregateRule(2), AggregateRule(1, summary_only=True)):
        assert lint(site(rule, FIRST, SECOND, OUTSIDE), load_tolerance=1.0) == ()


def test_never() -> None:
    """An aggregate with too few inside is found once, with what is inside and what it wants."""
    (finding,) = lint(site(AggregateRule(), OUTSIDE))
    assert str(finding) == (
        "aggregate 203.0.113.0/24: no VIP's prefix is inside, and at_least = 1: par1, lyo1 will never "
        "announce it; correct the prefix, lower at_least, or remove the aggregate [aggregate-never]"
    )
    (finding,) = lint(site(AggregateRule(3), FIRST, SECOND, OUTSIDE), load_tolerance=1.0)
    assert "only 2 of the VIPs' prefixes are inside, and at_least = 3" in finding.found


def test_bypassed() -> None:
    """Where another data centre announces what is kept back here, the more specific route wins."""
    whole = assignments(site(AggregateRule(1, summary_only=True), FIRST, SECOND), DCS[0])
    alone = {prefix: each for prefix, each in whole.items() if prefix != NARROW}
    par1, lyo1 = Duties(whole, Aggregates.of(whole)), Duties(alone, Aggregates.of(alone))
    (finding,) = bypassed({"par1": par1, "lyo1": lyo1})
    assert finding.code is Code.AGGREGATE_BYPASSED
    assert finding.found.startswith(
        "par1 keeps 203.0.113.1/32 and 1 more back, and lyo1 announces it by itself: "
    )
    assert not [*bypassed({"par1": par1, "lyo1": par1})]
