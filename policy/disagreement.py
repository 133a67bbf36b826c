"""Where a witness has something else than what was sent: our path is missing, another one, or still there.

Theory of operation. A witness shows what it chose, or passes on, so that not every difference is one. Only a witness that
shows some path of ours is expected to show all of them: a router does not send a path back to the peer that it has it from. And
where it shows another data centre's path that goes before ours by what the site orders by, or ties with it, it has made its
choice. AS_PATH and ORIGIN are compared: what goes before our own part of AS_PATH was put there on the way, and
MED and communities may be changed there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.best_path import announcements, best_by
from policy.witness import Hearing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from policy.route import Attributes, Prefix
    from policy.topology import Topology
    from policy.witness import Heard, Witness, WitnessedPath


def disagreements(
    heard: Heard,
    topology: Topology,
    sent: Mapping[Prefix, Collection[Attributes]],
    was_sent: Callable[[Prefix, str], bool],
) -> Iterator[tuple[str, Prefix, str] | None]:
    """Yield where witnesses have something else than what was sent: the witness, the prefix, and what, in words.

    None for each prefix that a witness has as it was sent: there may be many, and others wait.

    Args:
        heard: what they tell.
        topology: what each data centre announces when it does.
        sent: of each prefix of which that is known, what was sent, in each form that single neighbours got.
        was_sent: tells whether a prefix was sent to a session, by its name: one may be kept back from it.
    """
    for witness in heard.witnesses:
        shows_ours = False
        for paths in witness.paths.values() if witness.hearing is Hearing.WHOLE else ():
            if any(heard.dc_of(witness, path) == heard.here for path in paths):
                shows_ours = True
                break
            yield None
        for prefix, forms in sent.items() if shows_ours else ():
            what = ""
            if not forms or was_sent(prefix, witness.name):
                what = _disagreement(heard, topology, witness, prefix, forms)
            yield (witness.name, prefix, what) if what else None


def _disagreement(
    heard: Heard,
    topology: Topology,
    witness: Witness,
    prefix: Prefix,
    forms: Collection[Attributes],
) -> str:
    seen = [*heard.seen_at(witness, prefix)]
    ours = [each for each in seen if each.dc == heard.here]
    if not forms:
        return f"withdrawn, and still seen at {witness.name}: {_path(ours[0])}" if ours else ""
    if not ours:
        others = {each.dc for each in seen}
        if others and ("" in others or _may_choose(topology, prefix, heard.here, others)):
            return ""
        found = f": it has {', '.join(f'{each.dc} {_path(each)}' for each in seen)}" if seen else ""
        return f"sent to {witness.name}, not seen at it{found}"
    if any(_is_of(each.path.attributes, form) for each in ours for form in forms):
        return ""
    return f"sent to {witness.name}, seen at it as {_path(ours[0])}"


def _may_choose(topology: Topology, prefix: Prefix, here: str, others: Collection[str]) -> bool:
    """Tell whether a router that has our route and those of others may choose one of theirs."""
    found = topology.find(prefix)
    if found is None:
        return True
    vip, address = found
    routes = announcements(topology, vip, address)
    chosen = best_by(vip.order, address.prefer, routes, {here, *others} & routes.keys())
    return bool(chosen - {here})


def _is_of(seen: Attributes, sent: Attributes) -> bool:
    """Tell whether a path may be one that was sent: iBGP peers have it without our AS once."""
    path, own = tuple(seen.as_path), tuple(sent.as_path)
    return seen.origin == sent.origin and (path[-len(own) :] == own or path == own[1:])


def _path(seen: WitnessedPath) -> str:
    return str(seen.path.attributes.as_path) or "local"
