"""The watchdog against an ExaBGP that fails in every way known: whatever comes, it gets there.

Time is virtual, so that the real patience, back-off and healing take no time.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from policy.intent import Intent, Mode
from policy.route import Prefix, parse_prefix
from speaker import config
from speaker.reconcile import status
from tests.support.fakes.exabgp import DIALECTS, Daemon, Dialect, Exabgp, Fault, Given, Received
from tests.support.fakes.site import NEIGHBORS, Connections, Life, Source
from tests.support.fakes.virtual_time import VirtualClock, VirtualLoop
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine, Iterator, Mapping, Sequence

    from speaker.api import PrefixStatus
    from speaker.backends.exabgp.neighbors import ConfiguredNeighbor
    from speaker.config.settings import Config
    from speaker.reconcile.reconciler import Reconciler

CONFIG = """
[node]
dc = "par1"
[dc.par1]
asn = 64699
[dc.lyo1]
asn = 64699
[policy]
confirm = "2s"
[drain]
settle = "5s"
quiet = "1s"
timeout = "60s"
return = "20s"
[backend.exabgp]
next_hop = { ipv4 = "203.0.113.2", ipv6 = "2001:db8:ffff::2" }
process = "speaker"
[vip."vip-1.tld"]
addresses = ["192.0.2.1", "2001:db8::1"]
"""
MORE = """
[vip."vip-2.tld"]
addresses = ["192.0.2.2", "192.0.2.3"]
prefer = ["lyo1", "par1"]
health = { fall = "2s", rise = "1s" }
"""
OTHER = MORE.replace('["lyo1", "par1"]', '["par1", "lyo1"]')
TEXTS = (CONFIG + MORE, CONFIG, CONFIG + OTHER)
PREFIXES = tuple(
    map(parse_prefix, ("192.0.2.1/32", "2001:db8::1/128", "192.0.2.2/32", "192.0.2.3/32"))
)
STATIC: Prefix = parse_prefix("198.51.100.0/24")
PEERS = tuple(str(neighbor.address) for neighbor in NEIGHBORS)
TIMEOUT, BACK = 60.0, 20.0
"""Of a soft drain: how long it waits for connections, and how long it returns, in seconds."""
HEALED = 150.0
"""Within this time after the last disturbance all must be as decided, in seconds."""


class Errors(logging.Handler):
    """Collects what was logged with a traceback: the watchdog never raises."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.found.append(logging.Formatter().format(record))


class WatchdogMachine(RuleBasedStateMachine):
    """A site: an operator, realservers, peers, ExaBGP, and the watchdog that it spawns."""

    @initialize(dialect=st.sampled_from(DIALECTS), up=st.booleans())
    def start(self, dialect: Dialect, *, up: bool) -> None:
        fast = Path("/dev/shm")
        self.directory = Path(tempfile.mkdtemp(dir=fast if fast.is_dir() else None))
        self.runner = asyncio.Runner(loop_factory=VirtualLoop)
        self.clock = VirtualClock(self.runner.get_loop())
        self.errors = Errors()
        logging.getLogger("speaker").addHandler(self.errors)
        self.dialect = dialect
        self.text = TEXTS[0]
        self.source = Source(dict.fromkeys(PREFIXES, 2))
        self.connections = Connections(dict.fromkeys(PREFIXES, 9))
        self.certain: dict[Prefix, bool | None] = dict.fromkeys(PREFIXES)
        self.intents: dict[Prefix, Intent] = {}
        self.drained: dict[Prefix, float | None] = {}
        self.disturbed = self.clock.steady()
        self.do(self.begin(up=up))

    def do(self, what: Coroutine[object, object, object]) -> None:
        self.runner.run(what)

    def shown(self, prefixes: Collection[Prefix]) -> Sequence[PrefixStatus]:
        """Return what status shows, which is asked on the loop."""

        async def look() -> Sequence[PrefixStatus]:
            return status.routes(self.reconciler, prefixes)

        return self.runner.run(look())

    def config(self) -> Config:
        path = self.directory / "vip.toml"
        path.write_text(self.text)
        return config.load(path, {})

    async def begin(self, *, up: bool) -> None:
        """Start an ExaBGP, with its helper."""
        static = {STATIC: Given("203.0.113.1")}
        self.exabgp = Exabgp(Daemon(NEIGHBORS, self.dialect, static))
        self.spawn()
        if up:
            for peer in PEERS:
                self.exabgp.up(peer)
        await asyncio.sleep(0)

    def spawn(self) -> None:
        state = self.directory / "state.sqlite3"
        parts = (self.exabgp, self.config(), self.source, self.clock, state, self.connections)
        self.life = Life(*parts)
        self.life.listen()
        self.life.watch()

    @property
    def reconciler(self) -> Reconciler:
        """The one that runs now."""
        return self.life.reconciler

    def disturb(self, seconds: float = 0.0) -> None:
        """Note that something goes wrong, and for how long."""
        self.disturbed = max(self.disturbed, self.clock.steady() + seconds)

    # --- realservers -----------------------------------------------------------------------

    @rule(prefix=st.sampled_from(PREFIXES), count=st.sampled_from([0, 1, 3]))
    def realservers(self, prefix: Prefix, count: int) -> None:
        if self.source.live[prefix] != count:
            self.certain[prefix] = None
        self.source.live[prefix] = count
        self.disturb()

    @rule(prefixes=st.sets(st.sampled_from(PREFIXES), min_size=1))
    def unknown(self, prefixes: set[Prefix]) -> None:
        self.source.live.update(dict.fromkeys(prefixes))
        self.disturb()

    # --- the operator ----------------------------------------------------------------------

    @rule(
        prefixes=st.sets(st.sampled_from(PREFIXES), min_size=1),
        mode=st.sampled_from(Mode),
        seconds=st.sampled_from([None, None, 5.0, 400.0]),
        insists=st.booleans(),
    )
    def wish(
        self, prefixes: set[Prefix], mode: Mode, seconds: float | None, *, insists: bool = False
    ) -> None:
        known = [prefix for prefix in prefixes if prefix in self.reconciler.assignments]
        now = self.clock.wall()
        has_end = mode not in (Mode.AUTO, Mode.RETURNING)
        until = now + seconds if has_end and seconds is not None else None
        insists = insists and mode is Mode.DRAINING
        intent = Intent(mode, "alice", now, "because", until, insisted=insists)
        for prefix in known:
            self.drained.pop(prefix, None)
            self.intents[prefix] = intent
            if intent.restores and self.source.live[prefix] is None:
                self.certain[prefix] = None
        self.do(self.reconciler.operator.apply(dict.fromkeys(known, intent)))
        routes = self.shown(known)
        self.disturb()
        for route in routes:
            if route.drain is not None:
                assert route.drain.force == (insists and route.intent == Mode.DRAINING), route
        if mode is not Mode.DRAINED:
            return
        for route in routes:
            if route.as_wanted:  # vip_mgmt -d says that it is done
                self.drained[parse_prefix(route.prefix)] = until

    @rule(prefix=st.sampled_from(PREFIXES), active=st.sampled_from([0, 0, 3, None]))
    def clients(self, prefix: Prefix, active: int | None) -> None:
        """How many connections there are: what drains softly waits for them."""
        self.connections.active[prefix] = active

    # --- time ------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.01, 0.3, 1.0, 2.0, 6.0, 35.0]))
    def time_passes(self, seconds: float) -> None:
        self.do(asyncio.sleep(seconds))

    # --- faults ----------------------------------------------------------------------------

    @rule(faults=st.lists(st.sampled_from(Fault), min_size=1, max_size=4))
    def faults(self, faults: list[Fault]) -> None:
        self.exabgp.faults.extend(faults)
        self.disturb()

    @rule(seconds=st.sampled_from([0.5, 4.0, 6.0, 40.0]))
    def stall(self, seconds: float) -> None:
        self.exabgp.stall(seconds)
        self.disturb(seconds)

    @rule(lines=st.lists(st.sampled_from(["", "x", '{"a": 1}', "exabgp 5.0.15"])))
    def says(self, lines: list[str]) -> None:
        """ExaBGP says what nobody asked. A stray `done`, or a second answer, could not be told apart."""
        self.exabgp.say(lines)
        self.disturb()

    @rule(peer=st.sampled_from(PEERS), seconds=st.sampled_from([0.5, 3.0]))
    def peer_is_busy(self, peer: str, seconds: float) -> None:
        self.exabgp.busy(peer, seconds)
        self.disturb(seconds)

    @rule(peer=st.sampled_from(PEERS))
    def peer_goes_down(self, peer: str) -> None:
        self.exabgp.down(peer)
        self.disturb()

    @rule(peer=st.sampled_from(PEERS))
    def peer_comes_up(self, peer: str) -> None:
        self.do(self.coming_up(peer))
        self.disturb()

    async def coming_up(self, peer: str) -> None:
        self.exabgp.up(peer)

    @rule(peer=st.sampled_from(PEERS), times=st.integers(1, 20))
    def peer_flaps_for_long(self, peer: str, times: int) -> None:
        """A peer that refuses: ExaBGP tells of it again and again."""
        self.do(self.flapping(peer, times))
        self.disturb()

    async def flapping(self, peer: str, times: int) -> None:
        for _ in range(times):
            self.exabgp.down(peer)
            await asyncio.sleep(1.0)

    # --- lives -----------------------------------------------------------------------------

    @precondition(lambda self: self.exabgp.waiting <= 1)
    @rule()
    def the_watchdog_is_killed(self) -> None:
        """Killed, and started again by ExaBGP, which gives it its predecessor's last reply.

        Where ExaBGP stands still while several are killed, the replies to several questions come,
        and a new one can't tell which is to its own: that is not asked of it.
        """
        self.do(self.again())
        self.disturb()

    async def again(self) -> None:
        await self.life.kill()
        await asyncio.sleep(0.1)  # a process takes its time to start
        self.spawn()

    @rule(up=st.booleans())
    def exabgp_restarts(self, *, up: bool) -> None:
        self.do(self.restart(up=up))
        self.disturb()

    async def restart(self, *, up: bool) -> None:
        self.exabgp.stop()
        await self.life.kill()
        await self.begin(up=up)

    @rule(text=st.sampled_from(TEXTS))
    def reload(self, text: str) -> None:
        self.text = text
        self.certain.update(dict.fromkeys(PREFIXES[2:]))
        self.do(self.reloading())
        self.disturb()

    @rule(peer=st.sampled_from(PEERS))
    def there_and_back(self, peer: str) -> None:
        """Attributes change, back, and again, while ExaBGP still sends something else."""
        self.exabgp.busy(peer, 4.0)
        for text in (TEXTS[2], TEXTS[0], TEXTS[2]):
            self.reload(text)
            self.time_passes(1.0)
        self.disturb()

    async def reloading(self) -> None:
        loaded = self.config()
        await self.reconciler.configure(loaded, self.source, self.life.configure)

    # --- what always holds -----------------------------------------------------------------

    @invariant()
    def one_in_flight(self) -> None:
        """At most one command is in flight, because ExaBGP reorders more."""
        assert not self.exabgp.overlaps

    @invariant()
    def it_lives(self) -> None:
        """Nothing makes the watchdog raise, or end."""
        assert not self.errors.found, self.errors.found[0]
        assert not [task for task in self.life.tasks if task.done()]

    @invariant()
    def the_static_route_stays(self) -> None:
        """What is not in vip.toml is never touched."""
        for session in self.exabgp.daemon.sessions.values():
            assert STATIC in session.rib
            if session.up and not session.busy:
                assert STATIC in session.table
        allowed = {STATIC, *PREFIXES}
        for session in self.exabgp.daemon.sessions.values():
            assert session.rib.keys() | session.table.keys() <= allowed

    @invariant()
    def drained_is_not_announced(self) -> None:
        """Rule 1: not until it is lifted; but for what ExaBGP itself sends again, until it is healed."""
        if self.clock.steady() - self.disturbed < HEALED or self.exabgp.faults:
            return
        for prefix, until in self.drained.items():
            if until is None or self.clock.wall() < until:
                for session in self.exabgp.daemon.sessions.values():
                    assert prefix not in session.table, prefix

    @precondition(lambda self: not self.exabgp.faults)
    @rule(prefix=st.sampled_from(PREFIXES))
    def drain_in_calm(self, prefix: Prefix) -> None:
        """Where nothing is wrong, a drain is done when it returns, and stays for as long as nothing is."""
        if (
            self.clock.steady() - self.disturbed < HEALED
            or prefix not in self.reconciler.assignments
        ):
            return
        intent = Intent(Mode.DRAINED, "bob", self.clock.wall())
        self.intents[prefix] = intent
        self.do(self.reconciler.operator.apply({prefix: intent}))
        (route,) = self.shown([prefix])
        assert route.announced is False, route
        self.drained[prefix] = None
        self.do(asyncio.sleep(40.0))
        for session in self.exabgp.daemon.sessions.values():
            assert prefix not in session.table

    @precondition(lambda self: not self.exabgp.faults)
    @rule(
        prefix=st.sampled_from(PREFIXES),
        killed=st.sets(st.sampled_from(["draining", "drained", "returning"])),
    )
    def leave_and_return_in_calm(self, prefix: Prefix, killed: set[str]) -> None:
        """Where nothing is wrong, it leaves and returns stage by stage, whichever of them the watchdog is killed in."""
        is_calm = self.clock.steady() - self.disturbed >= HEALED and not self.override(prefix)
        if not is_calm or prefix not in self.reconciler.assignments or not self.source.live[prefix]:
            return
        self.connections.active[prefix] = 9
        self.drained.pop(prefix, None)
        soft = self.reconciler.assignments[prefix].soft
        assert soft is not None
        self.do(self.stage(prefix, Mode.DRAINING))
        began = self.clock.steady()
        for stage in ("draining", "drained", "returning"):
            if stage in killed:
                self.do(self.again())
                self.do(asyncio.sleep(5.0))
            if stage == "draining":
                self.has(prefix, len(soft.attributes.as_path))
                self.do(asyncio.sleep(TIMEOUT + 10.0 - (self.clock.steady() - began)))
            elif stage == "drained":
                self.has(prefix, None)
                self.do(self.stage(prefix, Mode.RETURNING))
                self.has(prefix, len(soft.attributes.as_path))
        self.do(asyncio.sleep(BACK + 10.0))
        (route,) = self.shown([prefix])
        assert (route.intent, route.wanted) == ("auto", True)
        self.has(prefix, len(route.as_path))

    async def stage(self, prefix: Prefix, mode: Mode) -> None:
        intent = Intent(mode, "bob", self.clock.wall())
        self.intents[prefix] = intent
        await self.reconciler.operator.apply({prefix: intent})

    def has(self, prefix: Prefix, length: int | None) -> None:
        """Each peer that is up has a prefix with an AS_PATH so long as an eBGP peer has it, or does not have it."""
        for session in self.exabgp.daemon.sessions.values():
            if session.up:
                seen = session.table.get(prefix)
                own = session.neighbor.local_as == session.neighbor.peer_as
                assert (None if seen is None else len(seen.as_path) + own) == length, prefix

    @rule(up=st.booleans())
    def all_is_well_in_the_end(self, *, up: bool) -> None:
        """After the last fault, and with time, every peer has exactly what is decided."""
        self.do(self.settle(up=up))
        wanted = {p: r for p, r in self.desired().items() if r is not None}
        unsure = {p for p in PREFIXES if self.is_unsure(p) or self.returns(p)}
        for peer, session in self.exabgp.daemon.sessions.items():
            if session.up:
                table = {p: seen for p, seen in session.table.items() if p != STATIC}
                assert {p: s for p, s in table.items() if p not in unsure} == {
                    p: received(session.neighbor, p, prepends)
                    for p, prepends in wanted.items()
                    if p not in unsure
                }, peer
        shown = {route.prefix: route for route in self.shown(self.reconciler.assignments)}
        reached = any(session.up for session in self.exabgp.daemon.sessions.values())
        for prefix in self.reconciler.assignments:
            seen = self.reconciler.view.confirmed[prefix] is not None
            route = shown[str(prefix)]
            assert route.as_wanted == (reached or not seen), route
            assert route.announced == (reached and seen), route
            if prefix not in unsure:
                assert seen == (prefix in wanted)
            elif not self.override(prefix):
                self.certain[prefix] = seen
        for prefix, count in self.source.live.items():
            if (
                count is not None
                and not self.override(prefix)
                and prefix in self.reconciler.assignments
            ):
                self.certain[prefix] = bool(count)
        self.do(self.rests())

    async def settle(self, *, up: bool) -> None:
        self.exabgp.faults.clear()
        for peer in PEERS if up else ():
            self.exabgp.up(peer)
        await asyncio.sleep(HEALED + 50.0)

    async def rests(self) -> None:
        """At rest it looks once in each interval, and hardly asks ExaBGP."""
        self.source.looks = 0
        commands = len(self.exabgp.commands)
        await asyncio.sleep(60.0)
        assert 50 <= self.source.looks <= 70
        assert len(self.exabgp.commands) - commands <= 20

    def override(self, prefix: Prefix) -> Mode | None:
        """What an operator has asked for that is in force, as it is when each stage had its time."""
        intent = self.intents.get(prefix)
        if intent is None or not intent.in_force(self.clock.wall()):
            return None
        if intent.mode in (Mode.AUTO, Mode.RETURNING):
            return None
        return Mode.DRAINED if intent.mode is Mode.DRAINING else intent.mode

    def returns(self, prefix: Prefix) -> bool:
        """Whether a soft drain ended by itself a moment ago: it comes back softly, unless it never drained so."""
        intent = self.intents.get(prefix)
        if intent is None or intent.mode is not Mode.DRAINING or intent.until is None:
            return False
        return intent.until <= self.clock.wall() < intent.until + BACK + 5.0

    def is_unsure(self, prefix: Prefix) -> bool:
        """Whether what is held of an unknown prefix depends on what came in which order before."""
        unknown = self.source.live[prefix] is None and self.certain[prefix] is None
        return unknown and not self.override(prefix)

    def desired(self) -> Mapping[Prefix, int | None]:
        """The prepends of each prefix, or None where it is to be withdrawn."""
        wanted: dict[Prefix, int | None] = dict.fromkeys(PREFIXES)
        for prefix, assignment in self.reconciler.assignments.items():
            count, mode = self.source.live[prefix], self.override(prefix)
            alive = bool(self.certain[prefix] if count is None else count)
            if mode is Mode.FORCED or (alive and mode is not Mode.DRAINED):
                assert assignment.profile
                wanted[prefix] = assignment.profile.prepends
        return wanted

    def teardown(self) -> None:
        if not hasattr(self, "life"):
            return
        self.do(self.life.kill())
        self.runner.close()
        logging.getLogger("speaker").removeHandler(self.errors)
        shutil.rmtree(self.directory)


def received(neighbor: ConfiguredNeighbor, prefix: Prefix, prepends: int) -> Received:
    """Return what a peer has of a route of ours."""
    own = neighbor.local_as != neighbor.peer_as
    path = (int(neighbor.local_as),) * (prepends + own)
    hop = made.V4_HOP if prefix.version == 4 else made.V6_HOP
    preference = None if own else 100
    return Received(path, str(hop), "igp", 0, frozenset(), frozenset(), preference)


TestWatchdog = WatchdogMachine.TestCase
TestWatchdog.settings = settings(max_examples=settings().max_examples * 2, stateful_step_count=30)


# --- what was found once -------------------------------------------------------------------------


@contextmanager
def site(dialect: Dialect, *, up: bool) -> Iterator[WatchdogMachine]:
    """A machine that is driven by hand."""
    machine = WatchdogMachine()
    try:
        machine.start(dialect=dialect, up=up)
        yield machine
        machine.one_in_flight()
        machine.it_lives()
        machine.the_static_route_stays()
        machine.all_is_well_in_the_end(up=True)
    finally:
        machine.teardown()


FIRST = PREFIXES[0]
dialects = pytest.mark.parametrize("dialect", DIALECTS)


@dialects
def test_left_while_a_session_was_down(dialect: Dialect) -> None:
    """What left the configuration while a session was down does not come back with the session."""
    with site(dialect, up=False) as machine:
        machine.time_passes(2.0)
        machine.reload(CONFIG)
        machine.time_passes(35.0)


@dialects
def test_attributes_there_and_back(dialect: Dialect) -> None:
    """Attributes that changed and changed back while ExaBGP was busy end as the last ones."""
    with site(dialect, up=True) as machine:
        machine.time_passes(35.0)
        machine.there_and_back(PEERS[0])


@dialects
def test_drained_while_a_session_was_down(dialect: Dialect) -> None:
    """What was drained while a session was down is withdrawn again when it is up."""
    with site(dialect, up=False) as machine:
        machine.time_passes(2.0)
        machine.wish({FIRST}, Mode.DRAINED, None)
        machine.peer_comes_up(PEERS[0])
        machine.time_passes(2.0)
        assert FIRST not in machine.exabgp.daemon.sessions[PEERS[0]].table


@dialects
def test_a_drained_prefix_is_withdrawn_once(dialect: Dialect) -> None:
    """Sending a withdrawal again is no change that would have to be sent again."""
    with site(dialect, up=False) as machine:
        machine.all_is_well_in_the_end(up=False)
        machine.drain_in_calm(FIRST)


@dialects
def test_killed_with_a_command_in_flight(dialect: Dialect) -> None:
    """The reply to a killed watchdog's command is not taken by the next one."""
    with site(dialect, up=True) as machine:
        machine.the_watchdog_is_killed()
        machine.the_watchdog_is_killed()


@pytest.mark.parametrize("fault", [Fault.NO_ACK, Fault.IGNORED, Fault.SLOW])
@dialects
def test_a_lost_reply_while_a_peer_refuses(dialect: Dialect, fault: Fault) -> None:
    """A lost reply is given up in time, whatever else ExaBGP tells meanwhile of a peer that is down."""
    with site(dialect, up=False) as machine:
        machine.time_passes(35.0)
        machine.faults([fault])
        machine.realservers(PREFIXES[1], 0)
        machine.peer_flaps_for_long(PEERS[0], 2)
        machine.realservers(FIRST, 0)
        machine.peer_flaps_for_long(PEERS[0], 12)
        assert FIRST not in machine.exabgp.daemon.sessions[PEERS[1]].rib


@dialects
def test_unknown_as_soon_as_announced(dialect: Dialect) -> None:
    """A VIP that was announced a moment ago is held announced when its health becomes unknown."""
    with site(dialect, up=True) as machine:
        machine.time_passes(0.3)
        machine.unknown({FIRST})
        machine.time_passes(35.0)
        assert FIRST in machine.exabgp.daemon.sessions[PEERS[0]].table


@pytest.mark.parametrize("fault", Fault)
@dialects
def test_every_fault_at_every_command(dialect: Dialect, fault: Fault) -> None:
    """One fault, wherever it comes, costs no more than a moment."""
    for before in range(8):
        with site(dialect, up=True) as machine:
            machine.time_passes(35.0)
            machine.faults([*[Fault.NONE] * before, fault])
            machine.wish({FIRST}, Mode.DRAINED, None)
            machine.time_passes(2.0)


@dialects
def test_every_fault_while_attributes_change(dialect: Dialect) -> None:
    """What may be at a peer in an earlier shape is sent again, although a command fails on the way."""
    for before in range(10):
        with site(dialect, up=True) as machine:
            machine.time_passes(35.0)
            machine.there_and_back(PEERS[1])
            machine.faults([*[Fault.NONE] * before, Fault.ERROR])


@dialects
def test_left_while_it_changed(dialect: Dialect) -> None:
    """What changed and left the configuration, while ExaBGP was busy, does not stay at the peer."""
    with site(dialect, up=True) as machine:
        machine.time_passes(200.0)
        machine.exabgp.busy(PEERS[0], 3.0)
        for text in (TEXTS[2], TEXTS[0], TEXTS[1]):
            machine.reload(text)
            machine.time_passes(0.9)


@pytest.mark.parametrize("killed", [set(), {"draining"}, {"drained"}, {"returning"}], ids=str)
def test_leave_and_return(killed: set[str]) -> None:
    """A soft drain and the way back, with the watchdog killed in one of the stages."""
    with site(DIALECTS[-1], up=True) as machine:
        machine.time_passes(200.0)
        machine.leave_and_return_in_calm(FIRST, killed)
        assert machine.intents[FIRST].mode is Mode.RETURNING
