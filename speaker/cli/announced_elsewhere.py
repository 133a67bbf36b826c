"""Which data centres announce a prefix now, as witnesses show it: what a rehearsal of a soft drain says of who takes over. Pure."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from speaker.api import PrefixStatus, Status


def announced_elsewhere(status: Status, route: PrefixStatus, expected: Collection[str]) -> str:
    """Say of the data centres that would have a prefix whether they announce it, and who else does.

    What a witness shows is announced. What none shows may be: a router shows its best path alone.

    Args:
        status: what a watchdog told, with its witnesses.
        route: the prefix, with its paths there.
        expected: who would have it, by the model.
    """
    at: dict[str, list[str]] = {}
    for path in route.seen:
        if path.dc != status.dc:
            at.setdefault(path.dc, []).append(path.at)
    asked = [*_asked(status, route)]
    found = [_of(name, at.pop(name, []), asked) for name in sorted(expected)]
    unknown = at.pop("", [])
    found += [f"{name} announces it (seen at {_names(of)})" for name, of in sorted(at.items())]
    if unknown:
        found.append(f"whose path {_names(unknown)} shows can't be told")
    return "; ".join(found)


def _of(name: str, at: Collection[str], asked: Collection[str]) -> str:
    if at:
        return f"{name} announces it (seen at {_names(at)})"
    if asked:
        return f"not known to be announced by {name} (not seen at {_names(asked)})"
    return f"whether {name} announces it is not known (no witness tells)"


def _asked(status: Status, route: PrefixStatus) -> Iterator[str]:
    """Yield the witnesses of which all is known that have the prefix's family."""
    version = ip_network(route.prefix).version
    for each in status.witnesses:
        if each.is_whole and version in each.families:
            yield each.name


def _names(of: Collection[str]) -> str:
    return ", ".join(dict.fromkeys(of))
