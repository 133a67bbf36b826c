"""Findings in the routes to one address: ties, order, backup, length and ASNs of AS_PATHs."""

from __future__ import annotations

from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from policy.lint.finding import Code, Finding
from policy.order import Order
from policy.route import Origin
from policy.wording import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from policy.lint.announced import Announced, Announcements
    from policy.route import Attributes

    Shape = tuple[tuple[tuple[str, Attributes], ...], tuple[str, ...], bool, Order]

LONGEST_PATH = 10
"""How many ASes an AS_PATH may have. Paths in the Internet have four to five ASes on average, so a
few prepends move all that prepends can; beyond that they only invite filters (some networks drop
longer paths) and hijacks. Never less than a site with this number of data centres needs."""


_MORE = {
    Order.PREPENDS: "more prepends",
    Order.MED: "a greater MED",
    Order.COMMUNITY: "other communities",
    Order.NONE: "more prepends",
}
"""What puts a rank behind another one."""


class _Remark(NamedTuple):
    """A finding about any address of the same shape."""

    code: Code
    found: str
    remedy: str


def routes(found: Announcements, max_path: int | None = None) -> tuple[Finding, ...]:
    """Return what is wrong with the routes, address by address.

    Args:
        found: what is announced.
        max_path: how many ASes an AS_PATH may have; None for LONGEST_PATH, or one more than
            there are data centres where that is more.
    """
    if max_path is None:
        max_path = max(LONGEST_PATH, len(found.asns) + 1)
    checks: tuple[Callable[[Announced], Iterable[_Remark]], ...] = (
        partial(_foreign, found),
        _ties,
        _order,
        _unequal,
        partial(_backup, found),
        partial(_length, max_path),
    )
    # Most addresses of a site are alike except for the prefix.
    known: dict[Shape, tuple[_Remark, ...]] = {}
    findings = [*_alone(found)]
    for address in found:
        shape = (
            tuple((name, route.attributes) for name, route in address.routes.items()),
            address.prefer,
            address.equal,
            address.order,
        )
        if shape not in known:
            known[shape] = tuple(remark for check in checks for remark in check(address))
        findings += (Finding(r.code, str(address), r.found, r.remedy) for r in known[shape])
    return tuple(findings)


def _ties(address: Announced) -> Iterator[_Remark]:
    """Find the data centres between which a router has no reason to choose.

    Looking at each two is enough: any two of which the model leaves both, among whatever other
    living ones, it also leaves when only they live.
    """
    if not _is_ordered(address):
        return
    names = _in_order(address)
    groups: list[list[str]] = []
    for pair in combinations(names, 2):
        if len(address.best(pair)) == 2:
            met = [group for group in groups if not set(pair).isdisjoint(group)]
            joined = {*pair, *(name for group in met for name in group)}
            groups = [group for group in groups if group not in met]
            groups.append([name for name in names if name in joined])
    for group in groups:
        better = [
            name
            for name in names
            if name not in group and all(address.best((name, each)) == {name} for each in group)
        ]
        when = f" once {_and(better)} failed" if better else ""
        yield _Remark(
            Code.TIE,
            f"{_and([_shown(address, name) for name in group])} tie{when}: each router chooses as it "
            "likes",
            f"give {_and([_ranked(address, name) for name in group[1:]])} {_MORE[address.order]} than "
            f"{_ranked(address, group[0])}, by [policy] prepends or the profiles of ranks",
        )


def _order(address: Announced) -> Iterator[_Remark]:
    """Find who is chosen although another one should be: at first, or when others have failed."""
    if not _is_ordered(address):
        return
    for index, wanted in enumerate(address.prefer):
        for chosen in address.prefer[index + 1 :]:
            if address.best((wanted, chosen)) != {chosen}:
                continue
            if wanted not in address.routes:
                yield _Remark(
                    Code.NOT_FIRST,
                    f"{chosen} is chosen, and {wanted}, which comes before it in the preference, does "
                    "not announce it",
                    f"announce it from {wanted}, or put {wanted} last in prefer",
                )
            else:
                yield _Remark(
                    Code.NOT_FIRST,
                    f"{_shown(address, chosen)} is chosen although {_shown(address, wanted)} comes "
                    "before it in the preference",
                    f"give {_ranked(address, chosen)} {_MORE[address.order]} than "
                    f"{_ranked(address, wanted)}, "
                    "or change prefer",
                )
            return


def _is_ordered(address: Announced) -> bool:
    """Whether one data centre is to be better than another."""
    return not address.equal and address.order is not Order.NONE


def _unequal(address: Announced) -> Iterator[_Remark]:
    """Find that data centres which are to be equal are not, in anything that decides."""
    if not address.equal:
        return
    groups: dict[tuple[object, ...], list[str]] = {}
    for name in _in_order(address):
        groups.setdefault(_deciding(address, name), []).append(name)
    if len(groups) > 1:
        parts = [*zip(*groups, strict=True)]
        differ = [what for what, found in zip(_DECIDING, parts, strict=True) if len({*found}) > 1]
        shown = [_and([_shown(address, name) for name in names]) for names in groups.values()]
        yield _Remark(
            Code.NOT_EQUAL,
            f"{'; '.join(shown)}: not equal in {_and(differ)}, so routers do not choose them alike",
            'give them the same profile for it, or order them by prefer in place of "equal"',
        )


_DECIDING = ("the length of the AS_PATH", "origin", "MED", "communities")


def _deciding(address: Announced, name: str) -> tuple[object, ...]:
    """Return what may make a router prefer a route: communities where the site orders by them."""
    attributes = address.routes[name].attributes
    by_community = address.order is Order.COMMUNITY
    communities = (attributes.communities, attributes.large_communities) if by_community else ()
    return (len(attributes.as_path), attributes.origin, attributes.med or 0, communities)


def _backup(found: Announcements, address: Announced) -> Iterator[_Remark]:
    if len(found.asns) < 2:
        return
    match [*address.routes]:
        case []:
            yield _Remark(
                Code.NO_BACKUP, "no data centre announces it", "announce it, or remove it"
            )
        case [name]:
            yield _Remark(
                Code.NO_BACKUP,
                f"only {name} announces it: when {name} fails, none takes over",
                "announce it from another data centre too, with more prepends",
            )


def _alone(found: Announcements) -> Iterator[Finding]:
    """Find that there is one data centre only: said once, not for each address."""
    if len(found.asns) == 1 and found.addresses:
        (name,) = found.asns
        yield Finding(
            Code.NO_BACKUP,
            f"dc {name}",
            "the only data centre: when it fails, none takes over its "
            + count(len(found.addresses), "address"),
            "add the other data centres, as [dc.NAME]",
        )


def _length(longest: int, address: Announced) -> Iterator[_Remark]:
    long = [
        _shown(address, name)
        for name in _in_order(address)
        if len(address.routes[name].attributes.as_path) > longest
    ]
    if long:
        yield _Remark(
            Code.PATH_TOO_LONG,
            f"an AS_PATH of more than {longest} from {_and(long)}: some networks drop long ones, and "
            "the last prepends have no effect",
            "prepend less: a rank needs one more than the one before; or raise [policy] max_path",
        )


def _foreign(found: Announcements, address: Announced) -> Iterator[_Remark]:
    for name, route in address.routes.items():
        own = found.asns[name]
        foreign = sorted(set(route.attributes.as_path) - {own})
        if foreign:
            yield _Remark(
                Code.FOREIGN_ASN,
                f"{name} announces the AS_PATH {route.attributes.as_path} with "
                f"{', '.join(f'AS{asn}' for asn in foreign)}, which is not its own: that AS drops the "
                "route as a loop, and others may take it for a hijack",
                f"prepend {own}, the AS of {name}",
            )


def _and(names: Sequence[str]) -> str:
    """Return `a`, `a and b`, `a, b and c`."""
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _in_order(address: Announced) -> tuple[str, ...]:
    """Return those who announce it: by preference, then those that it does not name."""
    named = [name for name in address.prefer if name in address.routes]
    return (*named, *(name for name in address.routes if name not in named))


def _ranked(address: Announced, name: str) -> str:
    """Return a data centre with its rank, 0 being the first choice, as `status` shows it."""
    return f"rank {address.prefer.index(name)} ({name})" if name in address.prefer else name


def _shown(address: Announced, name: str) -> str:
    """Return a data centre with what decides about its route, as far as it is not the usual."""
    attributes = address.routes[name].attributes
    length = len(attributes.as_path)
    words = [f"{length} AS" if length == 1 else f"{length} ASes"]
    if attributes.origin is not Origin.IGP:
        words.append(f"origin {attributes.origin}")
    if attributes.med:
        words.append(f"MED {attributes.med}")
    return f"{name} ({', '.join(words)})"
