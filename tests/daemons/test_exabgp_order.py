"""Pins when the peer has what the last command said, and when it does not although all was `done`."""

import random
import re
from collections.abc import Iterator

import pytest

from tests.daemons.stage import Stage
from tests.support.lab.exabgp import Flavour
from tests.support.lab.netns import Network
from tests.support.lab.session import Session

PATH = "as-path [ 64699 64699 ]"
PREFIX = "198.51.100.1/32"
Shape = tuple[int, int | None]


@pytest.fixture
def lone(flavour: Flavour) -> Iterator[Stage]:
    """A stage of one test's own."""
    with Network() as network:
        yield Stage(network, flavour)


def line(change: str) -> str:
    """Return a command from its verb and attributes."""
    verb, _, attributes = change.partition(" ")
    return f"{verb} route {PREFIX} next-hop self {attributes}"


def shape(attributes: str) -> Shape:
    """Return the path's length and MED of attributes as ExaBGP writes them."""
    path, med = re.search(r"as-path . ([\d ]+) .", attributes), re.search(r"med (\d+)", attributes)
    return len(path[1].split()) if path else 1, int(med[1]) if med else None


def held(stage: Stage, session: Session) -> dict[str, Shape]:
    """Return the path's length and MED of each IPv4 prefix that a far end has, the marker apart."""
    routes = stage.bird.routes(session.local)
    return {p: (len(r.as_path), r.med) for p, r in routes.items() if p.startswith("198.51.100.")}


def test_one_in_flight_yields_the_exact_set(lone: Stage) -> None:
    """With each command answered before the next is sent, random changes end as the last one said."""
    dice = random.Random(4271)
    wanted: dict[str, Shape] = {}
    for _ in range(600):
        prefix = f"198.51.100.{dice.randrange(60)}/32"
        if dice.random() < 0.4:
            lone.say(f"withdraw route {prefix}")
            wanted.pop(prefix, None)
        else:
            length, med = dice.randrange(1, 4), dice.randrange(3)
            lone.say(
                f"announce route {prefix} next-hop self as-path [ {'64699 ' * length}] med {med}"
            )
            wanted[prefix] = length, med
    lone.settle()
    for session in (lone.ebgp, lone.only4, lone.ibgp, lone.wide):
        assert held(lone, session) == wanted


@pytest.mark.parametrize(
    ("changes", "wrongly_held"),
    [
        (["withdraw", f"announce {PATH}"], {}),
        (["announce", "withdraw"], {}),
        ([f"announce {PATH}", "withdraw"], {"v5": (2, None)}),
        (["announce med 5", "announce med 4", "withdraw"], {"v4": (1, 5), "v5": (1, 4)}),
        (["announce med 1", "announce med 2", "announce med 1"], {"v4": (1, 2), "v5": (1, 2)}),
    ],
)
def test_changes_before_the_session_is_up(
    stage: Stage, flavour: Flavour, changes: list[str], wrongly_held: dict[Flavour, Shape]
) -> None:
    """What is withdrawn, or changed more than once, while a session is down may arrive in an earlier shape.

    The withdrawal again heals the one. The announcement again is `done` and not sent, but a flush of
    all routes heals the other. `show adj-rib out` shows neither.
    """
    verb, _, attributes = changes[-1].partition(" ")
    right = {} if verb == "withdraw" else {PREFIX: shape(attributes)}
    wrong = wrongly_held.get(flavour)
    with stage.held_down(stage.ebgp):
        stage.say(*(line(change) for change in changes))
    stage.settle()
    assert held(stage, stage.ebgp) == ({PREFIX: wrong} if wrong else right)
    listing = [
        text for text in stage.helper.ask("show adj-rib out extensive").lines if PREFIX in text
    ]
    assert {shape(text) for text in listing} == set(right.values())

    if right:
        stage.say(line(changes[-1]))
        stage.settle()
        assert held(stage, stage.ebgp) == ({PREFIX: wrong} if wrong else right)
    stage.say("flush adj-rib out" if right else f"withdraw route {PREFIX}")
    stage.settle()
    assert held(stage, stage.ebgp) == right
    stage.say(f"withdraw route {PREFIX}")


def test_one_in_flight_is_not_enough_while_much_is_being_sent(lone: Stage) -> None:
    """Until what was said before is on the wire, a prefix that changes twice may arrive in an earlier shape."""
    twice = [f"198.51.100.{number}/32" for number in range(10)]
    for attempt in range(
        5
    ):  # while this test had to wait for a processor, ExaBGP may have sent all
        for block in range(20):
            prefixes = " ".join(f"2001:db8:{block:x}::{number:x}/128" for number in range(1, 251))
            much = f"next-hop {lone.hop6} med {attempt} nlri {prefixes}"
            lone.say(f"announce attributes {much}")
        for prefix in twice:
            lone.say(*(f"announce route {prefix} next-hop self med {med}" for med in (1, 2, 1)))
        lone.settle()
        seen = held(lone, lone.ebgp)
        if 2 in {med for _, med in seen.values()}:
            break
        lone.say(*(f"withdraw route {prefix}" for prefix in twice))
        lone.settle()
    assert 2 in {med for _, med in seen.values()}
    lone.say("flush adj-rib out")
    lone.settle()
    assert held(lone, lone.ebgp) == dict.fromkeys(twice, (1, 1))
