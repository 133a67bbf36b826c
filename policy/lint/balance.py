"""Findings across addresses: pairs that part, and data centres with more than their share."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import zip_longest
from typing import TYPE_CHECKING

from policy.lint.finding import Code, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from policy.lint.announced import Announced

    Pair = tuple[Announced | None, Announced | None]

LOAD_TOLERANCE = 0.25
"""How far a data centre's share may be from that of its weight, 0 to 1."""
_ROUNDING = 2  # that many pairs off, and it is no accident of few addresses


def pairs(addresses: Iterable[Announced]) -> Iterator[Pair]:
    """Yield the pairs: the n-th IPv4 and the n-th IPv6 of a name, None where there is no such.

    Addresses without a name are alone.
    """
    families: dict[str, tuple[list[Announced], list[Announced]]] = defaultdict(lambda: ([], []))
    for address in addresses:
        name = address.vip or str(address)
        families[name][address.prefix.version == 6].append(address)
    for ipv4, ipv6 in families.values():
        yield from zip_longest(ipv4, ipv6)


def splits(addresses: Iterable[Announced]) -> tuple[Finding, ...]:
    """Return the pairs whose IPv4 and IPv6 prefer different data centres."""
    return tuple(
        Finding(
            Code.PAIR_SPLIT,
            f"{ipv4.vip} {ipv4.prefix} {ipv6.prefix}",
            f"IPv4 prefers {', '.join(ipv4.prefer)} and IPv6 {', '.join(ipv6.prefer)}: a client that "
            "uses both is served in two data centres",
            "give both the same prefer",
        )
        for ipv4, ipv6 in pairs(addresses)
        if ipv4 and ipv6 and ipv4.prefer and ipv6.prefer and ipv4.prefer != ipv6.prefer
    )


def loads(
    addresses: Iterable[Announced],
    weights: Mapping[str, float],
    tolerance: float = LOAD_TOLERANCE,
) -> tuple[Finding, ...]:
    """Return the data centres that are the first choice of more, or fewer, than their weight says.

    A pair counts once. A few addresses can't be parted evenly: where fewer than two pairs are
    wrong, nothing is said.

    Args:
        addresses: those whose preference is not known are not counted.
        weights: by data centre.
        tolerance: how many of all pairs may be wrong, 0 to 1.
    """
    first = Counter(one.prefer[0] for pair in pairs(addresses) if (one := _known(pair)) is not None)
    total, weight = first.total(), sum(weights.values())
    if not total or not weight:
        return ()
    findings = []
    for name, own in weights.items():
        has, due = first[name], total * own / weight
        if abs(has - due) < _ROUNDING or abs(has - due) / total <= tolerance:
            continue
        findings.append(
            Finding(
                Code.UNEQUAL_LOAD,
                f"dc {name}",
                f"the first choice of {has} of {total} addresses ({has / total:.0%}; IPv4 and IPv6 of a "
                f"pair count once), where its weight makes it {due:.0f} ({due / total:.0%})",
                'move some by prefer, use prefer = "auto", set weight in [dc.…], or raise [policy] '
                "load_tolerance",
            )
        )
    return tuple(findings)


def _known(pair: Pair) -> Announced | None:
    return next((one for one in pair if one is not None and one.prefer), None)
