"""Owns a run of random faults and operations against a whole site: it carries them out, and records what was done and seen."""

from __future__ import annotations

import itertools
import json
import sqlite3
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.route import parse_prefix
from policy.site_intent import EVERYWHERE, Extent, SiteIntent, holding, merged
from speaker.state.site_rows import read_copy
from tests.support.lab.eventually import eventually
from tests.support.lab.history import History
from tests.support.lab.site_faults import befall
from tests.support.lab.whole_site import NAMES, PORTS, Balancer, WholeSite
from tests.support.site_history import (
    HealthChange,
    Hindrance,
    Operation,
    SeenRoute,
    SiteHistory,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tests.support.site_steps import Step

PATIENCE = "2s"
"""For how long an operator waits for the others."""
TAKEN = (0, 1)
"""How vip_mgmt ends where an order is recorded: what it refuses was never asked, and would prove nothing."""
MACHINES = {name: Extent(*name.split("/")) for name in NAMES}
PREFIXES = {name: parse_prefix(name) for name in PORTS}


@dataclass(slots=True)
class Done:
    """An operation: where it was typed, for whom; from when to when, and how it ended. `intent` is what was recorded of it."""

    number: int
    at: str
    prefix: str
    drains: bool
    extent: Extent
    began: float
    ended: float | None = None
    status: int = -1
    said: str = ""
    intent: SiteIntent | None = None

    @property
    def reason(self) -> str:
        """What tells its intent from others'."""
        return f"operation {self.number}"

    def operation(self, known: dict[str, int]) -> Operation:
        """Return it as it is judged.

        Args:
            known: the numbers of the operations whose intents have an id; those before the run have -1.
        """
        seen = self.intent.seen if self.intent else ("",)
        exact = all(one in known for one in seen)
        return Operation(
            number=self.number,
            drains=self.drains,
            prefixes=frozenset({PREFIXES[self.prefix]}),
            extent=self.extent,
            where=MACHINES[self.at],
            asked=self.began,
            returned=self.ended,
            status=self.status,
            confirmed=frozenset(m for n, m in MACHINES.items() if f"{n}: confirmed" in self.said),
            knew=frozenset(known[one] for one in seen) - {-1} if exact else None,
        )


class Run:
    """One run."""

    def __init__(self, site: WholeSite) -> None:
        """Take a site that is at rest, and announces all."""
        self._site = site
        self.operations: list[Done] = []
        self.said: list[str] = []
        """Each step, and when it was taken."""
        self._began = time.time()
        self._health = [(self._began, *each, True) for each in itertools.product(NAMES, PORTS)]
        self._hindrances: list[Hindrance] = []
        self._lone: dict[str, float] = {}
        self._history = History(site.bird, every=True)
        self._pool = ThreadPoolExecutor(4)
        self._pending: list[Future[None]] = []
        self._busy = {name: threading.Lock() for name in NAMES}
        self._pause = threading.Event()  # never set: what is waited for is time
        before = [e for n, p in itertools.product(NAMES, PORTS) for e in copy_of(site[n], p)]
        self._known = {one: -1 for each in before for one in (each.id, *each.seen)}

    def play(self, steps: Sequence[Step]) -> SiteHistory:
        """Take all steps, the last of which is a calm, and return what came of them.

        Raises:
            AssertionError: after a calm the site did not come to rest as it was asked.
        """
        try:
            for step in steps:
                self.said.append(f"{time.time() - self._began:7.2f} {step}")
                self._take(step)
                self._pause.wait(step.pause)
        finally:
            self._pool.shutdown()
        return self._recorded()

    def _take(self, step: Step) -> None:
        match step.what, step.on:
            case (("drain" | "restore"), (at, prefix, *scope)):
                self._later(lambda: self._operate(step.what == "drain", at, prefix, scope))
            case "crash", (name,):
                self._later(lambda: self._crash(name))
            case "compact", ():
                self._later(self._compact)
            case "drop", ():
                self._later(self._drop)
            case (("sick" | "well"), (name, prefix)):
                self._turn(name, prefix, up=step.what == "well")
            case "calm", ():
                self._calm()
            case what, (one,):
                if what == "lone":  # until the next calm: `peer` does not say when they meet again
                    self._lone.setdefault(one, time.time())
                befall(self._site, what, one)

    def _later(self, does: Callable[[], None]) -> None:
        self._pending.append(self._pool.submit(does))

    # --- operators -------------------------------------------------------------------------

    def _operate(self, drains: bool, at: str, prefix: str, scope: Sequence[str]) -> None:  # noqa: FBT001 - one of two
        balancer = self._site[at]
        with self._busy[at]:
            number = len(self.operations)
            done = Done(number, at, prefix, drains, _extent(at, scope), time.time())
            self.operations.append(done)
            more = ["--last"] if drains else []
            if "--here" not in scope:  # where nobody else is waited for, there is no time limit
                more += ["--timeout", PATIENCE]
            words = ["-d" if drains else "-a", prefix, *scope, *more, "--reason", done.reason]
            said = balancer.mgmt(*words)
            done.ended, done.status, done.said = time.time(), said.returncode, said.stderr
            assert done.status in TAKEN, f"{words} was not taken: {said.stderr}"
            done.intent = self._intent(done, at)

    def _intent(self, done: Done, *names: str) -> SiteIntent | None:
        """Return the intent of an operation, as one of some machines knows it."""
        known = (each for name in names for each in copy_of(self._site[name], done.prefix))
        return next((each for each in known if each.intent.reason == done.reason), None)

    # --- faults ----------------------------------------------------------------------------

    def _turn(self, name: str, prefix: str, *, up: bool) -> None:
        realservers = self._site[name].site.realservers
        (realservers.open if up else realservers.close)(PORTS[prefix])
        self._health.append((time.time(), name, prefix, up))

    def _crash(self, name: str) -> None:
        with self._busy[name]:  # nobody types where nothing runs: that is another thing, offline
            began = time.time()
            self._site[name].crash()
            machine = frozenset({MACHINES[name]})
            self._hindrances.append(Hindrance(machine, began, time.time(), "down"))

    def _compact(self) -> None:
        with suppress(RuntimeError):  # no majority answers
            found = json.loads(self._site.etcd.ctl("get", "x", "--write-out=json"))
            self._site.etcd.ctl("compaction", str(found["header"]["revision"]))

    def _drop(self) -> None:
        with suppress(RuntimeError):
            for lease in self._site.etcd.ctl("lease", "list").splitlines()[1:]:
                self._site.etcd.ctl("lease", "revoke", lease.strip())

    def _calm(self) -> None:
        """Heal all, and wait until the router has what was asked."""
        for each in self._pending:
            each.result()
        self._pending.clear()
        self._site.heal()
        self._health += [(time.time(), *each, True) for each in itertools.product(NAMES, PORTS)]
        for done in self.operations:
            if done.intent is None:  # vip_mgmt may have given up before it was recorded
                done.intent = self._intent(done, *NAMES)
        for prefix in PORTS:
            eventually(
                lambda prefix=prefix: self._differs(prefix),  # type: ignore[misc]  # of a lambda with a default
                until=lambda found: not found,
                within=15,
                what=f"{prefix} is as it was asked up to operation {len(self.operations) - 1}",
                every=0.1,
            )
        for name, since in self._lone.items():
            machine = frozenset({MACHINES[name]})
            self._hindrances.append(Hindrance(machine, since, time.time(), "router"))
        self._lone.clear()

    def _differs(self, prefix: str) -> str:
        """Return how the router's view differs from what was asked, and nothing where it does not."""
        has, wanted = set(self._site.paths(prefix)), self.wanted(prefix)
        return "" if has == wanted else f"the router has {sorted(has)}, asked: {sorted(wanted)}"

    def wanted(self, prefix: str) -> set[str]:
        """Return who is to announce a prefix while all are healthy, by all that was recorded."""
        intents = [each.intent for each in self.operations if each.prefix == prefix and each.intent]
        return {name for name in NAMES if not _is_drained(intents, MACHINES[name])}

    # --- what was recorded -----------------------------------------------------------------

    def _recorded(self) -> SiteHistory:
        ids = {each.intent.id: each.number for each in self.operations if each.intent}
        paths = {prefix: self._site.paths(prefix) for prefix in PORTS}
        return SiteHistory(
            machines=frozenset(MACHINES.values()),
            prefixes=frozenset(PREFIXES.values()),
            ended=time.time(),
            operations=tuple(each.operation({**self._known, **ids}) for each in self.operations),
            seen=tuple(self._seen()),
            health=tuple(
                HealthChange(at, MACHINES[name], PREFIXES[prefix], up)
                for at, name, prefix, up in self._health
            ),
            hindrances=tuple(self._hindrances),
            drained={
                (MACHINES[name], PREFIXES[prefix]): name not in paths[prefix]
                for name, prefix in itertools.product(NAMES, PORTS)
            },
        )

    def _seen(self) -> Iterable[SeenRoute]:
        """Yield what the router took and lost; at the start it had all."""
        for name, prefix in itertools.product(MACHINES.values(), PREFIXES.values()):
            yield SeenRoute(self._began, name, prefix, announced=True)
        for event in self._history.events(*PORTS):
            machine = MACHINES[self._site.of(event)]
            has = event.verb == "added"
            yield SeenRoute(event.time, machine, PREFIXES[event.prefix], has)


def copy_of(balancer: Balancer, prefix: str) -> list[SiteIntent]:
    """Return what a machine knows of all that was asked of a prefix."""
    with closing(sqlite3.connect(balancer.store, timeout=60)) as db:
        return read_copy(db, [PREFIXES[prefix]]).known(PREFIXES[prefix])


def _extent(at: str, scope: Sequence[str]) -> Extent:
    match [*scope]:
        case ["--here"]:
            return MACHINES[at]
        case ["--everywhere"]:
            return EVERYWHERE
        case ["--at", other]:
            return Extent(other)
    return Extent(MACHINES[at].dc)


def _is_drained(intents: Iterable[SiteIntent], machine: Extent) -> bool:
    holds = holding(merged(intents), machine, time.time())
    return holds is not None and not holds.intent.restores
