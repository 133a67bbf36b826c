"""The dry run over a daemon that somebody else changes: what is left is where the two disagree."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from policy.plan import Announce, Drift, Withdraw
from policy.route import Prefix, Route
from speaker.backends.base import BackendError, Peer, Reading
from speaker.backends.dry_run import DryRun
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from policy.plan import Change
    from policy.witness import Witness

FIRST, SECOND = made.HOSTS_V4[:2]
ROUTE, OTHER = (Route(FIRST, attributes) for attributes in made.SOME[:2])


class Daemon:
    """A daemon that says what a test lets it say. To write to it is an error."""

    owes_end_of_rib = False

    def heard(self) -> tuple[Witness, ...]:
        return ()

    read_interval = 7.0

    def __init__(self) -> None:
        self.reading = Reading({FIRST: None, SECOND: None})
        self.fault: BackendError | None = None

    async def apply(self, changes: Sequence[Change]) -> Mapping[Prefix, str]:
        raise AssertionError(f"asked for {changes}")

    async def read(self, prefixes: Collection[Prefix]) -> Reading:
        del prefixes
        if self.fault is not None:
            raise self.fault
        return self.reading

    async def until_sent(self, prefixes: Collection[Prefix]) -> None:
        raise AssertionError(f"waited for {prefixes}")

    async def end_of_rib(self) -> None:
        raise AssertionError

    def daemon(self) -> None:
        return None

    def peers(self) -> Sequence[Peer]:
        return [Peer("203.0.113.1", 64496, up=True, local_as=64699)]


class Run:
    """A dry run and its daemon."""

    def __init__(self) -> None:
        self.daemon = Daemon()
        self.backend = DryRun(self.daemon)

    def announces(self, seen: Route | Drift | None, *doubtful: Prefix) -> None:
        self.daemon.reading = Reading({FIRST: seen, SECOND: None}, doubtful)

    def apply(self, *changes: Change) -> None:
        assert asyncio.run(self.backend.apply(changes)) == {}

    def read(self) -> Reading:
        return asyncio.run(self.backend.read([FIRST, SECOND]))


def test_nothing_is_written_and_all_is_shown_as_made() -> None:
    """A change is on top of what the daemon has, over any number of readings."""
    run = Run()
    run.announces(OTHER)
    assert run.read().routes == {FIRST: OTHER, SECOND: None}
    run.apply(Announce(ROUTE))
    for _ in range(2):
        assert run.read().routes == {FIRST: ROUTE, SECOND: None}
        assert run.backend.changes == (Announce(ROUTE),)


def test_the_newest_change_of_a_prefix_counts() -> None:
    """They stand in the order in which they were asked for last."""
    run = Run()
    run.apply(Announce(ROUTE), Withdraw(SECOND))
    run.apply(Announce(OTHER))
    assert run.backend.changes == (Withdraw(SECOND), Announce(OTHER))


@pytest.mark.parametrize("change", [Announce(ROUTE), Withdraw(FIRST)])
def test_what_came_to_be_by_itself_is_no_change_any_more(change: Change) -> None:
    """The daemon is so: they agree. Whatever it becomes after that is seen as it is."""
    run = Run()
    run.announces(OTHER)
    run.apply(change)
    run.announces(ROUTE if isinstance(change, Announce) else None)
    assert run.read().routes[FIRST] == run.daemon.reading.routes[FIRST]
    assert run.backend.changes == ()
    run.announces(OTHER)
    assert run.read().routes[FIRST] == OTHER


@pytest.mark.parametrize("found", [OTHER, Drift("path without a network line"), None])
def test_what_is_something_else_stays_a_change(found: Route | Drift | None) -> None:
    """Another route, half a one or none: they disagree."""
    run = Run()
    run.apply(Announce(ROUTE))
    run.announces(found)
    assert run.read().routes[FIRST] == ROUTE
    assert run.backend.changes == (Announce(ROUTE),)


def test_a_doubtful_word_is_no_agreement() -> None:
    """It proves nothing; but who would have asked is not to ask over and over."""
    run = Run()
    run.announces(ROUTE, FIRST)
    assert run.read().doubtful == {FIRST}
    run.apply(Announce(ROUTE))
    for _ in range(2):
        assert run.read().doubtful == frozenset()
        assert run.backend.changes == (Announce(ROUTE),)


def test_what_is_not_asked_for_is_not_shown() -> None:
    """A collected change of another prefix is not in a reading."""
    run = Run()
    run.apply(Announce(ROUTE))
    run.daemon.reading = Reading({SECOND: None})
    assert run.read().routes == {SECOND: None}
    assert run.backend.changes == (Announce(ROUTE),)


def test_the_rest_is_the_daemons() -> None:
    """Its trouble, its neighbours, how often to read it, and that it can't be read."""
    run = Run()
    run.daemon.reading = Reading({}, trouble="no policy", converged=False)
    reading = run.read()
    assert (reading.trouble, reading.converged) == ("no policy", False)
    assert (run.backend.read_interval, run.backend.peers()) == (
        Daemon.read_interval,
        run.daemon.peers(),
    )
    run.daemon.fault = BackendError("bgpd: gone")
    run.apply(Announce(ROUTE))
    with pytest.raises(BackendError, match="gone"):
        run.read()
