"""Why a prefix is as it is, in sentences: the decision, this data centre's part, and each peer."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from policy.drain import cut, until_few
from policy.explain import About, Decided, Line, explain
from policy.intent import Mode, timestamp
from policy.sources import CHECK
from policy.wording import span, until
from speaker.api import Sentence
from speaker.drain_status import STAYS, insisted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from policy.assess import Assessment
    from policy.assignment import Assignment
    from policy.guard import GuardRule
    from policy.route import Prefix
    from speaker.api import PeerStatus, PrefixStatus
    from speaker.config.settings_checks import CheckSettings
    from speaker.seen_status import SeenPath, WitnessStatus

_SENT = {True: "was sent it", False: "was not sent it", None: "whether it was sent it is unknown"}
_SESSION = {True: "up", False: "DOWN", None: "whether it is up is unknown"}
NO_CHECKS: Mapping[str, CheckSettings] = MappingProxyType({})
_ORDINALS = ("first", "second", "third")


def sentences(
    prefix: Prefix,
    assignment: Assignment,
    shown: PrefixStatus,
    peers: Sequence[PeerStatus],
    assessment: Assessment | None,
    guard: GuardRule,
    now: float,
    wall: float,
    witnesses: Sequence[WitnessStatus] = (),
    checks: Mapping[str, CheckSettings] = NO_CHECKS,
) -> tuple[Sentence, ...]:
    """Return why a prefix is as it is, what would change that, and who has it. Pure.

    Args:
        prefix: that.
        assignment: what this data centre has to do with it.
        shown: its state.
        peers: the sessions.
        assessment: what was decided last, None where nothing was.
        guard: how many VIPs may be withdrawn at once.
        now: seconds on the steady clock.
        wall: seconds since the epoch.
        witnesses: those that there are.
        checks: by their names.
    """
    lines: list[Line] = []
    if assessment is None or (case := assessment.memory.cases.get(prefix)) is None:
        lines.append(Line(About.DECISION, "not decided yet: nothing was looked at since the start"))
    else:
        decision, restrained = assessment.decisions[prefix], assessment.memory.guard
        decided = Decided(case.facts, case.health, decision, guard, restrained, now, wall)
        lines += [asked(line, checks) for line in explain(decided)]
    lines += _part(assignment, shown)
    lines += _drain(shown, wall)
    lines += _peers(shown, peers)
    lines += _seen(shown.seen, witnesses)
    return tuple(Sentence(about=line.about, text=line.text) for line in lines)


def asked(line: Line, checks: Mapping[str, CheckSettings]) -> Line:
    """Add to what a check says what it asks; what is not about a check is returned as it is.

    Args:
        line: one of those of `policy.explain`.
        checks: by their names.
    """
    source = line.text.partition(": ")[0]
    check = checks.get(source.removeprefix(CHECK)) if source.startswith(CHECK) else None
    if line.about is not About.SOURCE or check is None:
        return line
    every = f"every {span(check.interval)}, {span(check.timeout)} for an answer"
    return Line(line.about, f"{line.text}; it asks {check.asks}, {every}")


def _drain(shown: PrefixStatus, wall: float) -> Iterable[Line]:
    """Say what a stage of a soft drain waits for."""
    drain = shown.drain
    if drain is None:
        return
    if drain.stage == Mode.DRAINED:
        yield Line(About.DRAIN, f"withdrawn at the end of a soft drain; {cut(drain.left)}")
        return
    if drain.began is None or drain.ends is None:
        yield Line(About.DRAIN, "it begins once the routing daemon is seen to announce it so")
        return
    since, end = span(wall - drain.began), until(drain.ends, wall, wall)
    if drain.stage == Mode.RETURNING:
        yield Line(About.DRAIN, f"announced softly for {since}; as its rank {end}")
        return
    found = "not known" + (f" ({drain.unknown})" if drain.unknown else "")
    if drain.connections is not None:
        found = f"{drain.connections} active, {drain.inactive} inactive"
    last = f"; time limit {end}, then {STAYS}" if drain.stays else f", then it is withdrawn {end}"
    if drain.stays and wall >= drain.ends:
        last = f"; the time limit was {timestamp(drain.ends)}: {STAYS}"
    wait = f"{until_few(drain.few)}{last}{insisted([drain])}"
    text = f"announced softly for {since}; connections {found}; {wait}"
    yield Line(About.DRAIN, text)


def _part(assignment: Assignment, shown: PrefixStatus) -> Iterable[Line]:
    names, rank = ", ".join(assignment.address.prefer), assignment.rank
    if rank is None or assignment.profile is None or assignment.route is None:
        yield Line(About.PREFERENCE, f"only {names}: this data centre does not announce it")
        return
    choice = _ORDINALS[rank] if rank < len(_ORDINALS) else f"{rank + 1}th"
    yield Line(
        About.PREFERENCE,
        f"equal: {names}"
        if assignment.address.equal
        else f"this data centre is the {choice} choice (rank {rank}) of {names}",
    )
    is_soft = shown.intent in (Mode.DRAINING, Mode.RETURNING) and assignment.soft is not None
    name = "drain" if is_soft else assignment.profile.name
    route = assignment.soft if is_soft and assignment.soft else assignment.route
    yield Line(About.PROFILE, f"{name}: {route.attributes}")


def _peers(shown: PrefixStatus, peers: Sequence[PeerStatus]) -> Iterable[Line]:
    """Say of each session that has the prefix's family whether it was sent the prefix, the worst first."""
    found = []
    for peer in peers:
        if peer.name not in shown.peers and (shown.peers or shown.announced is False):
            continue
        sent = shown.peers.get(peer.name)
        state, told = _SESSION[peer.up], _SENT[sent]
        is_bad = peer.up is not True or (shown.wanted is not None and sent is not shown.wanted)
        text = f"{peer.name} AS{peer.asn}: {state}" + (f", {told}" if peer.up is not False else "")
        found.append((not is_bad, text))
    yield from (Line(About.PEER, text) for _, text in sorted(found, key=lambda each: each[0]))
    if not found:
        none = "no session has its family" if peers else "no session is known"
        yield Line(About.PEER, none)
    if shown.failure:
        yield Line(About.PEER, f"the routing daemon did not do it: {shown.failure}")


def _seen(paths: Sequence[SeenPath], told_by: Sequence[WitnessStatus]) -> Iterable[Line]:
    """Say who has a prefix, and of which witnesses not all is known."""
    yield from (Line(About.SEEN, str(path).removeprefix("seen ")) for path in paths)
    if told_by and not paths:
        yield Line(About.SEEN, f"at none of {len(told_by)} witnesses")
    for each in told_by:
        if not each.is_whole:
            yield Line(About.SEEN, f"not all that {each.name} has is known: {each.reason}")
