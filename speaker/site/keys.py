"""The names under which the machines of a site store what they tell: text <-> values. Pure.

Below the prefix of `[site]`, with data centres' names as in a URL:

    intent/site/PREFIX, intent/dc/DC/PREFIX, intent/machine/DC/MACHINE/PREFIX    what operators ask; never removed
    machine/DC/MACHINE, obeys/DC/MACHINE, state/PREFIX/DC/MACHINE                 of a machine that lives; each with its lease
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from policy.errors import PolicyError
from policy.route import parse_prefix
from policy.site_intent import EVERYWHERE, Extent, Width
from speaker.errors import SpeakerError

if TYPE_CHECKING:
    from policy.route import Prefix

MAX_DC, MAX_KEY = 64, 1024
"""Characters of a data centre's name, and of a key, at most."""
_MACHINE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class KeyTextError(SpeakerError):
    """A key that is none of those that are stored here."""


class KeyKind(StrEnum):
    """What is stored under a key; the word that it begins with."""

    INTENT = "intent"
    MACHINE = "machine"
    OBEYS = "obeys"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class SiteKey:
    """A key: what kind of thing it has, of whom or for whom, and of which prefix where it is of one."""

    kind: KeyKind
    extent: Extent
    prefix: Prefix | None = None
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.kind, self.extent, self.prefix)))

    def __hash__(self) -> int:
        return self._hash  # of ten thousand keys it is asked for again and again

    def __str__(self) -> str:
        who = _machine_text(self.extent)
        if self.kind is KeyKind.INTENT:
            return f"intent/{_extent_text(self.extent)}/{self.prefix}"
        return f"state/{self.prefix}/{who}" if self.kind is KeyKind.STATE else f"{self.kind}/{who}"


def intent_key(extent: Extent, prefix: Prefix) -> SiteKey:
    """Return the key of what is asked for an extent of a prefix."""
    return SiteKey(KeyKind.INTENT, extent, prefix)


def parse_key(text: str) -> SiteKey | None:
    """Return what a key is, without the prefix of `[site]`; None where it is of none of these kinds: others' are left alone.

    Raises:
        KeyTextError: it begins like one of them, and is none.
    """
    word, _, rest = text.partition("/")
    if word not in [*KeyKind]:
        return None
    try:
        found = _parsed(KeyKind(word), rest)
        is_known = len(text) <= MAX_KEY and str(found) == text
    except (ValueError, PolicyError) as error:
        raise KeyTextError(f"{text!a:.200} is no key of vip-speaker's: {error}") from error
    if not is_known:
        raise KeyTextError(f"{text!a:.200} is no key of vip-speaker's: it would be {str(found)!a}")
    return found


def _parsed(kind: KeyKind, rest: str) -> SiteKey:
    """Return the key of which this is the rest; only the one that has this very text may come of it.

    Raises:
        ValueError, PolicyError: it has another form.
    """
    parts = rest.split("/")
    match kind, parts:
        case KeyKind.INTENT, ["site", address, length]:
            return SiteKey(kind, EVERYWHERE, parse_prefix(f"{address}/{length}"))
        case KeyKind.INTENT, ["dc", dc, address, length]:
            return SiteKey(kind, Extent(_dc(dc)), parse_prefix(f"{address}/{length}"))
        case KeyKind.INTENT, ["machine", dc, machine, address, length]:
            return SiteKey(kind, _machine(dc, machine), parse_prefix(f"{address}/{length}"))
        case KeyKind.STATE, [address, length, dc, machine]:
            return SiteKey(kind, _machine(dc, machine), parse_prefix(f"{address}/{length}"))
        case ((KeyKind.MACHINE | KeyKind.OBEYS), [dc, machine]):
            return SiteKey(kind, _machine(dc, machine))
    raise ValueError("of another form")


def _extent_text(extent: Extent) -> str:
    match extent.width:
        case Width.SITE:
            return "site"
        case Width.DC:
            return f"dc/{quote(extent.dc, safe='')}"
        case Width.MACHINE:
            return f"machine/{_machine_text(extent)}"


def _machine_text(extent: Extent) -> str:
    return f"{quote(extent.dc, safe='')}/{extent.machine}"


def _dc(text: str) -> str:
    try:
        found = unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise ValueError("no name of a data centre") from error
    if not 0 < len(found) <= MAX_DC or found != found.strip() or not found.isprintable():
        raise ValueError("no name of a data centre")
    return found


def _machine(dc: str, machine: str) -> Extent:
    if not _MACHINE.fullmatch(machine):
        raise ValueError("no name of a machine")
    return Extent(_dc(dc), machine)
