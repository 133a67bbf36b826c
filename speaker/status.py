"""What the watchdog knows, as JSON values: the form that `status --json` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from policy.intent import Mode
from policy.plan import Announce, Drift, plan
from policy.route import Route

if TYPE_CHECKING:
    from collections.abc import Collection

    from policy.assess import Duty
    from policy.route import Prefix
    from speaker.watchdog import Watchdog


def status(watchdog: Watchdog) -> dict[str, Any]:
    """Return the whole state: `dc`, `backend`, `peers`, `routes`, and `trouble`, a list of texts."""
    settings = watchdog.config.settings
    return {
        "dc": settings.dc.name,
        "backend": settings.backend,
        "peers": [
            {
                "address": peer.address,
                "asn": peer.asn,
                "up": peer.up,
                "local_as": peer.local_as,
            }
            for peer in watchdog.backend.peers()
        ],
        "routes": routes(watchdog, watchdog.duties),
        "trouble": watchdog.troubles.texts,
    }


def routes(watchdog: Watchdog, prefixes: Collection[Prefix]) -> list[dict[str, Any]]:
    """Return the state of some prefixes, in the order of the configuration."""
    intents = watchdog.ledger.intents()
    wanted = frozenset(prefixes)
    return [
        _route(watchdog, prefix, duty, intents[prefix].mode if prefix in intents else Mode.AUTO)
        for prefix, duty in watchdog.duties.items()
        if prefix in wanted
    ]


def _route(watchdog: Watchdog, prefix: Prefix, duty: Duty, mode: Mode) -> dict[str, Any]:
    assessment = watchdog.assessment
    known = watchdog.view.proven(prefix)
    seen = watchdog.view.confirmed.get(prefix)
    decision = assessment.decisions.get(prefix) if assessment else None
    health = assessment.health.get(prefix) if assessment else None
    unchecked = prefix in watchdog.unchecked
    path = seen.attributes.as_path if isinstance(seen, Route) else duty.route.attributes.as_path
    reasons = [decision.reason if decision else "not decided yet"]
    if not known:
        reasons += watchdog.troubles.texts
    if isinstance(seen, Drift):
        reasons.append(f"the daemon has {seen.found}")
    if (failure := watchdog.view.failures.get(prefix)) is not None:
        reasons.append(f"not done: {failure.reason}")
    return {
        "vip": duty.vip.name,
        "prefix": str(prefix),
        "announced": (seen is not None) if known else None,
        "as_path": list(path),
        "rank": duty.rank,
        "prepends": duty.profile.prepends,
        "realservers": health.realservers if health else None,
        "health": "up" if unchecked else health.health if health else "unknown",
        "intent": mode,
        "reason": "; ".join(reasons),
        "wanted": None if decision is None else decision.route is not None,
        "as_wanted": bool(decision) and known and seen == (decision and decision.route),
    }


def explanation(watchdog: Watchdog, prefix: Prefix) -> dict[str, Any]:
    """Return a prefix's state with all that led to it: intent, preference, profile, history."""
    duty = watchdog.duties[prefix]
    intent = watchdog.ledger.intents().get(prefix)
    decision = watchdog.assessment.decisions.get(prefix) if watchdog.assessment else None
    return {
        **routes(watchdog, [prefix])[0],
        "dc": watchdog.config.settings.dc.name,
        "prefer": list(duty.address.prefer),
        "profile": f"{duty.profile.name}: {duty.route.attributes}",
        "operator": str(intent) if intent else "auto",
        "decided_by": decision.cause if decision else None,
        "history": history(watchdog, [prefix], limit=5),
    }


def history(
    watchdog: Watchdog, prefixes: Collection[Prefix], limit: int = 200
) -> list[dict[str, Any]]:
    """Return the newest entries of some prefixes, or of all where none is given, oldest first."""
    return [entry.as_json() for entry in watchdog.ledger.store.history(prefixes, limit)]


def difference(watchdog: Watchdog) -> list[dict[str, str]]:
    """Return the changes that would make the daemon's announcements what is decided."""
    if watchdog.assessment is None:
        return []
    changes = plan(watchdog.assessment.desired, watchdog.view.confirmed)
    return [
        {
            "action": "announce" if isinstance(change, Announce) else "withdraw",
            "prefix": str(change.prefix),
            "route": str(change.route) if isinstance(change, Announce) else "",
            "reason": watchdog.assessment.decisions[change.prefix].reason,
        }
        for change in changes
    ]
