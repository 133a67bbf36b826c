"""The sentences of a prefix: the decision's, then this data centre's part, then each session that has its family."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from speaker.reconcile import status
from speaker.reconcile.explain import sentences
from speaker.reconcile.status import DETAILED
from tests.support.fakes import virtual_time
from tests.support.fakes.site import INSIDE, PEER, V4, V6, running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.fakes.site import Site


def told(site: Site, about: str) -> list[str]:
    (explained,) = status.explanations(site.reconciler, [V4])
    return [each.text for each in explained.sentences if each.about == about]


def test_before_the_first_look(tmp_path: Path) -> None:
    """Where nothing is decided yet that is said, and what is known already: rank, profile, and no session."""

    async def main() -> None:
        async with running(tmp_path, cycles=False) as site:
            it = site.reconciler
            (shown,) = status.routes(it, [V4])
            guard = it.config.settings.guard
            found = sentences(V4, it.assignments[V4], shown, (), None, guard, 0.0, 0.0)
            decision, preference, _, peer = (each.text for each in found)
            assert decision.startswith("not decided yet")
            assert preference == "this data centre is the first choice (rank 0) of par1, lyo1"
            assert peer == "no session is known"

    asyncio.run(main())


def test_the_sessions(tmp_path: Path) -> None:
    """Each session that has the family is told of, the worst first; a session that is down needs no more."""

    async def main() -> None:
        async with running(tmp_path, cycles=False) as site:
            await site.reconciler.cycle()
            site.exabgp.down(PEER)
            await asyncio.sleep(5.0)
            first, *others = told(site, "peer")
            assert first == f"{PEER} AS64496: DOWN"
            assert others
            assert told(site, "decision") == ["announce, by health: up: 2 realservers"]

    virtual_time.run(main())


def test_a_family_that_no_session_has(tmp_path: Path) -> None:
    """That no session that is up has negotiated the family is known: it is not said that who was sent it is unknown."""

    async def main() -> None:
        async with running(tmp_path) as site:
            for peer in (PEER, INSIDE):
                site.exabgp.down(peer)
                site.exabgp.daemon.sessions[peer].refused = frozenset({6})
                site.exabgp.up(peer)
            await asyncio.sleep(15.0)
            (explained,) = status.explanations(site.reconciler, [V6])
            assert (explained.announced, explained.peers) == (False, {})
            found = [each.text for each in explained.sentences if each.about == "peer"]
            assert found == ["no session has its family"]

    virtual_time.run(main())


def test_of_many(tmp_path: Path) -> None:
    """Sentences are told of so many prefixes as a person reads: an answer about all of them has a bound."""

    async def main() -> None:
        async with running(tmp_path, cycles=False) as site:
            await site.reconciler.cycle()
            assert told(site, "decision")
            many = status.explanations(site.reconciler, [V4] * (DETAILED + 1))
            assert {each.sentences for each in many} == {()}

    asyncio.run(main())
