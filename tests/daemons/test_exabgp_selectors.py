"""Pins how a line is confined to neighbours."""

from collections.abc import Iterator

import pytest

from tests.daemons.stage import V4, V6, Stage
from tests.support.lab.exabgp import Flavour

NOBODY = "neighbor 203.0.113.250"


@pytest.fixture(autouse=True)
def _leave_nothing(stage: Stage) -> Iterator[None]:
    yield
    stage.say(f"withdraw route {V4}", f"withdraw route {V6}")


def test_a_neighbour_is_chosen_by_its_address(stage: Stage) -> None:
    """Of all neighbours, only the chosen one is told, to announce as to withdraw."""
    stage.say(f"neighbor {stage.only4.remote} announce route {V4} next-hop self")
    assert set(stage.everywhere(V4)) == {stage.only4}
    stage.say(
        f"announce route {V4} next-hop self", f"neighbor {stage.only4.remote} withdraw route {V4}"
    )
    assert set(stage.everywhere(V4)) == {stage.ebgp, stage.ibgp, stage.wide}


def test_a_neighbour_is_chosen_by_more_than_its_address(stage: Stage) -> None:
    """`local-ip`, `local-as` and `peer-as` may follow, and must all be its own."""
    own = f"neighbor {stage.wide.remote} local-ip {stage.wide.local} local-as 65536"
    stage.say(f"{own} peer-as 65551 announce route {V4} next-hop self")
    assert set(stage.everywhere(V4)) == {stage.wide}
    stage.say(f"{own} peer-as 65551 withdraw attributes next-hop self nlri {V4}")
    assert stage.everywhere(V4) == {}
    assert (
        stage.helper.ask(f"{own} peer-as 64500 announce route {V4} next-hop self").status == "error"
    )
    assert stage.everywhere(V4) == {}


def test_neighbours_are_listed_with_commas(stage: Stage) -> None:
    """`neighbor A, neighbor B` are both told; without the comma it is an error."""
    one, two = stage.ebgp.remote, stage.ibgp.remote
    stage.say(f"neighbor {one}, neighbor {two} announce route {V4} next-hop self")
    assert set(stage.everywhere(V4)) == {stage.ebgp, stage.ibgp}
    assert stage.helper.ask(f"neighbor {one} neighbor {two} withdraw route {V4}").status == "error"
    assert set(stage.everywhere(V4)) == {stage.ebgp, stage.ibgp}


def test_a_neighbour_that_is_not_there_is_an_error(stage: Stage) -> None:
    """Nobody is told, and the answer is `error`."""
    assert stage.helper.ask(f"{NOBODY} announce route {V4} next-hop self").status == "error"
    assert stage.helper.ask(f"{NOBODY} withdraw route {V4}").status == "error"
    assert stage.everywhere(V4) == {}


def test_a_missing_neighbour_among_others_goes_unnoticed(stage: Stage) -> None:
    """If one of several is there, it is told, and the answer is `done`."""
    stage.say(f"neighbor {stage.ebgp.remote}, {NOBODY} announce route {V4} next-hop self")
    assert set(stage.everywhere(V4)) == {stage.ebgp}


def test_the_star_is_for_5x_only(stage: Stage, flavour: Flavour) -> None:
    """`neighbor *` is an error on 4.x; no selector at all means everybody on both."""
    reply = stage.helper.ask(f"neighbor * announce route {V4} next-hop self")
    assert reply.status == {"v4": "error", "v5": "done"}[flavour]
    stage.say(f"announce route {V4} next-hop self")
    assert set(stage.everywhere(V4)) == {stage.ebgp, stage.only4, stage.ibgp, stage.wide}


def test_a_neighbour_without_the_family_is_skipped(stage: Stage) -> None:
    """A prefix of a family that a neighbour does not have is `done`, and the session stays."""
    stage.say(f"neighbor {stage.only6.remote} announce route {V4} next-hop {stage.ebgp.local}")
    stage.say(f"neighbor {stage.only4.remote} announce route {V6} next-hop {stage.hop6}")
    assert stage.everywhere(V4) == stage.everywhere(V6) == {}
    assert all(stage.bird.sessions().values())
