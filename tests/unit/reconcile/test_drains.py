"""Soft drains, carried out by a watchdog: what the peer has at each stage, and what holds one up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from policy.intent import Intent, Mode, timestamp
from policy.route import parse_prefix
from speaker import config
from speaker.api import Explanation
from speaker.reconcile import status
from speaker.reconcile.leaving import leaving
from tests.support.fakes import virtual_time
from tests.support.fakes.exabgp import Daemon, Exabgp
from tests.support.fakes.site import (
    INSIDE,
    NEIGHBORS,
    PEER,
    SECOND,
    V4,
    Connections,
    Life,
    Source,
    write_config,
)
from tests.support.fakes.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

RULE = """
[drain]
settle = "30s"
quiet = "5s"
timeout = "2m"
return = "1m"
"""
USUAL, SOFT = (64699,) * 2, (64699,) * 6
"""AS_PATHs of the first choice: of the rank, and while it drains: longer than three prepends by three."""


@dataclass
class Drained:
    """A site of which V4 is drained softly, and what a test may turn."""

    directory: Path
    more: str

    def __post_init__(self) -> None:
        """Have ExaBGP run, and a first watchdog."""
        self.clock = VirtualClock(asyncio.get_running_loop())
        self.connections = Connections({V4: 9})
        self.exabgp = Exabgp(Daemon(NEIGHBORS, 5))
        self.config = config.load(write_config(self.directory, self.more), {})
        self.source = Source(dict.fromkeys(self.config.topology.prefixes, 2))
        self.spawn()
        for peer in (PEER, INSIDE):
            self.exabgp.daemon.establish(peer)

    def spawn(self) -> None:
        """Have a watchdog run."""
        state = self.config.settings.state
        parts = (self.exabgp, self.config, self.source, self.clock, state, self.connections)
        self.life = Life(*parts)
        self.life.listen()
        self.life.watch()

    async def respawn(self) -> None:
        """Kill the watchdog, and have another one run."""
        await self.life.kill()
        self.spawn()

    async def ask(self, mode: Mode, seconds: float | None = None) -> None:
        """Have an operator ask for something, for some seconds."""
        now = self.clock.wall()
        intent = Intent(mode, "alice", now, until=None if seconds is None else now + seconds)
        await self.life.reconciler.operator.apply({V4: intent})

    def path(self, peer: str = PEER) -> tuple[int, ...] | None:
        """Return the AS_PATH that a peer has, None for no route."""
        found = self.exabgp.daemon.sessions[peer].table.get(V4)
        return None if found is None else tuple(found.as_path)

    def intent(self) -> str:
        """Return the intent that is in force."""
        (shown,) = status.routes(self.life.reconciler, [V4])
        return shown.intent

    def explained(self) -> str:
        """Return all sentences of it, as `vip_mgmt explain` has them; their JSON is read back as they are."""
        (told,) = status.explanations(self.life.reconciler, [V4])
        assert Explanation.from_json(told.to_json()) == told
        return "\n".join(f"{each.about}: {each.text}" for each in told.sentences)

    def history(self) -> list[tuple[str, str]]:
        """Return what was recorded of it, events and reasons."""
        return [(line.event, line.reason) for line in self.life.store.history([V4])]

    async def until(self, what: Callable[[], bool], within: float) -> float:
        """Wait until something is so; return how long that took."""
        began = self.clock.steady()
        while not what():
            assert self.clock.steady() - began < within, (self.path(), self.intent())
            await asyncio.sleep(0.1)
        return self.clock.steady() - began


def play(
    directory: Path,
    scene: Callable[[Drained], Awaitable[None]],
    more: str = RULE,
    begins: tuple[int, ...] | None = USUAL,
) -> None:
    async def main() -> None:
        site = Drained(directory, more)
        try:
            await asyncio.sleep(20.0)
            assert site.path() == begins
            await scene(site)
        finally:
            await site.life.kill()
            site.exabgp.stop()

    virtual_time.run(main())


def test_until_few_are_left(tmp_path: Path) -> None:
    """It is announced softly at once, and withdrawn when the connections were gone for `quiet`."""

    async def scene(site: Drained) -> None:
        await site.ask(Mode.DRAINING)
        assert site.path() == SOFT
        inside = site.exabgp.daemon.sessions[INSIDE].table[V4]
        assert inside.local_preference == 0
        assert "65535:0" in inside.communities
        await asyncio.sleep(60.0)
        assert (site.path(), site.intent()) == (SOFT, "draining")
        assert (
            "connections 9 active, 7 inactive; waits until no connection is left"
            in site.explained()
        )
        assert "then it is withdrawn in 1m" in site.explained()
        site.connections.active[V4] = 0
        took = await site.until(lambda: site.path() is None, within=10.0)
        assert 4.0 <= took <= 7.0
        assert "withdrawn at the end of a soft drain; no connection is cut" in site.explained()
        assert site.intent() == "drained"
        said = next(reason for event, reason in site.history() if event == "drained")
        assert said.endswith("no connection for 5s, no connection is cut")

    play(tmp_path, scene)


@pytest.mark.parametrize(("active", "said"), [(9, "9 connections are cut"), (None, "is not known")])
def test_until_the_time_limit(tmp_path: Path, active: int | None, said: str) -> None:
    """What does not end, and what is not known, is waited for until `timeout`; what is cut is said."""

    async def scene(site: Drained) -> None:
        site.connections.active[V4] = active
        await site.ask(Mode.DRAINING)
        took = await site.until(lambda: site.path() is None, within=130.0)
        assert 119.0 <= took <= 125.0
        line = next(reason for event, reason in site.history() if event == "drained")
        assert said in line

    play(tmp_path, scene)


def test_settled_at_least(tmp_path: Path) -> None:
    """Where nobody is connected, it is announced softly for `settle` all the same."""

    async def scene(site: Drained) -> None:
        site.connections.active[V4] = 0
        await site.ask(Mode.DRAINING)
        took = await site.until(lambda: site.path() is None, within=40.0)
        assert 29.0 <= took <= 33.0

    play(tmp_path, scene)


def test_it_stays(tmp_path: Path) -> None:
    """With then = "stay" nothing is cut, and it goes when few are left."""

    async def scene(site: Drained) -> None:
        await site.ask(Mode.DRAINING)
        assert "at the time limit" not in site.explained()
        await asyncio.sleep(60.0)
        limit = timestamp(site.clock.wall() + 60.0)
        assert f"time limit in 1m ({limit}), then it stays announced softly" in site.explained()
        await asyncio.sleep(540.0)
        assert (site.path(), site.intent()) == (SOFT, "draining")
        assert f"the time limit was {limit}: it stays announced softly" in site.explained()
        (shown,) = status.routes(site.life.reconciler, [V4])
        assert f"9 active, time limit {limit}, then it stays announced softly" in shown.reason
        site.connections.active[V4] = 0
        await site.until(lambda: site.path() is None, within=10.0)

    play(tmp_path, scene, RULE + 'then = "stay"\n')


@pytest.mark.parametrize("every", [3.0, 7.0, 31.0])
def test_watchdogs_come_and_go(tmp_path: Path, every: float) -> None:
    """However often it is killed, the stage goes on where it was, and the peer has the route meanwhile."""

    async def scene(site: Drained) -> None:
        site.connections.active[V4] = None
        await site.ask(Mode.DRAINING)
        began = site.clock.steady()
        await asyncio.sleep(2.0)
        while site.path() is not None:
            assert site.path() == SOFT
            assert site.clock.steady() - began < 140.0
            await site.respawn()
            await asyncio.sleep(every)
        assert site.clock.steady() - began >= 119.0
        await site.respawn()
        await asyncio.sleep(20.0)
        assert (site.path(), site.intent()) == (None, "drained")

    play(tmp_path, scene)


@pytest.mark.parametrize("after", [0.0, 60.0, 125.0])
def test_undone_at_any_stage(tmp_path: Path, after: float) -> None:
    """`-a` has the rank's route at once, and nothing of the drain comes after it."""

    async def scene(site: Drained) -> None:
        await site.ask(Mode.DRAINING)
        await asyncio.sleep(after)
        await site.ask(Mode.AUTO)
        assert (site.path(), site.intent()) == (USUAL, "auto")
        await asyncio.sleep(200.0)
        assert (site.path(), site.intent()) == (USUAL, "auto")

    play(tmp_path, scene)


def test_the_way_back(tmp_path: Path) -> None:
    """`-a --soft` announces it softly for `return`, and then as its rank does; a restart goes on with it."""

    async def scene(site: Drained) -> None:
        await site.ask(Mode.DRAINED)
        assert site.path() is None
        await site.ask(Mode.RETURNING)
        assert site.path() == SOFT
        await asyncio.sleep(30.0)
        await site.respawn()
        took = await site.until(lambda: site.path() == USUAL, within=40.0)
        assert 27.0 <= took <= 33.0
        assert site.intent() == "auto"
        await asyncio.sleep(5.0)
        assert [event for event, _ in site.history()[-2:]] == ["auto", "announced"]

    play(tmp_path, scene)


@pytest.mark.parametrize("seconds", [60.0, 300.0])
@pytest.mark.parametrize("killed", [False, True])
def test_the_end_of_for(tmp_path: Path, seconds: float, *, killed: bool) -> None:
    """A soft drain with an end comes back softly from there on, from either stage; also where nobody was there at its end."""

    async def scene(site: Drained) -> None:
        await site.ask(Mode.DRAINING, seconds)
        await asyncio.sleep(seconds - 1.0)
        assert site.path() == (SOFT if seconds < 120.0 else None)
        if killed:
            await site.life.kill()
            await asyncio.sleep(21.0)
            assert site.path() == (SOFT if seconds < 120.0 else None)
            site.spawn()
        await site.until(lambda: site.intent() == "returning", within=25.0)
        await site.until(lambda: site.path() == SOFT, within=5.0)
        await site.until(lambda: "returning by alice" in site.explained(), within=5.0)
        took = await site.until(lambda: site.path() != SOFT, within=61.0)
        assert (site.path(), site.intent()) == (USUAL, "auto")
        assert took > (35.0 if killed else 55.0)

    play(tmp_path, scene)


@pytest.mark.parametrize("seconds", [60.0, 300.0, None])
def test_what_ends_first(tmp_path: Path, seconds: float | None) -> None:
    """What comes back before its time limit is told so, with when, and not that it is withdrawn then."""

    async def scene(site: Drained) -> None:
        asked = site.clock.wall()
        await site.ask(Mode.DRAINING, seconds)
        await asyncio.sleep(10.0)
        (shown,) = status.routes(site.life.reconciler, [V4])
        drain = shown.drain
        assert drain is not None
        assert drain.ends is not None
        is_first = seconds == 60.0
        assert drain.returns is is_first
        (text,) = leaving([shown])
        assert ("comes back softly at" in text, "withdrawn at" in text) == (is_first, not is_first)
        if is_first:
            assert drain.ends == pytest.approx(asked + 60.0)
            assert shown.reason.count(timestamp(asked + 60.0)) == 2
        else:
            assert drain.ends > asked + 60.0

    play(tmp_path, scene)


def test_asked_to_return_while_it_does(tmp_path: Path) -> None:
    """`-a --soft` while it comes back softly by itself changes nothing; `-a` ends it, and `-d --soft` drains it again."""

    async def scene(site: Drained) -> None:
        for asked, path, after in (
            (Mode.RETURNING, SOFT, USUAL),
            (Mode.AUTO, USUAL, USUAL),
            (Mode.DRAINING, SOFT, None),
        ):
            await site.ask(Mode.DRAINING, 150.0)
            await site.until(lambda: site.intent() == "returning", within=160.0)
            await site.until(lambda: site.path() == SOFT, within=5.0)
            await site.ask(asked)
            assert site.path() == path, asked
            await asyncio.sleep(130.0)
            assert site.path() == after, asked

    play(tmp_path, scene)


def test_the_end_of_for_after_a_hard_drain(tmp_path: Path) -> None:
    """What was withdrawn at once is announced as its rank is, at once; also where it was asked to drain softly then."""

    async def scene(site: Drained) -> None:
        await site.ask(Mode.DRAINED, 30.0)
        await site.ask(Mode.DRAINING, 60.0)
        await asyncio.sleep(59.0)
        assert site.path() is None
        await site.until(lambda: site.path() is not None, within=5.0)
        assert site.path() == USUAL

    play(tmp_path, scene)


def test_nothing_is_kept_of_a_drain_that_is_over(tmp_path: Path) -> None:
    """What is remembered of a stage goes with it, from memory and from the file."""

    async def scene(site: Drained) -> None:
        await site.ask(Mode.DRAINING)
        await asyncio.sleep(10.0)
        assert [*site.life.store.load().drains] == [V4]
        await site.ask(Mode.AUTO)
        await asyncio.sleep(10.0)
        assert not site.life.reconciler.durable.stages.of
        assert not site.life.store.load().drains

    play(tmp_path, scene)


@pytest.mark.parametrize(
    "more",
    [
        '[vip."other.tld"]\naddresses = ["192.0.2.9"]\nprefer = ["lyo1"]\nonly = true\n',
        '[vip."other.tld"]\naddresses = ["192.0.2.9"]\n[aggregate."192.0.2.8/30"]\nsummary_only = true\n',
    ],
)
def test_what_is_never_announced_by_itself_returns_too(tmp_path: Path, more: str) -> None:
    """What only others announce, or an aggregate stands for, is not left returning for ever."""

    async def scene(site: Drained) -> None:
        other = parse_prefix("192.0.2.9/32")
        for mode in (Mode.DRAINED, Mode.RETURNING):
            intent = Intent(mode, "alice", site.clock.wall())
            await site.life.reconciler.operator.apply({other: intent})
        await asyncio.sleep(90.0)
        assert not site.life.reconciler.durable.intents.in_force()

    play(tmp_path, scene, RULE + more)


KEPT = """
[peer_group.all]
neighbors = { par1 = ["203.0.113.11", "2001:db8:ffff::11"] }
except = ["vip-1.tld"]
"""


def test_what_the_daemon_takes_from_nobody(tmp_path: Path) -> None:
    """What is kept from every neighbor attracts nothing, so its drain ends like any other: who drains all is not kept waiting by it."""

    async def scene(site: Drained) -> None:
        await site.ask(Mode.DRAINING)
        await site.until(lambda: site.intent() == "drained", within=180.0)
        assert site.path() is None

    play(tmp_path, scene, RULE + KEPT, None)


def test_dead_while_it_returns(tmp_path: Path) -> None:
    """What is not announced, as it is dead, has not begun to return."""

    async def scene(site: Drained) -> None:
        await site.ask(Mode.DRAINED)
        site.source.live[V4] = 0
        await asyncio.sleep(5.0)
        await site.ask(Mode.RETURNING)
        await asyncio.sleep(300.0)
        assert (site.path(), site.intent()) == (None, "returning")
        site.source.live[V4] = 2
        await site.until(lambda: site.path() == SOFT, within=5.0)
        took = await site.until(lambda: site.path() == USUAL, within=70.0)
        assert 58.0 <= took <= 63.0

    play(tmp_path, scene)


def test_sent_to_nobody_while_it_returns(tmp_path: Path) -> None:
    """What no session was sent has not begun to return: who comes up gets it softly first."""

    async def scene(site: Drained) -> None:
        await site.ask(Mode.DRAINED)
        for peer in (PEER, INSIDE):
            site.exabgp.down(peer)
        await asyncio.sleep(5.0)
        await site.ask(Mode.RETURNING)
        await asyncio.sleep(300.0)
        assert site.intent() == "returning"
        site.exabgp.up(PEER, sent_after=0)
        await site.until(lambda: site.path() == SOFT, within=5.0)
        took = await site.until(lambda: site.path() == USUAL, within=70.0)
        assert 58.0 <= took <= 63.0

    play(tmp_path, scene)


def test_what_dies_while_it_drains(tmp_path: Path) -> None:
    """A drain announces nothing that is dead, and a drained VIP is not announced softly."""

    async def scene(site: Drained) -> None:
        await site.ask(Mode.DRAINING)
        site.source.live[V4] = 0
        await site.until(lambda: site.path() is None, within=5.0)
        assert site.intent() == "draining"
        await site.ask(Mode.DRAINED)
        site.source.live[V4] = 2
        await site.ask(Mode.DRAINING)
        await asyncio.sleep(5.0)
        assert (site.path(), site.intent()) == (None, "drained")

    play(tmp_path, scene)


def test_forced(tmp_path: Path) -> None:
    """What was forced drains although it is dead by its check, and is withdrawn at the end."""

    async def scene(site: Drained) -> None:
        await site.ask(Mode.FORCED)
        site.source.live[V4] = 0
        await asyncio.sleep(5.0)
        await site.ask(Mode.DRAINING)
        await asyncio.sleep(60.0)
        assert site.path() == SOFT
        await site.until(lambda: site.path() is None, within=70.0)

    play(tmp_path, scene)


def test_a_state_file_that_is_held(tmp_path: Path) -> None:
    """While what follows can't be recorded, nothing is cut; then it is."""

    async def scene(site: Drained) -> None:
        await site.ask(Mode.DRAINING)
        await asyncio.sleep(10.0)
        directory = site.config.settings.state
        held = directory.with_name("held")
        directory.rename(held)
        await asyncio.sleep(150.0)
        assert site.path() == SOFT
        assert any(
            text.startswith(f"drains: {V4}: goes on as it is, softly announced")
            for text in site.life.reconciler.alarms.texts
        )
        held.rename(directory)
        await site.until(lambda: site.path() is None, within=10.0)
        assert not any(text.startswith("drains") for text in site.life.reconciler.alarms.texts)

    play(tmp_path, scene)


def test_a_count_that_hangs(tmp_path: Path) -> None:
    """What was counted long ago is not known any more, and no cycle waits for it: what dies is withdrawn."""

    async def scene(site: Drained) -> None:
        site.connections.active[V4] = 0
        await site.ask(Mode.DRAINING)
        await asyncio.sleep(3.0)
        site.connections.takes = 1e6
        await asyncio.sleep(60.0)
        assert (site.path(), site.intent()) == (SOFT, "draining")
        assert "connections not known (IPVS: not counted yet)" in site.explained()
        site.source.live[SECOND] = 0
        gone = lambda: SECOND not in site.exabgp.daemon.sessions[PEER].table  # noqa: E731 - for `until`
        assert await site.until(gone, within=3.0) < 2.0
        took = await site.until(lambda: site.path() is None, within=70.0)
        assert took > 50.0

    play(tmp_path, scene)


def test_nothing_is_counted_where_nothing_drains(tmp_path: Path) -> None:
    """The table of IPVS is not read for it before the first drain, nor after the last."""

    async def scene(site: Drained) -> None:
        await asyncio.sleep(30.0)
        before = site.connections.counts
        assert before == 0
        await site.ask(Mode.DRAINING)
        await asyncio.sleep(5.0)
        assert site.connections.counts > before
        await site.ask(Mode.DRAINED)
        await asyncio.sleep(2.0)
        before = site.connections.counts
        await asyncio.sleep(30.0)
        assert site.connections.counts == before

    play(tmp_path, scene)
