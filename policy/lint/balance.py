"""Findings across addresses: pairs that part, and data centres with more than their share."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import zip_longest
from typing import TYPE_CHECKING

from policy.lint.finding import Code, Finding
from policy.wording import count

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
            f"IPv4 prefers {_words(ipv4)} and IPv6 {_words(ipv6)}: a client that "
            "uses both is served in two data centres",
            "give both the same prefer",
        )
        for ipv4, ipv6 in pairs(addresses)
        if ipv4 and ipv6 and ipv4.prefer and ipv6.prefer and _choice(ipv4) != _choice(ipv6)
    )


def _choice(address: Announced) -> tuple[tuple[str, ...], bool]:
    return address.prefer, address.equal


def _words(address: Announced) -> str:
    return f"{', '.join(address.prefer)}{' equally' if address.equal else ''}"


def loads(
    addresses: Iterable[Announced],
    weights: Mapping[str, float],
    tolerance: float = LOAD_TOLERANCE,
) -> tuple[Finding, ...]:
    """Return the data centres that are the first choice of more, or fewer, than their weight says.

    A pair counts once. An address for which data centres are equal counts for each in equal parts, which
    is what is due there; one that a part of them announces is due to those. A few addresses can't be
    parted evenly: where fewer than two pairs are wrong, nothing is said.

    Args:
        addresses: those whose preference is not known are not counted.
        weights: by data centre.
        tolerance: how many of all pairs may be wrong, 0 to 1.
    """
    choices = Counter(
        _choice(one) for pair in pairs(addresses) if (one := _known(pair)) is not None
    )
    total, first, dues = choices.total(), dict.fromkeys(weights, 0.0), dict.fromkeys(weights, 0.0)
    for (prefer, equal), number in choices.items():
        weight = sum(weights[name] for name in prefer)
        for name in prefer:
            part = 1 / len(prefer)
            first[name] += number * (part if equal else name == prefer[0])
            dues[name] += number * (part if equal or not weight else weights[name] / weight)
    findings = []
    for name in weights if total and any(weights.values()) else ():
        has, due = first[name], dues[name]
        if abs(has - due) < _ROUNDING or abs(has - due) / total <= tolerance:
            continue
        findings.append(
            Finding(
                Code.UNEQUAL_LOAD,
                f"dc {name}",
                f"the first choice of {round(has, 1):.10g} of {count(total, 'address')} ({has / total:.0%}; IPv4 and IPv6 of a "
                f"pair count once), where its weight makes it {round(due, 1):.10g} ({due / total:.0%})",
                'move some by prefer, use prefer = "auto", set weight in [dc.…], or raise [policy] '
                "load_tolerance",
            )
        )
    return tuple(findings)


def _known(pair: Pair) -> Announced | None:
    return next((one for one in pair if one is not None and one.prefer), None)
