"""What a healthcheck announces in each of its states, and to which neighbors: as ExaBGP would send it. Pure."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from policy.asn import MAX_SHORT_ASN, parse_asn
from policy.errors import PolicyError
from policy.extended import ExtendedCommunity
from policy.route import AsPath, Attributes, Community, LargeCommunity
from speaker.migration.bgpd_conf.statement import MigrationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from policy.route import Asn, Prefix
    from speaker.migration.healthcheck.exabgp_file import ExabgpSession
    from speaker.migration.healthcheck.program import Healthcheck
    from speaker.units import IpAddress

_T = TypeVar("_T")


class HealthcheckState(StrEnum):
    """A state in which a healthcheck announces."""

    UP = "up"
    DOWN = "down"
    DISABLED = "disabled"


_METRICS = {HealthcheckState.UP: 100, HealthcheckState.DOWN: 1000, HealthcheckState.DISABLED: 500}
"""The MED of the first address, where no option says it."""
_COMMUNITIES = {
    "no-export": "65535:65281",
    "no-advertise": "65535:65282",
    "no-export-subconfed": "65535:65283",
    "no-peer": "65535:65284",
    "blackhole": "65535:666",
    "graceful-shutdown": "65535:0",
}
_TARGET = re.compile(r"target:([0-9]{1,5}):([0-9]{1,10})")


def states(check: Healthcheck) -> tuple[HealthcheckState, ...]:
    """Return the states that a healthcheck can be in."""
    never = set() if check.has("command") else {HealthcheckState.DOWN}
    never |= set() if check.has("disable") else {HealthcheckState.DISABLED}
    return tuple(state for state in HealthcheckState if state not in never)


def announced(
    check: Healthcheck, state: HealthcheckState, session: ExabgpSession
) -> Mapping[Prefix, Attributes | None]:
    """Return what a neighbor is sent of each prefix in a state; None for a withdrawal.

    Raises:
        MigrationError: an option is not understood.
    """
    prefixes = check.prefixes()
    if check.has("withdraw-on-down") and state is not HealthcheckState.UP:
        return dict.fromkeys(prefixes)
    first = check.number(f"{state}-metric", _METRICS[state])
    step = check.number("increase", 1)
    alike = {
        "as_path": _as_path(check, state, session),
        "communities": _communities(check, state),
        "large_communities": _each(check, "large-community", LargeCommunity.parse),
        "extended_communities": _each(check, "extended-community", _extended),
    }
    try:
        return {
            prefix: Attributes(med=int(first + index * step), **alike)  # type: ignore[arg-type]  # each is of its key
            for index, prefix in enumerate(prefixes)
        }
    except PolicyError as error:
        raise check.error(f"{state}-metric", f"{error}; correct it") from error


def chosen(check: Healthcheck, sessions: Iterable[ExabgpSession]) -> tuple[ExabgpSession, ...]:
    """Return the neighbors that a healthcheck announces to.

    Raises:
        MigrationError: there is none, or one that it names is not among those that it feeds.
    """
    fed = {each.address: each for each in sessions if check.process in each.processes}
    if not fed:
        raise MigrationError(
            f"{check.where}: {check}: no neighbor lists {check.process} in its api {{ processes [ … ]; }}, so nobody is sent "
            "anything; correct it"
        )
    named = [each.value.strip() for each in check.options.get("neighbor", ())]
    if not named or "*" in named:
        return tuple(fed.values())
    found = {str(address): session for address, session in fed.items()}
    if lacking := [name for name in named if name not in found]:
        raise check.error(
            "neighbor", f"{lacking[0]} is not a neighbor that lists {check.process}; correct it"
        )
    return tuple(session for name, session in found.items() if name in named)


def next_hop(check: Healthcheck) -> IpAddress | None:
    """Return the next hop, None for the session's own address."""
    return check.address("next-hop")


def _as_path(check: Healthcheck, state: HealthcheckState, session: ExabgpSession) -> AsPath:
    """Return AS_PATH as the neighbor sees it: ExaBGP sends what is said as it is."""
    option = f"{state}-as-path" if check.text(f"{state}-as-path") is not None else "as-path"
    words = _words(check.text(option))
    if not words:
        own = () if session.peer_as == session.local_as else (session.local_as,)
        return AsPath(own)
    try:
        path = AsPath(tuple(map(parse_asn, words)))
    except PolicyError as error:
        raise check.error(option, f"{error}; write AS numbers alone") from error
    if {*path.asns} != {session.local_as}:
        raise check.error(
            option,
            f"vip-speaker sends copies of the session's own AS alone, {session.local_as}; write no other",
        )
    return path


def _communities(check: Healthcheck, state: HealthcheckState) -> tuple[Community, ...]:
    option = "community"
    if state is not HealthcheckState.UP and check.text("disabled-community"):
        option = "disabled-community"
    return _each(check, option, lambda word: Community.parse(_COMMUNITIES.get(word, word)))


def _extended(word: str) -> ExtendedCommunity:
    """Parse a route target with an AS number of two octets, which all versions of ExaBGP read alike."""
    match = _TARGET.fullmatch(word)
    if match is None or int(match[1]) > MAX_SHORT_ASN:
        raise PolicyError(f"{word!r} is not of the form target:64500:1, which is all that is read")
    return ExtendedCommunity.parse(f"rt:{match[1]}:{match[2]}")


def _each(check: Healthcheck, option: str, parse: Callable[[str], _T]) -> tuple[_T, ...]:
    try:
        return tuple(map(parse, _words(check.text(option))))
    except PolicyError as error:
        raise check.error(option, f"{error}; correct it") from error


def _words(text: str | None) -> Sequence[str]:
    return re.sub(r"[\[\],]", " ", text or "").split()


def own_as(sessions: Sequence[ExabgpSession]) -> Asn:
    """Return the AS of the neighbors' sessions.

    Raises:
        MigrationError: they have several.
    """
    first, *others = sessions
    for each in others:
        if each.local_as != first.local_as:
            raise MigrationError(
                f"{each.where}: neighbor {each.address}: local-as {each.local_as}, and {first.local_as} of {first.address}; a data "
                "centre has one AS in vip.toml: take the neighbors of one into a copy of the file"
            )
    return first.local_as
