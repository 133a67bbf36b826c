"""What the watchdog knows, as JSON values: the form that `status --json` prints."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from policy.intent import Mode
from policy.plan import Announce, Drift, plan
from policy.route import Route
from speaker import reach
from speaker.reach import Reaches

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from policy.assess import Duty
    from policy.intent import Intent
    from policy.route import Prefix
    from speaker.backends.base import Peer
    from speaker.reach import Reach
    from speaker.watchdog import Watchdog


def status(watchdog: Watchdog) -> dict[str, Any]:
    """Return the whole state: `dc`, `backend`, `peers`, `routes`, and `trouble`, a list of texts."""
    settings = watchdog.config.settings
    peers = watchdog.backend.peers()
    shown = routes(watchdog, watchdog.duties)
    return {
        "dc": settings.dc.name,
        "backend": settings.backend,
        "peers": [
            {
                "name": peer.name,
                "address": peer.address,
                "asn": peer.asn,
                "up": peer.up,
                "local_as": peer.local_as,
            }
            for peer in peers
        ],
        "routes": shown,
        "trouble": [*sessions(peers, shown), *watchdog.troubles.texts],
    }


def sessions(peers: Sequence[Peer], shown: Iterable[dict[str, Any]]) -> list[str]:
    """Return what is wrong with the sessions, in words.

    Args:
        peers: the neighbours.
        shown: the routes, as `routes` returns them.
    """
    found = reach.down(peers)
    if found == reach.NO_SESSION:
        return [f"sessions: {found}, so nothing is announced"]
    nowhere = Counter(
        "IPv6" if ":" in route["prefix"] else "IPv4"
        for route in shown
        if route["lack"] == reach.NO_SESSION
    )
    return [
        *([f"sessions: {found}"] if found else []),
        *(
            f"sessions: none that has {family} is up, so {count} prefixes are not announced"
            for family, count in sorted(nowhere.items())
        ),
    ]


def routes(watchdog: Watchdog, prefixes: Collection[Prefix]) -> list[dict[str, Any]]:
    """Return the state of some prefixes, in the order of the configuration."""
    intents = watchdog.ledger.intents()
    wanted = frozenset(prefixes)
    reaches = Reaches(watchdog.backend.peers())
    return [
        _route(
            watchdog,
            prefix,
            duty,
            intents[prefix].mode if prefix in intents else Mode.AUTO,
            reaches.of(watchdog.view.sent.get(prefix) if watchdog.view.proven(prefix) else None),
        )
        for prefix, duty in watchdog.duties.items()
        if prefix in wanted
    ]


def _route(
    watchdog: Watchdog, prefix: Prefix, duty: Duty, mode: Mode, reached: Reach
) -> dict[str, Any]:
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
    wanted = decision and decision.route
    done = reached.complete if wanted else reached.announced is False
    return {
        "vip": duty.vip.name,
        "prefix": str(prefix),
        **_reached(reached, wanted=bool(wanted)),
        "as_path": list(path),
        "rank": duty.rank,
        "prepends": duty.profile.prepends,
        "realservers": health.realservers if health else None,
        "health": "up" if unchecked else health.health if health else "unknown",
        "intent": mode,
        "reason": "; ".join(reasons),
        "wanted": None if decision is None else decision.route is not None,
        "as_wanted": bool(decision) and known and seen == wanted and done,
    }


def foreseen(watchdog: Watchdog, intents: Mapping[Prefix, Intent]) -> list[dict[str, Any]]:
    """Return what the state of some prefixes would be, if an operator wished so. Changes nothing."""
    reaches = Reaches(watchdog.backend.peers())
    shown = {route["prefix"]: route for route in routes(watchdog, intents)}
    found = []
    for prefix, decision in watchdog.foresee(intents).items():
        sent = watchdog.view.sent.get(prefix)
        wanted = decision.route is not None
        reached = reaches.if_announced(sent) if wanted else reaches.if_withdrawn(sent)
        found.append(
            {
                **shown[str(prefix)],
                **_reached(reached, wanted=wanted),
                "reason": decision.reason,
                "wanted": wanted,
                "as_wanted": reached.complete if wanted else reached.announced is False,
            }
        )
    return found


def _reached(reached: Reach, *, wanted: bool) -> dict[str, Any]:
    return {
        "announced": reached.announced,
        "peers": reached.sent or {},
        "up": reached.up,
        "lack": reached.lack if wanted else reached.hold,
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
