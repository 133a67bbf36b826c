"""What bgpd's peers told of a prefix, as recorded from Quagga, and as FRR shows it."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from policy.route import AsPath, Attributes, Community, LargeCommunity, Origin
from policy.witness import HeardPath
from speaker.backends.quagga.learned import MAX_PATHS, learned, parse_entries, questions
from tests.golden.recorded import OLD, P1, P2, Q1, QUAGGA, TABLE4, said

FRR = """\
BGP routing table entry for 192.0.2.1/32, version 1
Paths: (4 available, best #3, table default)
  Advertised to non peer-group peers:
  203.0.113.6 203.0.113.10
  64512 64511
    203.0.113.9 (metric 20) from lb2(203.0.113.10) (203.0.113.254)
      Origin IGP, metric 7, localpref 300, valid, internal
      Community: 64699:1 no-export
      Extended Community: RT:64699:5
      Large Community: 64699:1:2
      Originator: 203.0.113.7, Cluster list: 203.0.113.254
      Last update: Fri Nov 27 04:37:58 2026
  64500 {64502,64503}, (aggregated by 64500 203.0.113.6)
    203.0.113.6 from 203.0.113.6 (203.0.113.254)
      Origin incomplete, valid, external
      Last update: Fri Nov 27 04:37:58 2026
  Local, (stale)
    203.0.113.8 (inaccessible) from 203.0.113.10 (203.0.113.254)
      Origin EGP, metric 0, invalid, internal
      Last update: Fri Nov 27 04:37:58 2026
  Local
    0.0.0.0 from 0.0.0.0 (203.0.113.2)
      Origin IGP, metric 0, weight 32768, valid, sourced, local, best (Weight)
      Last update: Fri Nov 27 04:37:57 2026
% Network not in table
BGP routing table entry for 2001:db8::1/128, version 1
Paths: (1 available, best #1, table default, not advertised to EBGP peer)
  Not advertised to any peer
  64500 1.10
    2001:db8:ffff:2::2 from 203.0.113.10 (203.0.113.254)
    (fe80::540c:1ff:fe79:663f) (used)
      Origin IGP, metric 7, localpref 300, valid, internal, best (Local Pref)
      Community: 64699:1
      Last update: Fri Nov 27 04:37:57 2026
"""


def test_frr() -> None:
    """All of a path is read: its peer, next hop, AS_PATH, communities by number, ORIGINATOR_ID; not bgpd's own."""
    found = parse_entries(FRR.splitlines())
    marked = Attributes(
        AsPath.parse("64512 64511"),
        7,
        Origin.IGP,
        (Community(64699, 1),),
        (LargeCommunity(64699, 1, 2),),
        300,
    )
    local = Attributes(AsPath(), 0, Origin.EGP)
    assert found == {
        P1: {
            "203.0.113.10": (
                HeardPath(marked, ip_address("203.0.113.9"), ip_address("203.0.113.7")),
                HeardPath(local, ip_address("203.0.113.8")),
            ),
            "203.0.113.6": (
                HeardPath(
                    Attributes(AsPath.parse("64500 64502"), None, Origin.INCOMPLETE),
                    ip_address("203.0.113.6"),
                ),
            ),
        },
        Q1: {
            "203.0.113.10": (
                HeardPath(
                    Attributes(
                        AsPath.parse("64500 65546"),
                        7,
                        communities=(Community(64699, 1),),
                        local_preference=300,
                    ),
                    ip_address("2001:db8:ffff:2::2"),
                ),
            )
        },
    }


@pytest.mark.parametrize("dialect", [OLD, QUAGGA])
def test_quagga(dialect: str) -> None:
    """So it is in what Quagga said, where a route was learned beside its own, and alone, in either family."""
    beside = parse_entries(said(dialect, "16", questions([P1])[0]))
    path = HeardPath(
        Attributes(AsPath.parse("64700"), 0, local_preference=100), ip_address("10.99.0.2")
    )
    assert beside == {P1: {"10.99.0.2": (path,)}}
    (alone,) = parse_entries(said(dialect, "16", questions([Q1])[0])).values()
    assert [*alone] == ["2001:db8:ff::2"]


@pytest.mark.parametrize("dialect", [OLD, QUAGGA])
def test_which_are_learned(dialect: str) -> None:
    """The table tells which prefixes have a path of a peer: those alone are asked about."""
    assert [*learned(said(dialect, "16", TABLE4), {P1, P2})] == [P1]


def test_many() -> None:
    """Of a peer that has more paths of a prefix than that (ADD-PATH), so many are kept."""
    path = "  64500\n    203.0.113.6 from 203.0.113.6 (203.0.113.254)\n      Origin IGP, valid, external\n"
    text = f"BGP routing table entry for 192.0.2.1/32, version 1\n{path * 20}"
    assert len(parse_entries(text.splitlines())[P1]["203.0.113.6"]) == MAX_PATHS


@pytest.mark.parametrize("line", ["  64500 blue", "  64500 0", "  4294967296"])
def test_left_out(line: str) -> None:
    """A path that can't be understood is left out; others are kept."""
    text = FRR.replace("  64512 64511", line, 1)
    assert len(parse_entries(text.splitlines())[P1]["203.0.113.10"]) == 1
