"""Owns a run of random faults and operations against a whole site: it carries them out, and records what was done and seen."""

from __future__ import annotations

import itertools
import json
import sqlite3
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from policy.route import parse_prefix
from policy.site_intent import EVERYWHERE, Extent, SiteIntent, holding, merged
from speaker.state.site_rows import read_copy
from tests.support.lab.eventually import eventually
from tests.support.lab.history import History
from tests.support.lab.whole_site import NAMES, PORTS, Balancer, WholeSite
from tests.support.site_judge import Done, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tests.support.site_steps import Step

PATIENCE = "2s"
"""For how long an operator waits for the others."""


class Run:
    """One run."""

    def __init__(self, site: WholeSite) -> None:
        """Take a site that is at rest."""
        self._site = site
        self.record = Record(NAMES, tuple(PORTS), time.time())
        self._history = History(site.bird)
        self._pool = ThreadPoolExecutor(4)
        self._pending: list[Future[None]] = []
        self._busy = {name: threading.Lock() for name in NAMES}
        self._pause = threading.Event()  # never set: what is waited for is time
        self.said: list[str] = []
        """Each step, and when it was taken."""

    def play(self, steps: Sequence[Step]) -> Record:
        """Take all steps, and return what came of them.

        Raises:
            AssertionError: after a calm the site did not come to rest as it was asked.
        """
        try:
            for step in steps:
                self.said.append(f"{time.time() - self.record.began:7.2f} {step}")
                self._take(step)
                self._pause.wait(step.pause)
        finally:
            self._pool.shutdown()
            self.record.ended = time.time()
            self.record.routes = self._routes()
        return self.record

    def _take(self, step: Step) -> None:
        match step.what, step.on:
            case (("drain" | "restore"), (at, prefix, *scope)):
                self._later(lambda: self._operate(step.what == "drain", at, prefix, scope))
            case "crash", (name,):
                self._later(self._site[name].crash)
            case "compact", ():
                self._later(self._compact)
            case "drop", ():
                self._later(self._drop)
            case (("sick" | "well"), (name, prefix)):
                self._turn(name, prefix, up=step.what == "well")
            case "calm", ():
                self._calm()
            case what, (one,):
                self._turn_network(what, one)

    def _turn_network(self, what: str, one: str) -> None:
        if what in ("cut", "join"):
            port = self._site[one].port
        elif what in ("part", "unite"):
            port = self._site.fabric.trunks[one]
        else:
            (member,) = (each for each in self._site.etcd.members if each.name == one)
            does = {
                "kill": member.kill,
                "start": member.start,
                "stop": member.pause,
                "continue": member.resume,
            }
            does[what]()
            return
        (port.cut if what in ("cut", "part") else port.restore)()

    def _later(self, does: Callable[[], None]) -> None:
        self._pending.append(self._pool.submit(does))

    # --- operators -------------------------------------------------------------------------

    def _operate(self, drains: bool, at: str, prefix: str, scope: Sequence[str]) -> None:  # noqa: FBT001 - one of two
        balancer = self._site[at]
        with self._busy[at]:
            done = Done(
                len(self.record.operations), at, prefix, drains, _extent(at, scope), time.time()
            )
            self.record.operations.append(done)
            more = ["--last"] if drains else []
            words = ["-d" if drains else "-a", prefix, *scope, *more, "--reason", done.reason]
            said = balancer.mgmt(*words, "--timeout", PATIENCE)
            done.ended, done.status, done.said = time.time(), said.returncode, said.stderr
            done.confirmed = frozenset(n for n in NAMES if f"{n}: confirmed" in said.stderr)
            done.intent = self._recorded(done, at)

    def _recorded(self, done: Done, *names: str) -> SiteIntent | None:
        """Return the intent of an operation, as one of some machines knows it."""
        known = (each for name in names for each in copy_of(self._site[name], done.prefix))
        return next((each for each in known if each.intent.reason == done.reason), None)

    # --- faults ----------------------------------------------------------------------------

    def _turn(self, name: str, prefix: str, *, up: bool) -> None:
        realservers = self._site[name].site.realservers
        (realservers.open if up else realservers.close)(PORTS[prefix])
        self.record.health.append((time.time(), name, prefix, up))

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
        for name, prefix in itertools.product(NAMES, PORTS):
            self.record.health.append((time.time(), name, prefix, True))
        for done in self.record.operations:
            if done.intent is None:  # vip_mgmt may have given up before it was recorded
                done.intent = self._recorded(done, *NAMES)
        for prefix in PORTS:
            eventually(
                lambda prefix=prefix: self._differs(prefix),  # type: ignore[misc]  # of a lambda with a default
                until=lambda found: not found,
                within=15,
                what=f"{prefix} is as it was asked after operation {len(self.record.operations) - 1}",
                every=0.1,
            )
        self.record.calms.append(time.time())

    def _differs(self, prefix: str) -> str:
        """Return how the router's view differs from what was asked, and empty where it does not."""
        has, wanted = set(self._site.paths(prefix)), self.wanted(prefix)
        return "" if has == wanted else f"the router has {sorted(has)}, asked: {sorted(wanted)}"

    def wanted(self, prefix: str) -> set[str]:
        """Return who is to announce a prefix while all are healthy, by all that was recorded."""
        intents = [
            o.intent for o in self.record.operations if o.prefix == prefix and o.intent is not None
        ]
        return {name for name in NAMES if not _is_drained(intents, name)}

    # --- what the router saw ---------------------------------------------------------------

    def _routes(self) -> list[tuple[float, str, str, bool]]:
        """Return when each machine's prefix came or went, since the beginning."""
        return [
            (
                event.time,
                NAMES[int(event.protocol.removeprefix("peer"))],
                event.prefix,
                event.verb == "added",
            )
            for event in self._history.events()
            if event.prefix in PORTS
        ]


def copy_of(balancer: Balancer, prefix: str) -> list[SiteIntent]:
    """Return what a machine knows of all that was asked of a prefix."""
    with closing(sqlite3.connect(balancer.store, timeout=60)) as db:
        return read_copy(db, [parse_prefix(prefix)]).known(parse_prefix(prefix))


def _extent(at: str, scope: Sequence[str]) -> Extent:
    dc, machine = at.split("/")
    match [*scope]:
        case ["--here"]:
            return Extent(dc, machine)
        case ["--everywhere"]:
            return EVERYWHERE
        case ["--at", other]:
            return Extent(other)
    return Extent(dc)


def _is_drained(intents: Iterable[SiteIntent], name: str) -> bool:
    dc, machine = name.split("/")
    holds = holding(merged(intents), Extent(dc, machine), time.time())
    return holds is not None and not holds.intent.restores
