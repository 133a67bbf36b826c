"""What the watchdog knows, as the values that it answers with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from policy.decide import Cause
from policy.intent import Mode
from policy.plan import Drift
from policy.route import Route
from policy.window import planned
from speaker.api import (
    DaemonStatus,
    Explanation,
    PeerStatus,
    PrefixStatus,
    Sentence,
    Status,
)
from speaker.reconcile import reach
from speaker.reconcile.drains_shown import DrainsShown, in_words
from speaker.reconcile.gets import Gets
from speaker.reconcile.reach import Reaches
from speaker.reconcile.said import said
from speaker.reconcile.seen import seen, witnesses
from speaker.reconcile.stand_in import stand_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from policy.assignment import Assignment
    from policy.decide import Decision
    from policy.intent import Intent
    from policy.route import Prefix
    from speaker.api import HistoryEntry
    from speaker.reconcile.reconciler import Reconciler

UNKNOWN = "unknown"
"""The intent of every prefix, where intents could not be read yet."""
SEE_TROUBLE = "what the daemon has is not known, see TROUBLE"
EXPLAINED = 5
"""How many entries of history explain a prefix."""
DETAILED = 1_000
"""Of how many prefixes at most, asked for together, each has its sentences: nobody reads those of more."""
AT_ONCE = 40
"""How many prefixes are explained in a step: ten thousandths of a second."""


class Snapshot:
    """All that the state of a prefix is told from, as it is now.

    Nothing of it changes later: thousands of prefixes may be reported piece by piece.
    """

    def __init__(self, reconciler: Reconciler) -> None:
        """Take it, in a time that hardly depends on the number of prefixes."""
        view = reconciler.view
        self._assessment, self._config = reconciler.assessment, reconciler.config
        self._assignments = reconciler.assignments
        self._unchecked, self._aggregates = reconciler.unchecked, reconciler.aggregates
        intents = reconciler.durable.intents
        self._intents, self._are_known = intents.in_force(), intents.is_read
        self._planned = planned(intents.windows)
        self._confirmed, self._sent, self._changed = view.confirmed, view.sent, view.changed
        self._failures = dict(view.failures)
        self._peers, self._daemon = reconciler.backend.peers(), reconciler.backend.daemon()
        self._reaches, self._gets = Reaches(self._peers), Gets(self._peers)
        old = reconciler.pulse.old(reconciler.config.settings.interval)
        self._age, self._old = reconciler.pulse.age, f"cycle: {old}" if old else ""
        first = reconciler.pulse.first(reconciler.config.settings.interval)
        self._starting = first or reconciler.first_reading.starting
        self._file = reconciler.file.status()
        self._alarms, self._heard = reconciler.alarms.texts, reconciler.witnesses.heard()
        self._now, self.wall = reconciler.clock.steady(), reconciler.clock.wall()
        """`wall`: when it is taken, in seconds since the epoch."""
        self._drains = DrainsShown(reconciler.drains.now, self._intents, self._now, self.wall)

    def routes(self, prefixes: Collection[Prefix] | None = None) -> Iterator[PrefixStatus]:
        """Yield the state of some prefixes, or of all, in the order of the configuration."""
        wanted = self._assignments if prefixes is None else frozenset(prefixes)
        return (self._route(prefix) for prefix in self._assignments if prefix in wanted)

    def explanations(
        self, prefixes: Collection[Prefix], history: Mapping[Prefix, Sequence[HistoryEntry]]
    ) -> Iterator[Explanation]:
        """Yield the state of some prefixes with all that led to it: intent, preference, profile, history.

        Args:
            prefixes: those.
            history: of each the newest entries, oldest first.
        """
        settings = self._config.settings
        for prefix in prefixes:
            assignment, intent = self._assignments[prefix], self._intents.get(prefix)
            decision = self._assessment.decisions.get(prefix) if self._assessment else None
            shown = self._route(prefix)
            yield Explanation(
                **shown.values(),
                dc=settings.dc.name,
                prefer=tuple(assignment.address.prefer),
                profile=_profile(assignment, intent),
                operator=str(intent) if intent else self._intent(prefix),
                decided_by=decision.cause if decision else None,
                history=tuple(history.get(prefix, ())),
                trouble=self.alarms,
                sentences=self.sentences(prefix, shown) if len(prefixes) <= DETAILED else (),
            )

    def sentences(self, prefix: Prefix, shown: PrefixStatus) -> tuple[Sentence, ...]:
        """Return why a prefix is as it is, and what would change that.

        Args:
            prefix: that.
            shown: its state, as `routes` yields it.
        """
        from speaker.reconcile.explain import sentences  # noqa: PLC0415 - of no use to a pass

        return sentences(
            prefix,
            self._assignments[prefix],
            shown,
            self._sessions(),
            self._assessment,
            self._config.settings.guard,
            self._now,
            self.wall,
            witnesses(self._heard),
            self._config.settings.checks,
        )

    def status(
        self, shown: Sequence[PrefixStatus], routes: Sequence[PrefixStatus] | None = None
    ) -> Status:
        """Return the whole state.

        Args:
            shown: the state of all prefixes, as `routes` yields it.
            routes: those that are to be in it; None for all.
        """
        settings = self._config.settings
        daemon = self._daemon
        return Status(
            dc=settings.dc.name,
            backend=settings.backend,
            daemon=DaemonStatus()
            if daemon is None
            else DaemonStatus(name=daemon.name, untested=daemon.untested, known=daemon.known),
            configuration=self._file,
            last_cycle=None if self._age is None else round(self._age, 3),
            starting=self._starting,
            peers=self._sessions(),
            sessions=tuple(reach.sessions(self._peers, shown)),
            trouble=self.alarms,
            routes=tuple(shown if routes is None else routes),
            witnesses=witnesses(self._heard),
        )

    def _sessions(self) -> tuple[PeerStatus, ...]:
        return tuple(
            PeerStatus(
                name=peer.name,
                address=peer.address,
                asn=peer.asn,
                up=peer.up,
                local_as=peer.local_as,
                reason=peer.reason,
            )
            for peer in self._peers
        )

    @property
    def alarms(self) -> tuple[str, ...]:
        """What is wrong, apart from single prefixes."""
        return (*([self._old] if self._old else []), *self._alarms)

    def _route(self, prefix: Prefix) -> PrefixStatus:
        assessment, assignment = self._assessment, self._assignments[prefix]
        known = prefix in self._confirmed and prefix not in self._changed
        found = self._confirmed.get(prefix)
        decision = assessment.decisions.get(prefix) if assessment else None
        wanted = decision.route if decision else None
        reached = self._reaches.of(self._sent.get(prefix) if known else None, wanted)
        health = assessment.health.get(prefix) if assessment else None
        state = health.health if health and not self._old else "unknown"
        route = found if isinstance(found, Route) else assignment.route
        drain = self._drains.of(prefix)
        first = decision.reason if decision else "not decided yet"
        reasons = [first, *in_words(drain), *filter(None, [self._old])]
        if not known and self._alarms:
            reasons.append(SEE_TROUBLE)  # an alarm is about all prefixes: its text is told once
        if isinstance(found, Drift):
            reasons.append(f"the daemon has {found.found}")
        if not self._are_known:
            reasons.append("operators' intents are unknown")
        if (failure := self._failures.get(prefix)) is not None:
            reasons.append(f"not done: {failure.reason}")
        if waits := self._planned.get(prefix, ""):
            reasons.append(f"planned: {waits}")
        held = bool(decision) and known and found == wanted
        done = reached.complete if wanted else reached.announced is False
        return PrefixStatus(
            vip=assignment.vip.name,
            prefix=str(prefix),
            **reached.shown(wanted=bool(wanted)),
            as_path=tuple(route.attributes.as_path) if route else (),
            rank=assignment.rank,
            prepends=assignment.profile.prepends if assignment.profile else None,
            equal=assignment.address.equal,
            realservers=health.realservers if health else None,
            health="up" if health is None and prefix in self._unchecked else state,
            intent=self._intent(prefix),
            reason="; ".join(reasons),
            failure="" if failure is None else failure.reason,
            wanted=None if decision is None else decision.route is not None,
            held=held,
            gets=self._gets.of(assignment.announced(self._intents.get(prefix))),
            as_wanted=held and done and self._are_known and not self._old,
            **stand_in(
                self._aggregates, prefix, lambda p: self._reaches.of(self._sent.get(p)).announced
            ),
            kept_back=decision is not None and decision.cause is Cause.AGGREGATE,
            **self._told(prefix),
            drain=drain,
            planned=waits,
        )

    def foreseen(self, prefix: Prefix, decision: Decision) -> PrefixStatus:
        """Return what the state of a prefix would be, were it decided otherwise."""
        wanted = decision.route is not None
        reached = self._reaches.once(self._sent.get(prefix), decision.route)
        return replace(
            self._route(prefix),
            **reached.shown(wanted=wanted),
            reason=decision.reason,
            wanted=wanted,
            as_wanted=reached.complete if wanted else reached.announced is False,
            kept_back=decision.cause is Cause.AGGREGATE,
        )

    def _told(self, prefix: Prefix) -> dict[str, Any]:
        """Return what is told of a prefix by the sources of its rule, and by witnesses."""
        return {**said(self._assessment, prefix), **seen(self._heard, prefix)}

    def asked(self, prefix: Prefix) -> str:
        """Return the intent in force in words, by whom and why; `auto` where there is none."""
        found = self._intents.get(prefix) if self._are_known else None
        return self._intent(prefix) if found is None else str(found)

    def _intent(self, prefix: Prefix) -> str:
        if not self._are_known:
            return UNKNOWN
        return self._intents[prefix].mode if prefix in self._intents else Mode.AUTO


def _profile(assignment: Assignment, intent: Intent | None) -> str:
    """Return what a prefix is announced with here, in words."""
    route = assignment.announced(intent)
    if assignment.profile is None or route is None:
        return "none: not announced here"
    name = "drain" if route is assignment.soft else assignment.profile.name
    return f"{name}: {route.attributes}"


def status(reconciler: Reconciler) -> Status:
    """Return the whole state."""
    return (now := Snapshot(reconciler)).status([*now.routes()])


def routes(reconciler: Reconciler, prefixes: Collection[Prefix]) -> list[PrefixStatus]:
    """Return the state of some prefixes, in the order of the configuration."""
    return [*Snapshot(reconciler).routes(prefixes)]


def announced(
    reconciler: Reconciler, prefixes: Iterable[Prefix]
) -> Iterator[tuple[str, bool | None]]:
    """Yield whether each of some prefixes is announced, as far as is known without looking again."""
    view, reaches = reconciler.view, Reaches(reconciler.backend.peers())
    changed = view.changed
    for prefix in prefixes:
        if prefix in changed and prefix in view.believed:
            reached = reaches.once(view.sent.get(prefix), view.foreseen(prefix))
        else:
            reached = reaches.of(view.sent.get(prefix) if view.proven(prefix) else None)
        yield str(prefix), reached.announced


async def foreseen(
    reconciler: Reconciler, intents: Mapping[Prefix, Intent]
) -> Iterator[PrefixStatus]:
    """Return what yields what the state of some prefixes would be, with another intent. Changes nothing."""
    now, decisions = Snapshot(reconciler), await reconciler.preview(intents)
    return (now.foreseen(prefix, decision) for prefix, decision in decisions.items())


def explanations(reconciler: Reconciler, prefixes: Collection[Prefix]) -> list[Explanation]:
    """Return the state of some prefixes with all that led to it."""
    history = reconciler.durable.store.latest(prefixes, EXPLAINED)
    return [*Snapshot(reconciler).explanations(prefixes, history)]
