"""The watchdog over keepalived's lives, addresses that move and VIPs that flap, in virtual time."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from policy.health import Checker, Observation, Presence
from policy.intent import Intent, Mode
from speaker import config
from speaker.backends.exabgp.driver import ExabgpBackend
from speaker.reconcile import status
from speaker.reconcile.loop import run_cycles
from speaker.reconcile.reconciler import Reconciler
from speaker.state.store import Store
from tests.support.fakes import virtual_time
from tests.support.fakes.exabgp import Daemon, Exabgp
from tests.support.fakes.site import INSIDE, NEIGHBORS, PEER, SECOND, V4, V6, WEB, write_config
from tests.support.fakes.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from policy.route import Prefix

ALL = frozenset({V4, V6, SECOND})
DAMPED = "[health]\ndamping = {}\n"
HERE = "[health]\nrequire_address = true\n"
NOT_RUNNING = "keepalived: keepalived not running; start it, or set require_keepalived = false"


@dataclass
class World:
    """A machine: its table, its keepalived, its addresses; an ExaBGP; and a watchdog that restarts."""

    directory: Path
    more: str
    exabgp: Exabgp
    live: dict[Prefix, dict[object, int]] = field(
        default_factory=lambda: {prefix: {WEB: 2} for prefix in ALL}
    )
    checker: Checker | None = field(default_factory=lambda: Checker(0.0))
    presence: Presence | None = None
    unsettled: bool = False
    looks: int = 0

    async def observe(self) -> Observation:
        self.looks += 1
        live = {prefix: dict(found) for prefix, found in self.live.items()}
        return Observation(
            live,  # type: ignore[arg-type]
            "unreadable",
            self.checker,
            unsettled=self.unsettled,
            presence=self.presence,
        )

    async def close(self) -> None:
        pass

    async def start(self) -> None:
        """Start the watchdog, as ExaBGP does."""
        loaded = config.load(write_config(self.directory, self.more), {})
        self.clock = VirtualClock(asyncio.get_running_loop())
        made: list[Reconciler] = []
        backend = ExabgpBackend(
            self.exabgp.spawn(),
            self.exabgp.write,
            wake=lambda: made[0].wake_and_read() if made else None,
        )
        backend.configure(loaded.settings.dc.asn, loaded.settings.exabgp)
        self.store = Store(loaded.settings.state)
        self.reconciler = Reconciler(loaded, backend, self, self.store, self.clock)
        made.append(self.reconciler)
        running = (backend.run(), run_cycles(self.reconciler))
        self.tasks = [asyncio.create_task(each) for each in running]
        await asyncio.sleep(2.0)

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.store.close()

    async def restart(self) -> None:
        """The watchdog dies, and ExaBGP starts it again."""
        await self.stop()
        await self.start()

    @property
    def announced(self) -> set[str]:
        return set(self.exabgp.table(PEER))

    async def wish(self, mode: Mode, *prefixes: Prefix) -> None:
        intent = Intent(mode, "alice", self.clock.wall())
        await self.reconciler.operator.apply(dict.fromkeys(prefixes, intent))

    def reason(self, prefix: Prefix) -> str:
        (route,) = status.routes(self.reconciler, [prefix])
        return route.reason

    async def flap(self, prefix: Prefix, times: int) -> None:
        for _ in range(times):
            self.live[prefix] = {WEB: 0}
            await asyncio.sleep(2.0)
            self.live[prefix] = {WEB: 2}
            await asyncio.sleep(2.0)


def play(
    directory: Path, scene: Callable[[World], Awaitable[None]], more: str = "", **start: Presence
) -> None:
    async def main() -> None:
        exabgp = Exabgp(Daemon(NEIGHBORS, 5, None))
        for peer in (PEER, INSIDE):
            exabgp.daemon.establish(peer)
        world = World(directory, more, exabgp, **start)  # type: ignore[arg-type]
        await world.start()
        try:
            await scene(world)
            assert not [task for task in world.tasks if task.done()]
        finally:
            await world.stop()
            exabgp.stop()

    virtual_time.run(main())


def names(*prefixes: Prefix) -> set[str]:
    return {str(prefix) for prefix in prefixes}


def test_keepalived_was_killed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without keepalived everything stays as it is, loudly, for however long, and over a restart."""

    async def scene(world: World) -> None:
        world.checker = Checker()
        await asyncio.sleep(2.0)
        world.live[V4] = {WEB: 0}
        await asyncio.sleep(3600.0)
        assert world.announced == names(*ALL)
        assert NOT_RUNNING in world.reconciler.alarms.texts
        assert world.reason(V4).startswith("health unknown, held announced: keepalived not running")
        await world.restart()
        assert world.announced == names(*ALL)
        world.checker = Checker(world.clock.steady() - 11.0)
        await asyncio.sleep(2.0)
        assert world.announced == names(V6, SECOND)
        assert world.reconciler.alarms.texts == []

    with caplog.at_level(logging.WARNING):
        play(tmp_path, scene)
    assert [record.message for record in caplog.records].count(NOT_RUNNING) == 2


@pytest.mark.parametrize("restarts", [True, False])
def test_keepalived_ended(tmp_path: Path, restarts: bool) -> None:  # noqa: FBT001 - a parameter
    """An emptied table is held for restart_grace from when it was seen, over a restart; then it is down."""

    async def scene(world: World) -> None:
        world.checker = Checker()
        world.live = {prefix: {} for prefix in ALL}
        await asyncio.sleep(4.0)
        if restarts:
            await world.restart()
        else:
            await asyncio.sleep(2.0)
        await asyncio.sleep(3.0)
        assert world.announced == names(*ALL)
        await asyncio.sleep(3.0 + 3.0)  # the guard's `confirm` on top: everything goes
        assert world.announced == set()

    play(tmp_path, scene)


def test_a_vip_with_most_of_the_addresses(tmp_path: Path) -> None:
    """One VIP dies: its addresses go at the next look, and the guard waits for nothing."""

    async def scene(world: World) -> None:
        world.live |= {V4: {WEB: 0}, V6: {WEB: 0}}
        await asyncio.sleep(1.1)
        assert world.announced == names(SECOND)
        assert world.reconciler.alarms.texts == []

    play(tmp_path, scene)


def test_a_landslide_in_two_steps(tmp_path: Path) -> None:
    """The second VIP goes once `confirm` is over since the first: together they are all there is."""

    async def scene(world: World) -> None:
        world.live[SECOND] = {WEB: 0}
        await asyncio.sleep(1.1)
        assert world.announced == names(V4, V6)
        world.live |= {V4: {WEB: 0}, V6: {WEB: 0}}
        await asyncio.sleep(1.1)
        assert world.announced == names(V4, V6)
        assert "2 of 2 VIPs would be withdrawn at once, more than 50%" in world.reason(V4)
        await asyncio.sleep(3.0)
        assert world.announced == set()

    play(tmp_path, scene)


def test_what_was_forced_and_is_dead(tmp_path: Path) -> None:
    """The end of its being forced is answered with what holds it for a moment: it is down, and announced by no one's will."""

    async def scene(world: World) -> None:
        await world.wish(Mode.FORCED, V4, V6, SECOND)
        world.live |= {prefix: {WEB: 0} for prefix in ALL}
        await asyncio.sleep(5.0)
        assert world.announced == names(V4, V6, SECOND)
        await world.wish(Mode.AUTO, V4, V6, SECOND)
        for route in status.routes(world.reconciler, [V4, V6, SECOND]):
            assert (route.health, route.intent) == ("down", Mode.AUTO)
            assert (route.announced, route.wanted) == (True, True)
            assert route.reason.startswith("held: 2 of 2 VIPs would be withdrawn at once")
        await asyncio.sleep(4.2)
        assert world.announced == set()

    play(tmp_path, scene)


def test_keepalived_restarted(tmp_path: Path) -> None:
    """A restart withdraws nothing that is up, and what was down waits until it has been checked."""

    async def scene(world: World) -> None:
        world.live[V4] = {WEB: 0}
        await asyncio.sleep(2.0)
        assert world.announced == names(V6, SECOND)
        world.checker, world.live = Checker(), {prefix: {} for prefix in ALL}
        await asyncio.sleep(3.0)
        world.checker = Checker(world.clock.steady())
        world.live = {prefix: {WEB: 2} for prefix in ALL}
        await asyncio.sleep(9.0)
        assert world.announced == names(V6, SECOND)
        assert "keepalived started" in world.reason(V4)
        await asyncio.sleep(2.0)
        assert world.announced == names(*ALL)

    play(tmp_path, scene)


@pytest.mark.parametrize("restarts", [True, False])
def test_a_new_configuration_of_keepalived(tmp_path: Path, restarts: bool) -> None:  # noqa: FBT001 - a parameter
    """What was withdrawn because its service was taken out waits for warm_up when that is back.

    Over a restart of the watchdog, too; a watchdog that remembers nothing announces at once.
    """

    async def scene(world: World) -> None:
        assert world.announced == names(*ALL)  # 2 s after the very first look
        world.live[V4] = {}
        await asyncio.sleep(12.0)
        assert world.announced == names(V6, SECOND)
        if restarts:
            await world.restart()
            assert world.announced == names(V6, SECOND)
        world.live[V4] = {WEB: 2}
        await asyncio.sleep(4.0)
        if restarts:
            await world.restart()
        else:
            await asyncio.sleep(2.0)
        await asyncio.sleep(3.0)
        assert world.announced == names(V6, SECOND)
        assert "tcp/80 appeared" in world.reason(V4)
        await asyncio.sleep(2.1)
        assert world.announced == names(*ALL)

    play(tmp_path, scene)


def test_restored_while_unknown(tmp_path: Path) -> None:
    """To restore a VIP whose service vanished announces it, as with any unknown health."""

    async def scene(world: World) -> None:
        await world.wish(Mode.DRAINED, V4)
        world.live[V4] = {}
        await asyncio.sleep(2.0)
        assert world.announced == names(V6, SECOND)
        await world.wish(Mode.AUTO, V4)
        assert world.announced == names(*ALL)
        assert world.reason(V4).startswith("health unknown, held announced: tcp/80 gone from IPVS")

    play(tmp_path, scene)


@pytest.mark.parametrize("restarts", [True, False])
def test_died_while_drained(tmp_path: Path, restarts: bool) -> None:  # noqa: FBT001 - a parameter
    """What died while it was drained is not taken for what was up: neither unchecked, nor unknown."""

    async def scene(world: World) -> None:
        await world.wish(Mode.DRAINED, V4, SECOND)
        world.live[V4] = {}
        world.live[SECOND] = {WEB: 0}
        await asyncio.sleep(45.0)  # longer than restart_grace, and until all is read back again
        if restarts:
            await world.restart()
        world.live[V4] = {WEB: 2}
        await asyncio.sleep(2.0)
        await world.wish(Mode.AUTO, V4)
        assert world.announced == names(V6)
        assert "tcp/80 appeared" in world.reason(V4)
        await asyncio.sleep(10.0)
        assert world.announced == names(V4, V6)
        world.checker = Checker()  # unknown from now on, and then nobody drains it any more
        await asyncio.sleep(2.0)
        intent = Intent(Mode.DRAINED, "alice", world.clock.wall(), until=world.clock.wall() + 5.0)
        await world.reconciler.operator.apply({SECOND: intent})
        await asyncio.sleep(10.0)
        assert world.announced == names(V4, V6)
        assert world.reason(SECOND).startswith("health unknown, held withdrawn")

    play(tmp_path, scene)


def test_recovered_while_drained(tmp_path: Path) -> None:
    """What came back while it was drained is known to be up when its health becomes unknown."""

    async def scene(world: World) -> None:
        world.live[V4] = {WEB: 0}
        await asyncio.sleep(2.0)
        until = world.clock.wall() + 30.0
        intent = Intent(Mode.DRAINED, "alice", world.clock.wall(), until=until)
        await world.reconciler.operator.apply({V4: intent})
        world.live[V4] = {WEB: 2}
        await asyncio.sleep(15.0)
        world.checker = Checker()
        await asyncio.sleep(20.0)
        assert world.announced == names(*ALL)

    play(tmp_path, scene)


def test_what_has_not_settled(tmp_path: Path) -> None:
    """What changes right now is looked at again at once."""

    async def scene(world: World) -> None:
        world.unsettled, world.looks = True, 0
        await asyncio.sleep(2.0)
        assert world.looks > 50
        world.unsettled, world.looks = False, 0
        await asyncio.sleep(10.0)
        assert world.looks <= 12

    play(tmp_path, scene)


def test_a_failover(tmp_path: Path) -> None:
    """Addresses that go are withdrawn at once, all of them; health does not matter, --force does."""

    async def scene(world: World) -> None:
        assert world.announced == names(*ALL)
        world.presence = Presence(frozenset())
        await asyncio.sleep(1.1)
        assert world.announced == set()
        assert world.reason(V4) == "address not on this machine"
        world.live.pop(V4)
        await world.wish(Mode.AUTO, V4)
        assert world.announced == set()
        await world.wish(Mode.FORCED, V6)
        assert world.announced == names(V6)
        await world.restart()
        assert world.announced == names(V6)
        await world.wish(Mode.AUTO, V6)
        assert world.announced == set()
        world.presence = Presence(ALL)
        await asyncio.sleep(1.1)
        assert world.announced == names(*ALL)

    play(tmp_path, scene, HERE, presence=Presence(ALL))


def test_the_backup_of_a_pair(tmp_path: Path) -> None:
    """What another machine has is not announced here; health is followed meanwhile, and counts later."""

    async def scene(world: World) -> None:
        assert world.announced == set()
        world.checker = Checker()  # unknown from now on
        await asyncio.sleep(2.0)
        assert world.announced == set()
        world.presence = Presence(ALL)
        await asyncio.sleep(1.1)
        assert world.announced == names(*ALL)

    play(tmp_path, scene, HERE, presence=Presence(frozenset()))


def test_unreadable_addresses(tmp_path: Path) -> None:
    """Where addresses can't be read, nothing moves, and it is said."""

    async def scene(world: World) -> None:
        world.presence = Presence(frozenset({V4}), "addresses: netlink: broken")
        await asyncio.sleep(2.0)
        assert world.announced == names(V4)
        assert "addresses: netlink: broken" in world.reconciler.alarms.texts

    play(tmp_path, scene, HERE, presence=Presence(frozenset({V4})))


def test_flapping(tmp_path: Path) -> None:
    """What flaps is held down, says why, outlives restarts, and comes back by itself."""

    async def scene(world: World) -> None:
        await world.flap(V4, 2)
        assert world.announced == names(*ALL)
        await world.restart()
        await world.flap(V4, 2)
        assert world.announced == names(V6, SECOND)
        assert world.reason(V4).startswith("damped: penalty 3")
        (route,) = status.routes(world.reconciler, [V4])
        assert (route.health, route.realservers) == ("up", 2)
        await world.restart()
        await asyncio.sleep(60.0)
        assert world.announced == names(V6, SECOND)
        await asyncio.sleep(600.0)
        assert world.announced == names(*ALL)

    play(tmp_path, scene, DAMPED)


@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.FORCED])
def test_an_operator_lifts_the_damping(tmp_path: Path, mode: Mode) -> None:
    """To restore is foreseen, and done at once; the penalty is forgotten for good."""

    async def scene(world: World) -> None:
        await world.flap(V4, 5)
        assert world.announced == names(V6, SECOND)
        wish = {V4: Intent(mode, "alice", 1.0)}
        assert (await world.reconciler.preview(wish))[V4].route is not None
        await world.wish(mode, V4)
        assert world.announced == names(*ALL)
        await world.wish(Mode.AUTO, V4)
        await world.restart()
        assert world.announced == names(*ALL)
        assert not world.store.load().damping
        await world.flap(V4, 1)
        assert world.announced == names(*ALL)

    play(tmp_path, scene, DAMPED)
