"""Pins the grouped lines: many prefixes of one family with the same attributes."""

from collections.abc import Iterator

import pytest

from tests.daemons.stage import ASN, V4, V6, Stage
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Flavour
from tests.support.lab.netns import Network
from tests.support.lab.session import Session

MANY = [f"198.51.100.{number}/32" for number in range(250)]
MANY6 = [f"2001:db8:1::{number:x}/128" for number in range(1, 251)]


def known(stage: Stage, session: Session) -> set[str]:
    """Return which of the prefixes that the tests announce a far end has, once all has arrived."""
    stage.settle()
    return stage.bird.routes(session.local).keys() & {V4, V6, *MANY, *MANY6}


@pytest.fixture(autouse=True)
def _leave_nothing(stage: Stage) -> Iterator[None]:
    yield
    stage.say(f"withdraw attributes next-hop self nlri {' '.join([V4, *MANY])}")
    stage.say(f"withdraw attributes next-hop {stage.hop6} nlri {' '.join([V6, *MANY6])}")


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_line_takes_250_prefixes(stage: Stage, family: str) -> None:
    """`announce attributes … nlri …` gives all of them the attributes; `withdraw attributes …` needs the hop only."""
    prefixes, hop = (MANY, "self") if family == "ipv4" else (MANY6, stage.hop6)
    attributes = "as-path [ 64699 64699 ] med 7 community [ 64699:1 ] large-community [ 64699:1:2 ]"
    stage.say(f"announce attributes next-hop {hop} {attributes} nlri {' '.join(prefixes)}")
    assert known(stage, stage.ebgp) == set(prefixes)
    routes = stage.bird.routes(stage.ebgp.local)
    paths = {
        (r.as_path, r.med, r.communities, r.large_communities)
        for p, r in routes.items()
        if p in prefixes
    }
    assert paths == {((ASN, ASN), 7, frozenset({"64699:1"}), frozenset({"64699:1:2"}))}
    stage.say(f"withdraw attributes next-hop {hop} nlri {' '.join(prefixes[:200])}")
    assert known(stage, stage.ebgp) == set(prefixes[200:])


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_any_next_hop_of_the_family_withdraws(stage: Stage, family: str) -> None:
    """A withdrawal has no next hop on the wire, so the line may give the unspecified address."""
    prefixes, hop, none = (
        (MANY, "self", "0.0.0.0") if family == "ipv4" else (MANY6, stage.hop6, "::")
    )
    stage.say(f"announce attributes next-hop {hop} med 7 nlri {' '.join(prefixes)}")
    assert known(stage, stage.only4 if family == "ipv4" else stage.only6) == set(prefixes)
    stage.say(f"withdraw attributes next-hop {none} nlri {' '.join(prefixes)}")
    assert known(stage, stage.only4 if family == "ipv4" else stage.only6) == set()


def test_a_group_takes_selectors(stage: Stage) -> None:
    """`neighbor A, neighbor B` before a grouped line confines it to those neighbours."""
    two = f"neighbor {stage.ebgp.remote}, neighbor {stage.ibgp.remote}"
    stage.say(f"{two} announce attributes next-hop self as-path [ 64699 ] nlri {' '.join(MANY)}")
    assert known(stage, stage.ebgp) == known(stage, stage.ibgp) == set(MANY)
    assert known(stage, stage.only4) == set()
    stage.say(
        f"neighbor {stage.ebgp.remote} withdraw attributes next-hop self nlri {' '.join(MANY)}"
    )
    assert (known(stage, stage.ebgp), known(stage, stage.ibgp)) == (set(), set(MANY))


def test_a_grouped_withdraw_without_next_hop_drops_sessions_of_4x(
    stage: Stage, flavour: Flavour
) -> None:
    """For IPv4, 4.x answers `done` and then resets every session: always give the next hop."""
    stage.say(f"announce attributes next-hop self nlri {' '.join(MANY)}")
    stage.settle()
    before = stage.helper.states(stage.ebgp.remote).count("down")

    def falls() -> int:
        return stage.helper.states(stage.ebgp.remote).count("down") - before

    stage.say(f"withdraw attributes nlri {' '.join(MANY)}")
    if flavour == "v4":
        eventually(falls, within=5, what="a session that falls")
        stage.bird.wait_for_sessions()
    assert known(stage, stage.ebgp) == set()
    assert bool(falls()) == (flavour == "v4")


def test_families_never_share_a_line(stage: Stage) -> None:
    """The last prefix decides the family; an IPv4 one among IPv6 is lost, `done` or not."""
    mixed = f"neighbor {stage.ebgp.remote} announce attributes next-hop {stage.hop6} nlri {V4} {V6}"
    stage.say(mixed)
    assert known(stage, stage.ebgp) == {V6}
    stage.say(f"withdraw attributes next-hop {stage.hop6} nlri {V4} {V6}")


def test_an_ipv6_prefix_in_an_ipv4_line_keeps_the_session_down(flavour: Flavour) -> None:
    """`done`; the peer refuses the UPDATE (3,10), and again at every reconnection until it is withdrawn."""
    with Network() as network:
        stage = Stage(network, flavour)
        line = f"announce attributes next-hop {stage.ebgp.local} nlri {V6} {V4}"
        states = stage.helper.states
        stage.say(f"neighbor {stage.ebgp.remote} {line}")
        eventually(
            lambda: states(stage.ebgp.remote),
            until=lambda seen: seen.count("down") > 1 and seen.count("up") > 1,
            within=10,
            what="the session to fall, come back and fall again",
        )
        assert any("(3,10)" in event for event in stage.helper.events)
