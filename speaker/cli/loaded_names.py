"""What names mean by what a watchdog has loaded, where vip.toml is not parsed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.route import Asn, parse_prefix
from policy.topology import Address, DataCentre, Profile, Topology, Vip
from speaker.api import RecordedIntent
from speaker.cli import targets

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from policy.route import Prefix
    from speaker.api import IntentOutcome, PrefixStatus
    from speaker.cli.targets import Answers


def confirmed(
    words: Sequence[str],
    dc: str,
    outcomes: Sequence[IntentOutcome | RecordedIntent],
    answers: Answers,
) -> Sequence[Prefix] | None:
    """Return what some words mean, where a watchdog's answer is about that, and DNS has the very same of their names.

    None where not: all of vip.toml tells what they mean then, and what is to be said of them.

    Args:
        words: names of VIPs, addresses and prefixes, as they were typed.
        dc: this data centre.
        outcomes: what the watchdog says that it did for these words, by what it has loaded.
        answers: what DNS says of the VIPs' names.
    """
    told = [each for each in outcomes if not isinstance(each, RecordedIntent)]
    known = names_in(dc, told)
    if len(told) < len(outcomes) or not all(_is_known(word, known) for word in words):
        return None
    found = targets.find(words, known, lambda _: answers)
    return None if found.notes or len(found.prefixes) != len(outcomes) else found.prefixes


def _is_known(word: str, known: Topology) -> bool:
    try:
        return known.find(parse_prefix(word)) is not None
    except PolicyError:
        return targets.vip(word, known) is not None


def names_in(here: str, routes: Iterable[PrefixStatus]) -> Topology:
    """Return the names and prefixes that a watchdog tells; nothing else of this is so.

    Args:
        here: its data centre.
        routes: what it tells.
    """
    dc, profile = DataCentre(here, Asn(0)), Profile.plain(0)
    of: dict[str, list[Address]] = {}
    for route in routes:
        of.setdefault(route.vip, []).append(Address(parse_prefix(route.prefix), (dc.name,)))
    vips = [Vip(name, tuple(addresses), (profile,)) for name, addresses in of.items()]

    def is_aggregate(vip: Vip) -> bool:
        return vip.name == str(vip.addresses[0].prefix)

    return Topology(
        (dc,),
        tuple(vip for vip in vips if not is_aggregate(vip)),
        tuple(vip for vip in vips if is_aggregate(vip)),
    )
