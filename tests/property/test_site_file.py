"""Two machines' state files and an etcd between them: what is asked, handed on, taken over, ended and interrupted, in any order.

The rule is that of `test_site_intent`, computed from what happened before what. After each step each machine has in force what the
rule says of what it has heard; and at last, when all have heard all, that of all that was acknowledged.
"""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from policy.drain import Progress
from policy.intent import Intent, Mode
from policy.route import parse_prefix
from policy.site_intent import EVERYWHERE, Extent, SiteIntent, Width, merged
from policy.window import Window
from speaker.state.store import StageEnd, Store, StoreError
from tests.support.machines_of_a_site import START, AskedEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from policy.route import Prefix

VIP = parse_prefix("192.0.2.1/32")
PAR = Extent("par1")
MODES = st.sampled_from([Mode.AUTO, Mode.DRAINED, Mode.DRAINING, Mode.FORCED, Mode.RETURNING])
SPANS = st.sampled_from([None, None, 60.0, 600.0])
WHICH = st.sampled_from([0, 1])


class Crashed(Exception):  # noqa: N818 - no fault of anybody
    """The process ended in the middle."""


@dataclass
class Heard:
    """What was heard of, by extent: numbers of events."""

    of: dict[Extent, frozenset[int]] = field(default_factory=dict)

    def add(self, extent: Extent, numbers: Iterable[int]) -> None:
        """Hear of more."""
        self.of[extent] = self.of.get(extent, frozenset()).union(numbers)

    def all(self) -> frozenset[int]:
        """Return all."""
        return frozenset().union(*self.of.values())


class FileMachine:
    """A machine with its state file."""

    def __init__(self, directory: Path, name: str) -> None:
        self.here = Extent("par1", name)
        self.path = directory / name
        self.store = Store(self.path)
        self.heard = Heard()
        self.was: Mode | None = None

    def restart(self) -> None:
        """Have another process open the file."""
        self.store.close()
        self.store = Store(self.path)

    def intent(self, now: float) -> Intent | None:
        """Return what is in force."""
        found = self.store.intents().of.get(VIP)
        return found if found is not None and found.in_force(now) else None


class SiteFileMachine(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self._directory = TemporaryDirectory()
        self.machines = [FileMachine(Path(self._directory.name), name) for name in ("lb1", "lb2")]
        self.now = START
        self.events: dict[int, AskedEvent] = {}
        self.etcd: dict[Extent, tuple[SiteIntent, ...]] = {}
        self.etcd_heard = Heard()
        self.copies: list[tuple[dict[Extent, tuple[SiteIntent, ...]], Heard]] = []
        self.ids = 0

    @initialize()
    def an_empty_etcd(self) -> None:
        """Keep an old copy that has nothing."""
        self.copies.append(({}, Heard()))

    def new_id(self) -> str:
        self.ids += 1
        return f"{self.ids:05}"

    def event(self, machine: FileMachine, extent: Extent, intent: Intent) -> None:
        number = len(self.events)
        self.events[number] = AskedEvent(number, extent, intent, machine.heard.all())
        machine.heard.add(extent, [number])

    # --- what happens ----------------------------------------------------------------------

    @rule(which=WHICH, width=st.sampled_from(Width), mode=MODES, span=SPANS, crashes=st.booleans())
    def ask(
        self, *, which: int, width: Width, mode: Mode, span: float | None, crashes: bool
    ) -> None:
        """Somebody asks for something; the process may end before it is recorded, and then nothing is."""
        machine = self.machines[which]
        extent = {Width.MACHINE: machine.here, Width.DC: PAR, Width.SITE: EVERYWHERE}[width]
        intent = Intent(
            mode, f"user{len(self.events)}", self.now, "", None if span is None else self.now + span
        )
        if crashes:
            before = machine.store.site_known(), machine.store.intents()
            with suppress(Crashed):
                machine.store.ask_site({VIP: intent}, extent, machine.here, new_id=crash)
                raise AssertionError
            assert (machine.store.site_known(), machine.store.intents()) == before
            machine.restart()
            return
        machine.store.ask_site({VIP: intent}, extent, machine.here, new_id=self.new_id)
        self.event(machine, extent, intent)

    @rule(which=WHICH, span=SPANS)
    def planned(self, which: int, span: float | None) -> None:
        """A drain of the machine's own begins, which was planned there: it shortens nobody's."""
        machine = self.machines[which]
        before = machine.intent(self.now)
        window = Window(0, frozenset({VIP}), Mode.DRAINED, "window", self.now, self.now, "", span)
        numbered = machine.store.schedule(window)
        machine.store.run_windows([numbered.number], self.now)
        after = machine.intent(self.now)
        if after is not None and after != before and after.owner == "window":
            self.event(machine, machine.here, after)

    @rule(which=WHICH)
    def withdrawn(self, which: int) -> None:
        """A soft drain has come to its end, and withdraws."""
        machine = self.machines[which]
        intent = machine.intent(self.now)
        if intent is not None and intent.mode is Mode.DRAINING:
            after = Intent(Mode.DRAINED, intent.owner, intent.since, intent.reason, intent.until)
            end = StageEnd(intent, after, Progress(Mode.DRAINING, intent.since, self.now), "quiet")
            machine.store.advance({VIP: end}, self.now)

    @rule(which=WHICH, interrupted=st.booleans())
    def hand_on(self, *, which: int, interrupted: bool) -> None:
        """What is queued is stored in etcd, merged with what it has; the process may end before it notes that."""
        machine = self.machines[which]
        for (extent, _), standing in machine.store.site_dirty().items():
            self.etcd[extent] = merged(self.etcd.get(extent, ()), standing)
            self.etcd_heard.add(extent, machine.heard.of.get(extent, ()))
            if not interrupted:
                machine.store.site_clean({(extent, VIP): standing})
        if interrupted:
            machine.restart()

    @rule(which=WHICH, whole=st.booleans(), crashes=st.booleans())
    def take(self, *, which: int, whole: bool, crashes: bool) -> None:
        """A machine takes over what etcd has: all, or what it was told is new."""
        machine = self.machines[which]
        keys = [e for e in self.etcd if e.width is not Width.MACHINE or e == machine.here]
        keys = keys if whole else keys[:1]
        found = {(e, VIP): self.etcd[e] for e in keys}
        try:
            machine.store.take_site(
                found,
                machine.here,
                self.now,
                whole=whole,
                new_id=crash if crashes else self.new_id,
            )
        except Crashed:
            machine.restart()
            return
        for extent in keys:
            machine.heard.add(extent, self.etcd_heard.of.get(extent, ()))

    @rule(which=WHICH)
    def restart(self, which: int) -> None:
        """A process ends, and another begins."""
        self.machines[which].restart()

    @rule()
    def copy_etcd(self) -> None:
        """Somebody keeps a copy of etcd."""
        self.copies.append((dict(self.etcd), Heard(dict(self.etcd_heard.of))))

    @precondition(lambda self: self.copies)
    @rule(number=st.integers(0, 5))
    def restore_etcd(self, number: int) -> None:
        """It is restored from a copy; each machine reads all of it then."""
        etcd, heard = self.copies[number % len(self.copies)]
        self.etcd, self.etcd_heard = dict(etcd), Heard(dict(heard.of))
        for which in (0, 1):
            self.take(which=which, whole=True, crashes=False)

    @rule(seconds=st.sampled_from([1.0, 59.0, 61.0, 700.0, -30.0]))
    def time_passes(self, seconds: float) -> None:
        """Time passes, or the clock is set back."""
        self.now = max(START, self.now + seconds)

    # --- what must be so -------------------------------------------------------------------

    @invariant()
    def what_is_in_force(self) -> None:
        """Each machine is drained where the rule says so of what it heard; what withdrew stays so until it is restored."""
        for machine in self.machines:
            machine.store.settle_site(machine.here, self.now, new_id=self.new_id)
            intent = machine.intent(self.now)
            is_drained = intent is not None and not intent.restores
            assert is_drained == self.by_the_rule(machine), (machine.here, intent)
            mode = intent.mode if intent is not None and is_drained else None
            assert not (machine.was is Mode.DRAINED and mode is Mode.DRAINING)
            machine.was = mode
            assert machine.store.site_faults == ()

    def by_the_rule(self, machine: FileMachine) -> bool:
        of_it = [self.events[n] for n in machine.heard.all()]
        of_it = [e for e in of_it if e.extent.covers(machine.here)]
        standing = [
            e for e in of_it if not any(e.number in f.past and e.extent == f.extent for f in of_it)
        ]
        in_force = [e for e in standing if e.intent.in_force(self.now)]
        return any(
            e.drains
            and not any(
                e.number in f.past and not f.drains and e.extent.covers(f.extent) for f in in_force
            )
            for e in in_force
        )

    def teardown(self) -> None:
        """Have all hear all: then both have the same, and nothing is left to hand on."""
        try:
            for _ in range(2):
                for which in (0, 1):
                    self.take(which=which, whole=True, crashes=False)
                    self.hand_on(which=which, interrupted=False)
            shared = [self._shared(m.store.site_known()) for m in self.machines]
            assert shared[0] == shared[1]
            one, two = self.machines
            assert one.heard.of.get(PAR) == two.heard.of.get(PAR)
            self.what_is_in_force()
            assert [m.store.site_dirty() for m in self.machines] == [{}, {}]
        finally:
            for machine in self.machines:
                machine.store.close()
            self._directory.cleanup()

    @staticmethod
    def _shared(known: Mapping[Prefix, tuple[SiteIntent, ...]]) -> set[SiteIntent]:
        return {e for some in known.values() for e in some if e.extent.width is not Width.MACHINE}


def crash() -> str:
    """End the process in the middle of a transaction."""
    raise Crashed


TestSiteFile = SiteFileMachine.TestCase
TestSiteFile.settings = settings(
    max_examples=max(settings().max_examples // 2, 1), stateful_step_count=25
)


def test_a_full_disk(tmp_path: Path) -> None:
    """Wherever in a transaction there is no room any more, nothing of it is recorded, and later all of it."""
    here = Extent("par1", "lb1")
    prefixes = [parse_prefix(f"198.51.100.{n}/32") for n in range(200)]
    drained = Intent(Mode.DRAINED, "ann", START, "x" * 200)
    wanted = dict.fromkeys(prefixes, drained)
    rooms = iter(range(0, 300, 7))
    with closing(Store(tmp_path / "state")) as store:
        while True:
            db = store._connections.for_writing(1)
            (pages,) = db.execute("PRAGMA page_count").fetchone()
            db.execute(f"PRAGMA max_page_count = {pages + next(rooms)}")
            try:
                store.ask_site(wanted, PAR, here)
            except StoreError:
                assert "full" in store.fault
                assert (store.intents().of, store.site_known(), store.site_dirty()) == ({}, {}, {})
            else:
                break
        assert next(rooms) > 50
        assert store.intents().of == wanted
        assert len(store.site_dirty()) == len(prefixes)
