"""What was read back and is as decided, where that is new: what is recorded of it, and told."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from policy.differing import differing
from policy.plan import Drift
from speaker.reconcile.notices import Notice
from speaker.reconcile.reach import may_be_sent
from speaker.state.store import Owned
from speaker.supervision.steps import paced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.assess import Assessment
    from policy.decide import Decision
    from policy.route import Prefix
    from speaker.backends.base import SentTo
    from speaker.reconcile.daemon_state import DaemonState, Seen

UNREAD = Drift("not read")
_WAITS = "; no session was sent it yet"
_MAY_WAIT = "; it is not known yet whether a session was sent it"


def _is_sent(sent: SentTo | None) -> bool:
    """Whether a session is known to have been sent it."""
    return sent is not None and any(sent.values())


class NewlyConfirmed(NamedTuple):
    """What is recorded of prefixes from now on, and what happened to them, in their order."""

    owned: Mapping[Prefix, Owned]
    notices: Sequence[Notice]


class _Last(NamedTuple):
    """All that the last confirmation went by. Where it is the same of a prefix, there is nothing new."""

    decisions: Mapping[Prefix, Decision]
    read: Mapping[Prefix, Seen]
    were_up: frozenset[Prefix]
    owned: Mapping[Prefix, Owned]


class Confirmations:
    """Finds what is new since the last confirmation."""

    def __init__(self) -> None:
        self._last: _Last | None = None
        self._leaving: set[Prefix] = set()
        """What is withdrawn at the daemon, and a session may have yet."""

    async def new(
        self,
        assessment: Assessment,
        view: DaemonState,
        owned: Mapping[Prefix, Owned],
        were_up: frozenset[Prefix],
        now: float,
    ) -> NewlyConfirmed:
        """Return what is as decided now, and is not recorded so. It is looked for in steps, in a turn.

        Args:
            assessment: what is decided.
            view: what was read back.
            owned: what is recorded.
            were_up: those that are up, for the next start.
            now: seconds since the epoch.
        """
        confirmed: dict[Prefix, Owned] = {}
        notices = []
        changed = self._changed(assessment, view, owned, were_up)
        leaving = self._leaving.difference(changed)
        async for prefix in paced(changed):
            decision = assessment.decisions[prefix]
            if view.confirmed.get(prefix, UNREAD) != decision.route:
                continue
            before = owned.get(prefix, Owned())
            route = "" if decision.route is None else str(decision.route)
            sent = view.sent.get(prefix)
            is_new = route != before.route
            # Once it was sent, a session that goes down is no news of the prefix.
            waiting = (is_new or before.waiting) and bool(route) and not _is_sent(sent)
            if is_new and not route and sent is not None and may_be_sent(sent):
                leaving.add(prefix)
                is_new, route, waiting = False, before.route, before.waiting
            after = Owned(route, prefix in were_up, waiting)
            if after == before:
                continue
            confirmed[prefix] = after
            if is_new or waiting != before.waiting:
                event = "waiting" if waiting else "announced" if route else "withdrawn"
                waits = _WAITS if sent is not None and None not in sent.values() else _MAY_WAIT
                reason = f"{decision.reason}{waits if waiting else ''}"
                notices.append(Notice(time=now, event=event, prefix=str(prefix), reason=reason))
        self._leaving = leaving  # only now: who is cut short begins again
        return NewlyConfirmed(confirmed, notices)

    def done(
        self,
        assessment: Assessment,
        view: DaemonState,
        owned: Mapping[Prefix, Owned],
        were_up: frozenset[Prefix],
    ) -> None:
        """Note what a confirmation went by, and what is recorded after it."""
        self._last = _Last(assessment.decisions, view.confirmed, were_up, owned)

    def _changed(
        self,
        assessment: Assessment,
        view: DaemonState,
        owned: Mapping[Prefix, Owned],
        were_up: frozenset[Prefix],
    ) -> Sequence[Prefix]:
        """Return the prefixes of which something is not as it was at the last confirmation, in order."""
        decisions, last = assessment.decisions, self._last
        if last is None:
            return [*decisions]
        changed = differing(last.decisions, decisions)
        changed |= differing(last.read, view.confirmed)
        changed |= last.were_up ^ were_up
        changed |= differing(last.owned, owned)
        changed.update(prefix for prefix, state in owned.items() if state.waiting)
        changed |= self._leaving
        return [prefix for prefix in decisions if prefix in changed]
