"""What is rendered as vip.toml means the same when it is read again."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from ipaddress import IPv6Address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy.route import MAX_PREPENDS
from policy.topology import Profile, Topology
from speaker import config
from speaker.config.render import Comments, plain, render
from speaker.config.render_tables import DEFAULT_RULE
from speaker.config.settings import NextHop
from speaker.config.toml_text import TomlText
from speaker.errors import SpeakerError
from speaker.units import duration, duration_text, share, share_text
from tests.support.strategies import policy as made
from tests.support.strategies.checks import with_rules
from tests.support.strategies.peers import site_peers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from speaker.config.settings import Config


def load(text: str) -> Config:
    """Read a text as `vip.toml` is read."""
    with TemporaryDirectory() as directory:
        path = Path(directory, "vip.toml")
        path.write_text(text, encoding="utf-8")
        return config.load(path, {})


@st.composite
def with_peers(draw: st.DrawFn) -> Config:
    """A configuration, with rules for single neighbours where its backend takes them."""
    found = draw(made.configs())
    topology = found.topology
    if found.settings.backend == "quagga" or any(
        profile.prepends > MAX_PREPENDS - 2
        for vip in topology.everything
        for profile in (*vip.ranks, *(p for a in vip.addresses for p in a.ranks))
    ):
        return found
    names = [vip.name for vip in topology.vips]
    peers = draw(site_peers([dc.name for dc in topology.dcs], names))
    return replace(found, topology=replace(topology, peers=peers))


@given(with_peers(), st.text(), st.data())
def test_it_means_the_same(written: Config, said: str, data: st.DataObject) -> None:
    """Configuration -> text -> configuration gives the same, and no comment changes the meaning."""
    topology = written.topology
    some = {prefix: said for prefix in topology.prefixes if data.draw(st.booleans())}
    comments = Comments(said, {"par1": said}, {"rank-0": said}, {"vip-0.tld": said}, some)
    text = render(written, comments)
    assert load(text) == written
    assert load(render(load(text))) == written


@given(made.configs().flatmap(with_rules))
def test_checks_and_rules(written: Config) -> None:
    """So do checks and rules: what a rule is made of stands in its place."""
    text = render(written)
    assert load(text) == written
    assert render(load(text)) == text


@given(made.configs())
def test_a_topology_alone(written: Config) -> None:
    """Topology -> text -> topology gives the same, without a setting of anybody's."""
    topology = written.topology
    for dc in topology.dcs:
        found = load(render(plain(topology, dc.name)))
        assert (found.topology, found.settings.dc) == (topology, dc)
        assert found.settings.backend == "exabgp"


@given(made.wider_topologies().filter(made.has_own_addresses))
def test_a_wider_topology(topology: Topology) -> None:
    """So it is with equal data centres, a part of them, and every order."""
    vips = tuple(replace(vip, health=DEFAULT_RULE) for vip in topology.vips if vip.addresses)
    topology = replace(topology, vips=vips)
    for dc in topology.dcs:
        assert load(render(plain(topology, dc.name))).topology == topology


VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.floats(0.001, 1e9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.text(), st.dictionaries(st.text(), VALUES, min_size=1), st.text())
@example("a.b", {"\x7f": "\x7f\r\n\t\"'\\"}, "x\r\x00\x7f]\n[y]")
def test_any_value(name: str, keys: Mapping[str, object], comment: str) -> None:
    """Any key and any value parses back, and a comment says nothing, whatever is in them."""
    text = TomlText()
    text.table(["vip", name], keys, comment)
    assert tomllib.loads(str(text)) == {"vip": {name: keys}}


@given(st.floats(0, 999_999_999))
@example(0.035)
@example(35 * 0.001)
def test_durations(seconds: float) -> None:
    """A duration parses back, to within a microsecond, and one that was parsed exactly."""
    found = duration(duration_text(seconds))
    assert found == pytest.approx(seconds, abs=1e-6)
    assert duration(duration_text(found)) == found


@given(st.integers(0, 100_000))
def test_shares(thousandths: int) -> None:
    """A share of so many thousandths of a per cent parses back."""
    part = share(f"{thousandths // 1000}.{thousandths % 1000:03}%")
    assert share(share_text(part)) == part


def test_two_profiles_of_one_name() -> None:
    """Two profiles of one name can't be said, and are refused."""
    topology = load(
        """
        node.dc = "par1"
        dc.par1.asn = 64699
        vip."vip-1.tld".addresses = ["192.0.2.1"]
        vip."vip-2.tld".addresses = ["192.0.2.2"]
        """
    ).topology
    one, two = (
        replace(vip, ranks=(Profile("near", count),)) for count, vip in enumerate(topology.vips)
    )
    with pytest.raises(SpeakerError, match="profile near"):
        render(plain(Topology(topology.dcs, (one, two)), "par1"))


def test_how_it_looks() -> None:
    """A file is as a person would write it: defaults left out, short lists on a line, comments above."""
    text = """\
# Made of bgpd.conf.
# Check it.

[node]
dc = "par1"
backend = "quagga"

[dc.par1]
asn = 64699

[dc.lyo1]
asn = 64699
weight = 2
next_hop = { ipv6 = "2001:db8::53" }

[policy]
prepends = [1, 2]

[profile.near]
prepends = 0
communities = ["64699:100"]

[profile.far]
prepends = 3
med = 50

# The shop.
[vip."vip-1.tld"]
addresses = ["192.0.2.1", { ip = "2001:db8::1", prefer = ["lyo1", "par1"] }, "192.0.2.5"]
prefer = ["par1", "lyo1"]

[vip."vip-2.tld"]
addresses = [
  # route-map BGP2
  "192.0.2.2",
  "192.0.2.3",
]
prefer = "spread"

[vip."vip-3.tld"]
addresses = [{ ip = "203.0.113.0", prefix_length = 24, ranks = ["near", "far"] }]
prefer = ["par1", "lyo1"]
ranks = ["near", "far"]
health = { source = "none" }

[vip."vip-4.tld"]
addresses = ["192.0.2.4"]
prefer = ["par1", "lyo1"]
services = { "tcp/80" = {}, "tcp/443" = { restore_at = 2, rise = "1m" } }

[backend.quagga]
route_map = { prepend-1 = "BGP1" }
outbound = true
"""
    found = load(text)
    (prefix,) = (p for p in found.topology.prefixes if str(p) == "192.0.2.2/32")
    comments = Comments(
        "Made of bgpd.conf.\nCheck it.",
        vips={"vip-1.tld": "The shop."},
        addresses={prefix: "route-map BGP2"},
    )
    hops = {"lyo1": NextHop(ipv6=IPv6Address("2001:db8::53"))}
    assert render(found, comments, hops) == text
