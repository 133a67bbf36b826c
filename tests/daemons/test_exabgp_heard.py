"""Pins what ExaBGP tells of what peers send: in order, with its end, all of it again when asked, and where it keeps what is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speaker.backends.exabgp.heard import HeardEnd, HeardUpdate
from speaker.backends.exabgp.messages import parse_message
from speaker.backends.exabgp.neighbors import parse_neighbors, parse_refreshable
from tests.daemons.stage import THEIRS, Stage
from tests.support.lab.eventually import eventually
from tests.support.lab.netns import Network

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.lab.exabgp import Flavour

REFRESH = ("capability { route-refresh enable; }",)


@pytest.fixture(scope="module", params=[REFRESH, ()], ids=["refresh", "plain"])
def heard(flavour: Flavour, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A stage whose helper hears what peers send."""
    with Network() as network:
        stage = Stage(network, flavour, told=True, options=request.param)
        yield stage


def told(stage: Stage, since: int = 0) -> tuple[list[str], list[int]]:
    """Return the prefixes that the eBGP peer announced by the helper's events, and the families that it ended."""
    prefixes, ends = [], []
    for line in stage.helper.events[since:]:
        match parse_message(line):
            case HeardUpdate(source, _, announced) if str(source.peer) == stage.ebgp.remote:
                prefixes += [text for (text, _), _ in announced]
            case HeardEnd(source, version) if str(source.peer) == stage.ebgp.remote:
                ends.append(version)
    return sorted(prefixes), sorted(ends)


def test_told_with_its_end(heard: Stage) -> None:
    """A session that came up tells all that its peer has, and End-of-RIB of each family behind it."""
    eventually(
        lambda: told(heard),
        until=lambda found: found == (sorted(THEIRS), [4, 6]),
        within=10,
        what="all routes and both ends told",
    )


def test_told_again(heard: Stage) -> None:
    """Asked by ROUTE-REFRESH, a peer tells all again, without an end; where no capability is, `done` is said and nothing comes."""
    shown = heard.helper.ask("show neighbor extensive").lines
    configured = parse_neighbors(heard.helper.ask("show neighbor configuration").lines)
    (neighbor,) = (each for each in configured if str(each.address) == heard.ebgp.remote)
    assert neighbor.hears == {"speaker"}
    can = neighbor.ends in parse_refreshable(shown)
    since = len(heard.helper.events)
    for family in ("ipv4", "ipv6"):
        heard.say(f"{neighbor.selector} announce route-refresh {family} unicast")
    if can:
        eventually(
            lambda: told(heard, since),
            until=lambda found: found == (sorted(THEIRS), []),
            within=10,
            what="all routes told again",
        )
    else:
        heard.settle()
        assert told(heard, since) == ([], [])


def test_the_listing_outlives_the_session(heard: Stage) -> None:
    """`show adj-rib in` has the routes of a session that is down: it is no proof of what a peer has."""
    with heard.held_down(heard.ebgp):
        lines = heard.helper.ask("show adj-rib in extensive").lines
        kept = [line for line in lines if line.startswith(f"neighbor {heard.ebgp.remote} ")]
        assert len(kept) == len(THEIRS)


def test_asked_by_the_peer(flavour: Flavour) -> None:
    """With the capability, 4.2 ends the session of a peer that asks for our routes again; 5.0 sends them."""
    with Network() as network:
        stage = Stage(network, flavour, told=True, options=REFRESH)
        stage.say("announce attributes next-hop self nlri 192.0.2.77/32")
        stage.settle()
        since = len(stage.helper.states(stage.ebgp.remote))
        stage.bird.reload_in(stage.ebgp.local)
        if flavour == "v4":
            eventually(
                lambda: stage.helper.states(stage.ebgp.remote)[since:].count("down"),
                until=lambda ends: ends >= 1,
                within=60,
                what="the session ends again and again",
            )
            return
        stage.settle()
        assert stage.helper.states(stage.ebgp.remote)[since:] == []
        assert stage.of(stage.ebgp, "192.0.2.77/32") is not None
