"""`[aggregate."PREFIX"]`: what its keys mean, and what is said of every fault."""

from __future__ import annotations

import pytest

from policy.route import parse_prefix
from policy.topology import AggregateRule, Profile
from speaker.config.render import plain, render
from tests.unit.config.test_load import HEAD, VIP, faults, load

NARROW = parse_prefix("192.0.2.0/24")
AGGREGATE = '[aggregate."192.0.2.0/24"]\n'


def test_defaults() -> None:
    """One VIP is enough, the VIPs are announced too, and the ranks are the site's."""
    found = load(HEAD + VIP + AGGREGATE)
    (aggregate,) = found.topology.aggregates
    assert aggregate.name == str(NARROW)
    assert aggregate.aggregate == AggregateRule(1, summary_only=False)
    assert aggregate.addresses[0].prefix == NARROW
    assert aggregate.addresses[0].prefer == ("par1", "lyo1")
    assert aggregate.ranks == found.topology.vips[0].ranks
    assert found.settings.health[aggregate.name].source == "none"
    assert found.topology.prefixes == (parse_prefix("192.0.2.1"), NARROW)
    assert found.topology.find(NARROW) == (aggregate, aggregate.addresses[0])
    outside = parse_prefix("192.0.2.77")
    assert found.topology.home(outside.network_address) is None, "an address is a VIP's alone"


def test_every_key() -> None:
    """Preference and ranks as of an address; what `[health]` says is not of it."""
    text = (
        HEAD
        + VIP
        + "[health]\nrequire_address = true\ndamping = {}\n[profile.far]\nprepends = 7\nmed = 5\n"
        "[profile.near]\nprepends = 4\n"
        + AGGREGATE
        + 'prefer = ["lyo1", "par1"]\nranks = ["near", "far"]\nat_least = 2\nsummary_only = true\n'
    )
    (aggregate,) = load(text).topology.aggregates
    assert aggregate.aggregate == AggregateRule(2, summary_only=True)
    assert aggregate.addresses[0].prefer == ("lyo1", "par1")
    assert aggregate.ranks == (Profile("near", 4), Profile("far", 7, 5))
    assert not aggregate.health.require_address
    assert aggregate.health.damping is None
    assert not aggregate.health.checker.required


def test_spread() -> None:
    """The n-th aggregate of each family goes to the n-th data centre."""
    names = ["192.0.2.0/24", "2001:db8::/48", "198.51.100.0/24", "2001:db8:1::/48"]
    found = load(HEAD + VIP + "".join(f'[aggregate."{name}"]\n' for name in names)).topology
    first = {each.name: each.addresses[0].prefer[0] for each in found.aggregates}
    assert first == dict(zip(names, ["par1", "par1", "lyo1", "lyo1"], strict=True))


def test_it_is_written_as_it_is_read() -> None:
    """What is rendered means the same, also without a setting of anybody's."""
    text = HEAD + VIP + AGGREGATE + "at_least = 3\nsummary_only = true\n"
    found = load(text)
    assert load(render(found)) == found
    assert load(render(plain(found.topology, "par1"))).topology == found.topology


FAULTS = [
    ('[aggregate."x"]', "aggregate.x: "),
    ('[aggregate."192.0.2.1/24"]', "192.0.2.1/24 has host bits set"),
    ('[aggregate."192.0.2.9"]', "covers nothing but itself"),
    ('[aggregate."0.0.0.0/0"]', "is no prefix of unicast addresses"),
    ('[aggregate."224.0.0.0/8"]', "is no prefix of unicast addresses"),
    (AGGREGATE + '[aggregate."192.0.2.0/24 "]', "192.0.2.0/24 "),
    (
        '[vip.wide]\naddresses = [{ ip = "192.0.2.0", prefix_length = 24 }]\n' + AGGREGATE,
        "192.0.2.0/24 is also vip.wide.addresses[0]; keep one",
    ),
    (AGGREGATE + "at_least = 0", "at_least"),
    (AGGREGATE + "summary_only = 1", "summary_only"),
    (AGGREGATE + "as_set = true", "as_set: unknown key"),
    (AGGREGATE + 'prefer = ["par1"]', "must name each data centre once"),
    (AGGREGATE + 'ranks = ["none"]', "have no [profile.…]"),
    ('[aggregate."2001:db8::/32"]\n[aggregate."2001:DB8:0::/32"]', "is also aggregate."),
]


@pytest.mark.parametrize(("text", "said"), FAULTS, ids=[said[:24] for _, said in FAULTS])
def test_fault(text: str, said: str) -> None:
    """Each fault is said, once, with the path of its key."""
    (fault,) = faults(HEAD + VIP + text)
    assert said in fault
    assert fault.startswith("aggregate.")


def test_all_faults_at_once() -> None:
    """A faulty aggregate hides no other fault."""
    text = (
        HEAD + VIP + '[aggregate."x"]\n' + AGGREGATE + "at_least = 0\n[vip.two]\naddresses = []\n"
    )
    assert len(faults(text)) == 3
