"""Pins that what ExaBGP tells as sent is what the peer has, also where its listing errs."""

import json
from collections.abc import Iterator
from itertools import chain

import pytest

from tests.daemons.stage import V4, V6, Stage
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Flavour
from tests.support.lab.netns import Network
from tests.support.lab.session import Session

STALE, PHANTOM = "198.51.100.1/32", "198.51.100.2/32"


@pytest.fixture
def stage(flavour: Flavour) -> Iterator[Stage]:
    """A stage of one test's own, its helper told of all that is received and sent."""
    with Network() as network:
        yield Stage(network, flavour, told=True)


def sent(stage: Stage, session: Session) -> dict[str, int | None]:
    """Return what a neighbour has, by what was sent since its session was down last: prefixes and MED."""
    routes: dict[str, int | None] = {}
    for event in stage.helper.events:
        match json.loads(event, strict=False):
            case {"neighbor": {"address": {"peer": session.remote}, "state": "down"}}:
                routes.clear()
            case {
                "neighbor": {
                    "address": {"peer": session.remote},
                    "direction": "send",
                    "message": {"update": update},
                }
            }:
                for withdrawn in update.get("withdraw", {}).values():
                    for nlri in withdrawn:
                        routes.pop(nlri["nlri"], None)
                for hops in update.get("announce", {}).values():
                    for nlri in chain.from_iterable(hops.values()):
                        routes[nlri["nlri"]] = update["attribute"].get("med")
    return routes


def held(stage: Stage, session: Session) -> dict[str, int | None]:
    """Return the prefixes that the far end has, with the MED."""
    return {prefix: route.med for prefix, route in stage.bird.routes(session.local).items()}


def test_what_was_sent_is_what_the_peer_has(stage: Stage) -> None:
    """Also when an earlier shape of a route was sent last, of which `show adj-rib out` knows nothing."""
    with stage.held_down(stage.ebgp):
        stage.say(*(f"announce route {STALE} next-hop self med {med}" for med in (1, 2, 1)))
        stage.say(
            *(f"announce route {PHANTOM} next-hop self med {med}" for med in (1, 2)),
            f"withdraw route {PHANTOM}",
        )
    stage.say(
        f"announce attributes next-hop {stage.hop6} nlri {V6} 2001:db8::2/128",
        f"withdraw route {V6}",
    )
    stage.settle()
    eventually(
        lambda: [(sent(stage, session), held(stage, session)) for session in stage.sessions],
        until=lambda pairs: all(told == has for told, has in pairs),
        within=5,
        what="told as sent what every far end has",
    )
    wrong = sent(stage, stage.ebgp)
    assert wrong[STALE] == 2
    assert PHANTOM in wrong
    listing = stage.helper.ask("show adj-rib out extensive").lines
    assert not any(PHANTOM in line or (STALE in line and "med 2" in line) for line in listing)


def test_a_new_helper_learns_all_by_a_flush(stage: Stage) -> None:
    """It is told nothing of what was sent before its time; `flush adj-rib out` sends it, and tells it, again."""
    stage.say(
        f"announce route {V4} next-hop self med 3",
        f"announce route {V6} next-hop {stage.hop6} med 4",
    )
    stage.settle()
    stage.helper.exit(1)
    stage.helper = stage.puppet.helper()
    assert sent(stage, stage.ebgp) == {}
    stage.say("flush adj-rib out")
    eventually(
        lambda: sent(stage, stage.ebgp),
        until=lambda told: told == held(stage, stage.ebgp),
        within=5,
        what="all told",
    )
    assert {V4: 3, V6: 4}.items() <= sent(stage, stage.ebgp).items()
