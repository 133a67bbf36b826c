"""What a person reads first of an import: what imports, what is refused, what is assumed, and what comes next. Pure."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from policy.wording import count
from speaker.migration.bgpd_conf.model import Treatment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from speaker.migration.bgpd_conf.model import LineVerdict
    from speaker.migration.bgpd_conf.statement import Statement
    from speaker.migration.options import Import
    from speaker.migration.target.site import Site

MOST = 6
"""So many kinds of refused lines are named; the others are counted."""


def of_written(call: Import, sites: Sequence[Site], vips: int, refused: Refused) -> str:
    """Return the summary of an import that wrote its files."""
    covering = {prefix for site in sites for prefix in site.routes if site.is_aggregate(prefix)}
    addresses = len({prefix for site in sites for prefix in site.routes} - covering)
    beside = f", {count(len(covering), 'aggregate')}" if covering else ""
    lines = [
        "summary:",
        (
            f"  imported: {count(addresses, 'prefix')} of {count(vips, 'VIP')}{beside}, "
            f"{count(sum(len(site.sessions) for site in sites), 'session')}, "
            f"{count(len(sites), 'data centre')}; the UPDATEs of bgpd and ExaBGP are equal"
        ),
        *refused.lines(),
        *_assumed(call, sites),
        (
            f"  next: read {call.out / 'vip.toml'}, put the files in place, and in each data centre run vip_mgmt check "
            f"and {_comparisons(call)}"
        ),
    ]
    return "\n".join(lines)


def of_refused(call: Import, sites: Sequence[Site], faults: int, refused: Refused) -> str:
    """Return the summary of an import that wrote nothing: where addresses lack, with the command that would do."""
    lacking = [word for site in sites for word in site.lacking]
    again = shlex.join(["vip_mgmt", "import", *call.words, *lacking])
    others = faults - sum(1 for site in sites if site.lacking)
    first = f"{count(others, 'other error')} above: do what each says; then " if others else ""
    lines = [
        "summary:",
        "  imported: nothing is written",
        *refused.lines(),
        f"  next: {first}{again}"
        if lacking
        else f"  next: {count(faults, 'error')} above: do what each says, and run the same command again",
    ]
    return "\n".join(lines)


def _comparisons(call: Import) -> str:
    """Return the command that compares its file in each data centre: beside another's, all would differ."""
    if len(call.files) == 1:
        return "".join(_comparison(call, dc) for dc in call.files)
    return "; ".join(f"in {dc}: {_comparison(call, dc)}" for dc in call.files)


def _comparison(call: Import, dc: str) -> str:
    """Return the command that compares a file: with all that was said of it, as it asks for the same."""
    file = call.files[dc]
    words = ["vip_mgmt", "compare", str(file)]
    if dc in call.dialects:
        words.append(f"--{call.dialects[dc].value}")
    answers = call.answers.get(dc)
    if answers is not None:
        words += [
            word for name, asn in answers.asns.items() for word in ("--peer-as", f"{name}={asn}")
        ]
        words += [
            word for name, at in answers.addresses.items() for word in ("--peer", f"{name}={at}")
        ]
        words += [] if answers.vrf is None else ["--vrf", answers.vrf]
    return shlex.join(words)


class Refused:
    """The lines that are refused, by their kind and why."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], int] = {}

    def add(self, verdicts: Iterable[LineVerdict]) -> None:
        """Take those of one file."""
        for verdict in verdicts:
            if verdict.treatment is Treatment.REFUSED:
                key = kind(verdict.statement), verdict.reason.partition(";")[0]
                self._kinds[key] = self._kinds.get(key, 0) + 1

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self._kinds)

    def lines(self) -> Iterator[str]:
        """Yield how many of each kind there are, and why; the commonest first."""
        if not self._kinds:
            yield "  refused: no line"
            return
        ordered = sorted(self._kinds.items(), key=lambda each: -each[1])
        yield f"  refused: {count(sum(self._kinds.values()), 'line')}"
        for (name, reason), times in ordered[:MOST]:
            yield f"    {times} x {name}: {reason}"
        if len(ordered) > MOST:
            yield f"    and {count(len(ordered) - MOST, 'other kind')}, above"


def kind(statement: Statement) -> str:
    """Return what lines of one kind have in common, without names and addresses."""
    match str(statement).split():
        case ["neighbor", _, what, *_]:
            return f"neighbor … {what}"
        case ["address-family", *family]:
            return " ".join(["address-family", *family])
        case [first, second, *_] if first in (
            "bgp",
            "ip",
            "ipv6",
            "set",
            "match",
        ):
            return f"{first} {second}"
        case [first, *_]:
            return first
    return str(statement)


def _assumed(call: Import, sites: Sequence[Site]) -> Iterator[str]:
    """Yield what no file says for certain."""
    for site in sites:
        taken = site.configuration.read_as
        origins = {str(session.local): None for session in site.sessions}
        yield (
            f"  assumed: {site.name}: the file is {taken.dialect.brand}'s ({taken.because}); sessions from "
            f"{', '.join(origins) or 'nowhere'}"
        )
    if not (call.dns or call.names):
        yield "  assumed: no names: VIPs are called by their addresses; use --dns or --name"
