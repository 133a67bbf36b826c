"""`set extcommunity` of a route-map: what it adds to a path, or that it takes all away."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.extended import ExtendedCommunity
from speaker.migration.bgpd_conf.statement import MigrationError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from speaker.migration.bgpd_conf.model import BgpPath

NONE = "extcommunity none"
_DOTS = 3


def extended_set(
    words: Sequence[str], others: Collection[str]
) -> tuple[str, Callable[[BgpPath], BgpPath] | None, str]:
    """Return the command, its change, None where it is not translated, and then why.

    Args:
        words: those after `set extcommunity`.
        others: the commands of the clause that are known.

    Raises:
        MigrationError: a value makes no sense.
    """
    match words:
        case ["none"]:
            if any(key.startswith("extcommunity ") and key != NONE for key in others):
                return NONE, None, _ORDER
            return NONE, lambda path: _with(path, ()), ""
        case [("rt" | "soo") as kind, *values] if values:
            if NONE in others:
                return f"extcommunity {kind}", None, _ORDER
            given = tuple(_parse(kind, value) for value in values)
            return (
                f"extcommunity {kind}",
                lambda path: _with(path, (*path.attributes.extended_communities, *given)),
                "",
            )
        case [kind, *rest] if rest or kind not in ("rt", "soo"):
            return f"extcommunity {kind}", None, _OTHER
    return f"extcommunity {' '.join(words)}", None, "is incomplete"


_ORDER = "which of `none` and the others comes last is not seen in the file"
_OTHER = "vip.toml has route targets and sites of origin alone, and any other kind is the router's to set"


def _parse(kind: str, text: str) -> ExtendedCommunity:
    """Parse a value. FRR shows also a line that it refuses for its value, and that sets nothing."""
    if text.count(".") not in (0, _DOTS):
        raise MigrationError(
            f"{text!r}: what an AS number with a dot means here depends on bgpd's version; write it plain"
        )
    try:
        return ExtendedCommunity.parse(f"{kind}:{text}")
    except PolicyError as error:
        remedy = "" if ";" in str(error) else "; correct it"
        raise MigrationError(f"{error}{remedy}") from error


def _with(path: BgpPath, given: tuple[ExtendedCommunity, ...]) -> BgpPath:
    return replace(path, attributes=replace(path.attributes, extended_communities=given))
