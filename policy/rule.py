"""Rules: what several sources together say of a VIP, in three values. And the shortest part that decides.

Theory of operation. Up, down and unknown are Kleene's strong logic (S. C. Kleene, Introduction to
Metamathematics, 1952, §64): an operator gives up or down where that is so whatever the unknown parts are, and
unknown otherwise. So unknown never counts for down, through any operator, and what is known once stays so
when more becomes known. `all` and `any` are `at_least` so many; so is `share_up`, where a source that takes less counts for less.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from policy.errors import PolicyError
from policy.health import Health, so_many
from policy.sources import SERVICES
from policy.weight import WeighedPart, deciding, weighed
from policy.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NAMED = 3
"""How many sources a reason names."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a source says: up, down or unknown, why, and since when (seconds on the steady clock).

    `expires` is when the certificate that it showed does, in seconds since the epoch. `settling`: it is unknown because
    it was not asked yet, or not often enough; its next answers tell. `weight` is how much it takes where it is up, from 0 to 1.
    """

    health: Health
    reason: str = ""
    since: float | None = None
    expires: float | None = None
    settling: bool = False
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Term:
    """A source, by its name: `ipvs`, `check/shop`."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Not:
    """Up where a rule is down, and down where it is up."""

    rule: Rule

    def __str__(self) -> str:
        return f"not {self.rule}"


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Up where so many of some rules are."""

    count: int
    of: tuple[Rule, ...]

    def __post_init__(self) -> None:
        if not 1 <= self.count <= len(self.of):
            raise PolicyError(
                f"rule: at least {self.count} of {count(len(self.of), 'part')}: can't be; from 1 to {len(self.of)}"
            )

    def __str__(self) -> str:
        listed = ", ".join(map(str, self.of))
        if self.count == len(self.of):
            return f"all({listed})"
        return f"any({listed})" if self.count == 1 else f"at_least({self.count}: {listed})"


@dataclass(frozen=True, slots=True)
class ShareUp:
    """Up where so large a share of some rules is, from 0 to 1, and any: a source counts by its weight."""

    share: float
    of: tuple[Rule, ...]

    def __post_init__(self) -> None:
        if not (0 <= self.share <= 1 and self.of):
            raise PolicyError(
                f"rule: a share of {self.share:g} of {count(len(self.of), 'part')}: can't be"
            )

    def __str__(self) -> str:
        return f"share_up({self.share:.6g}: {', '.join(map(str, self.of))})"


Rule = Term | Not | AtLeast | ShareUp

_NEGATED = {Health.UP: Health.DOWN, Health.DOWN: Health.UP, Health.UNKNOWN: Health.UNKNOWN}


def terms(rule: Rule) -> Iterator[str]:
    """Yield the names of the sources in a rule, in their order, each as often as it stands there."""
    match rule:
        case Term(name):
            yield name
        case Not(inner):
            yield from terms(inner)
        case AtLeast(_, of) | ShareUp(_, of):
            for each in of:
                yield from terms(each)


def depth(rule: Rule) -> int:
    """Return how deep a rule goes: a source alone is 1."""
    match rule:
        case Term():
            return 1
        case Not(inner):
            return 1 + depth(inner)
        case AtLeast(_, of) | ShareUp(_, of):
            return 1 + max(map(depth, of))


def value(rule: Rule, said: Mapping[str, Said]) -> Health:
    """Return what a rule comes to. A source that says nothing is unknown."""
    match rule:
        case Term(name):
            return said[name].health if name in said else Health.UNKNOWN
        case Not(inner):
            return _NEGATED[value(inner, said)]
        case AtLeast(count, of):
            return _at_least(count, [value(each, said) for each in of])
        case ShareUp(share, of):
            return weighed(
                share, [WeighedPart(value(each, said), _weight(each, said)) for each in of]
            )


def _weight(rule: Rule, said: Mapping[str, Said]) -> float:
    """Return how much a part takes where it is up: all, but of a source that says less."""
    return said[rule.name].weight if isinstance(rule, Term) and rule.name in said else 1.0


def _at_least(count: int, values: Sequence[Health]) -> Health:
    up = values.count(Health.UP)
    if up >= count:
        return Health.UP
    possible = up + values.count(Health.UNKNOWN)
    return Health.DOWN if possible < count else Health.UNKNOWN


class Decisive(NamedTuple):
    """A part of a rule: the sources in it, in their order, as a tuple and in words with what they say."""

    names: tuple[str, ...]
    text: str


class _Why(NamedTuple):
    health: Health
    names: tuple[str, ...]
    phrases: tuple[str, ...]


def decisive(rule: Rule, said: Mapping[str, Said]) -> Decisive:
    """Return the shortest part of a rule that decides what it comes to: the rest may be anything.

    It is the shortest where each source stands once. Where some stand more often, finding that takes trying all, and it
    is one of which nothing can be taken out. Of a rule that is unknown: the sources that are, and for which it is. Once
    those are known, so is the rule.
    """
    found = _why(rule, said)
    often = Counter(terms(rule))
    if found.health is not Health.UNKNOWN and len(often) < often.total():
        found = _why(rule, _needed(rule, found, said, often))
    phrases = found.phrases[:NAMED]
    if (more := len(found.phrases) - NAMED) > 0:
        phrases = (*phrases, f"{more} more")
    return Decisive(tuple(dict.fromkeys(found.names)), " and ".join(phrases))


def _needed(
    rule: Rule, found: _Why, said: Mapping[str, Said], often: Mapping[str, int]
) -> Mapping[str, Said]:
    """Return what decides a rule without what it does not need: what decides few of its parts is taken out first."""
    needed = {name: said[name] for name in found.names}
    for name in sorted(needed, key=lambda name: often[name]):
        less = {other: each for other, each in needed.items() if other != name}
        if value(rule, less) is found.health:
            needed = less
    return needed


def _why(rule: Rule, said: Mapping[str, Said]) -> _Why:
    match rule:
        case Term(name):
            what = said.get(name, Said(Health.UNKNOWN, "nothing is known yet"))
            reason = f" ({what.reason})" if what.reason else ""
            return _Why(what.health, (name,), (f"{name} is {what.health}{reason}",))
        case Not(inner):
            found = _why(inner, said)
            phrases = found.phrases
            if found.health is Health.UP:
                phrases = (*phrases[:-1], f"{phrases[-1]}, which must not be")
            return _Why(_NEGATED[found.health], found.names, phrases)
        case AtLeast(count, of):
            return _why_at_least(count, [_why(each, said) for each in of])
        case ShareUp(share, of):
            whys = [_why(each, said) for each in of]
            weights = [_weight(each, said) for each in of]
            if all(weight == 1 for weight in weights):
                return _why_at_least(so_many(share, len(of)), whys)
            return _why_share(share, whys, weights)


def _why_share(share: float, whys: Sequence[_Why], weights: Sequence[float]) -> _Why:
    """Return parts that are enough by their weights."""
    parts = [
        WeighedPart(why.health, weight, len(why.names))
        for why, weight in zip(whys, weights, strict=True)
    ]
    health, chosen = weighed(share, parts), [whys[place] for place in deciding(share, parts)]
    names = tuple(name for why in chosen for name in why.names)
    phrases = tuple(dict.fromkeys(phrase for why in chosen for phrase in why.phrases))
    if health is not Health.UNKNOWN:
        which = "is enough" if health is Health.UP else "must be up"
        phrases = (*phrases[:-1], f"{phrases[-1]}, and {share:.4g} of {len(parts)} {which}")
    return _Why(health, names, phrases)


def _why_at_least(count: int, parts: Sequence[_Why]) -> _Why:
    """Return the shortest parts that are enough: so many that are up, or that those left are too few."""
    health = _at_least(count, [part.health for part in parts])
    alike = [part for part in parts if part.health is health]
    needed = {Health.UP: count, Health.DOWN: len(parts) - count + 1}.get(health, len(alike))
    by_length = sorted(range(len(alike)), key=lambda index: len(alike[index].names))
    chosen = [alike[index] for index in sorted(by_length[:needed])]
    names = tuple(name for part in chosen for name in part.names)
    phrases = tuple(dict.fromkeys(phrase for part in chosen for phrase in part.phrases))
    if 1 < count < len(parts) and health is not Health.UNKNOWN:
        which = f"{count} of {len(parts)} are enough" if health is Health.UP else ""
        which = which or f"and {count} of {len(parts)} must be up"
        phrases = (*phrases[:-1], f"{phrases[-1]}, {which}")
    return _Why(health, names, phrases)


def asks_services(rule: Rule) -> bool:
    """Tell whether a rule asks for a VIP's own services."""
    return any(name in SERVICES for name in terms(rule))
