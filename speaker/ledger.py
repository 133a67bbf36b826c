"""What outlives the watchdog, as it uses it: wishes, ownership, memory of health, history."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from policy.decide import Cause
from policy.health import Health
from policy.plan import Drift
from speaker.store import Entry, Owned

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from policy.assess import Assessment, Memory
    from policy.damping import Damping
    from policy.health import Service, ServiceMemory
    from policy.intent import Intent
    from policy.route import Prefix
    from speaker.clock import Clock
    from speaker.store import Store
    from speaker.view import View

_UNREAD = Drift("not read")


class Ledger:
    """The store's content for some prefixes. Nothing is taken over before it is on the disk.

    Raises:
        StoreError: from every method, where the state file can't be read or written.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        """Read what is remembered of health."""
        self.store = store
        self._clock = clock
        self._health: Mapping[Prefix, Mapping[Service, ServiceMemory]] = store.health()
        self._damping: Mapping[Prefix, Damping] = store.damping()
        self._intents: dict[Prefix, Intent] = {}
        self._prefixes: Collection[Prefix] = ()
        self._said: dict[Prefix, bool] = {}
        self._own({})

    @property
    def health(self) -> Mapping[Prefix, Mapping[Service, ServiceMemory]]:
        """What rise and fall need."""
        return self._health

    @property
    def damping(self) -> Mapping[Prefix, Damping]:
        """What damping needs."""
        return self._damping

    def take(self, prefixes: Collection[Prefix], only: Collection[Prefix] | None) -> None:
        """Make prefixes ours, before any is announced. Others that are ours stay so until withdrawn.

        Args:
            prefixes: those of the configuration.
            only: which to care for, None for all.
        """
        self.store.own(prefixes)
        owned = self.store.owned()
        self._said = {p: up for p, up in self._said.items() if p in prefixes}
        self._own({p: state for p, state in owned.items() if only is None or p in only})
        self._prefixes = prefixes

    def _own(self, owned: dict[Prefix, Owned]) -> None:
        self.owned: Mapping[Prefix, Owned] = owned
        self._hold()

    def _hold(self) -> None:
        self.were_up = frozenset(
            prefix for prefix, state in self.owned.items() if self._said.get(prefix, state.up)
        )

    def judged(self, assessment: Assessment) -> None:
        """Hold what health says from now on, before it is confirmed."""
        said = {}
        for prefix, decision in assessment.decisions.items():
            if decision.cause is Cause.HEALTH:
                said[prefix] = decision.route is not None
            elif decision.cause in {Cause.OPERATOR, Cause.ADDRESS, Cause.DAMPING}:
                verdict = assessment.health.get(prefix)
                if verdict is not None and verdict.health is not Health.UNKNOWN:
                    said[prefix] = verdict.health is Health.UP
        if changed := {p: up for p, up in said.items() if (p in self.were_up) != up}:
            self._said.update(changed)
            self._hold()

    def intents(self) -> Mapping[Prefix, Intent]:
        """Return the operator's wishes that are in force. The same object while they are the same."""
        now = self._clock.wall()
        intents = {
            prefix: intent
            for prefix, intent in self.store.intents().items()
            if intent.in_force(now) and prefix in self._prefixes
        }
        if intents != self._intents:
            self._intents = intents
        return self._intents

    async def wish(self, intents: Mapping[Prefix, Intent], unknown: Iterable[Prefix]) -> None:
        """Record an operator's wishes, all or none.

        Args:
            intents: the wishes.
            unknown: prefixes that are to be announced although their health is unknown: from now
                on they are held as announced.
        """
        restored = dict.fromkeys(unknown, True)
        await asyncio.to_thread(self.store.set_intents, intents, restored)
        self._lift([prefix for prefix, intent in intents.items() if intent.restores])
        self._said.update(restored)
        self._own({**self.owned, **{p: replace(self.owned[p], up=True) for p in restored}})

    async def remember(self, memory: Memory) -> None:
        """Keep what rise, fall and damping need, over a restart too."""
        changed = {
            prefix: services
            for prefix, services in memory.health.items()
            if services != self._health.get(prefix, {})
        }
        if changed:
            await asyncio.to_thread(self.store.remember, changed)
        self._health = memory.health
        flapped = {
            prefix: memory.damping.get(prefix)
            for prefix in self._damping.keys() | memory.damping.keys()
            if prefix in self._prefixes and memory.damping.get(prefix) != self._damping.get(prefix)
        }
        if flapped:
            await asyncio.to_thread(self.store.remember_damping, flapped)
            self._damping = {**self._damping, **memory.damping}
            self._lift([prefix for prefix, damping in flapped.items() if damping is None])

    def _lift(self, prefixes: Collection[Prefix]) -> None:
        self._damping = {p: damping for p, damping in self._damping.items() if p not in prefixes}

    async def confirm(self, assessment: Assessment, view: View) -> None:
        """Record what was read back and is as decided, and forget what left and is withdrawn."""
        now = self._clock.wall()
        confirmed = {}
        history = []
        for prefix, decision in assessment.decisions.items():
            if view.confirmed.get(prefix, _UNREAD) != decision.route:
                continue
            before = self.owned.get(prefix, Owned())
            route = "" if decision.route is None else str(decision.route)
            up = prefix in self.were_up
            if Owned(route, up) == before:
                continue
            confirmed[prefix] = Owned(route, up)
            if route != before.route:
                event = "announced" if route else "withdrawn"
                history.append(Entry(now, str(prefix), event, decision.reason))
        if confirmed:
            await asyncio.to_thread(self.store.confirm, confirmed, history)
            self._own({**self.owned, **confirmed})
        gone = [
            prefix
            for prefix in self.owned
            if prefix not in self._prefixes
            and view.confirmed.get(prefix, _UNREAD) is None
            and view.settled
        ]
        if gone:
            await asyncio.to_thread(self.store.disown, gone)
            self._own({p: state for p, state in self.owned.items() if p not in gone})
