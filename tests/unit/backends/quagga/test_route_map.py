"""A route-map of ours with extended communities: its lines, how one becomes another, and what one that is there sets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policy.extended import ExtendedCommunity
from policy.route import Asn, AsPath, Attributes
from speaker.backends.quagga.route_map import hidden_of, in_numbers, route_map

ASN = Asn(64699)
GIVEN = tuple(
    map(ExtendedCommunity.parse, ("soo:65546:1", "rt:64500:10", "rt:192.0.2.1:5", "rt:64500:9"))
)
ATTRIBUTES = Attributes(AsPath((ASN,)), extended_communities=GIVEN)
RT, SOO = (
    "set extcommunity rt 64500:9 64500:10 192.0.2.1:5",
    "set extcommunity soo 65546:1",
)
NAME = "VIP-near"
HEAD = f"route-map {NAME} permit 10"


def test_lines() -> None:
    """One line for each kind, each with all its values, sorted."""
    assert route_map(NAME, ASN, ATTRIBUTES).sets == (RT, SOO)


def test_changes() -> None:
    """A kind that is not wanted is removed, without its values; one that is replaces what is there."""
    only = replace(ATTRIBUTES, extended_communities=GIVEN[1:])
    made = route_map(NAME, ASN, only)
    assert [*made.commands([HEAD, SOO])] == [HEAD, "no set extcommunity soo", RT, "exit"]
    assert [*made.commands([HEAD, RT, SOO])] == [HEAD, "no set extcommunity soo", "exit"]
    other = "set extcommunity rt 64500:1"
    assert [*made.commands([HEAD, other])] == [HEAD, RT, "exit"]
    foreign = "set extcommunity bandwidth 100"
    assert [*made.commands([HEAD, RT, foreign])] == [HEAD, f"no {foreign}", "exit"]


def test_read_back() -> None:
    """Values in any order are what was given: bgpd shows them as they were typed."""
    typed = "set extcommunity rt 192.0.2.1:5 64500:10 64500:9"
    assert in_numbers(typed) == RT
    found = hidden_of([HEAD, typed, SOO])
    assert (found.other, Attributes(AsPath((ASN,)), extended_communities=found[-1])) == (
        "",
        ATTRIBUTES,
    )


@pytest.mark.parametrize(
    "line",
    [
        "set extcommunity bandwidth 100",
        "set extcommunity none",
        "set extcommunity color 1",
        "set extcommunity rt 65546:65536",
        "set extcommunity rt 64500:1 additive",
        "set extcommunity rt",
        "set extcommunity",
        "set extcommunity soo 192.0.2.1:5",
    ],
)
def test_what_is_not_ours(line: str) -> None:
    """A kind that we do not set, and a value that bgpd refuses and shows all the same, are not taken for ours."""
    assert hidden_of([HEAD, RT, line]).other == line
