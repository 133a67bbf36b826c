"""How a prefix stands at all machines of a site that are to announce it: as wanted, not, or not known. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from policy.intent import Mode
from policy.wording import named

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Why = Callable[["MachineSaid"], str]

NAMED = 3
"""How many machines are named."""


class Level(StrEnum):
    """How much a prefix needs attention; the first comes first."""

    WRONG = "wrong"
    UNKNOWN = "unknown"
    ASIDE = "aside"
    """Not announced by some, by an operator or for its health."""
    WELL = "well"


class MachineSaid(NamedTuple):
    """What a machine said last of a prefix.

    `announced` is None where that is not known, as of a silent machine. `health` and `intent` are in words, which begin with
    the state and the mode. `differs`: why it has something else than was ordered, in words. `unsent`: why nobody is sent what it
    would announce, in words.
    """

    machine: str
    announced: bool | None
    health: str = ""
    intent: str = ""
    differs: str = ""
    unsent: str = ""


def level(said: Sequence[MachineSaid], *, is_hidden: bool = False) -> tuple[Level, str]:
    """Return how a prefix stands, and why in words.

    Args:
        said: what each machine says that is to announce it.
        is_hidden: whether an aggregate stands for it: then that nobody announces it is as it must be.
    """
    if not said:
        return Level.UNKNOWN, "no machine that is to announce it is known"
    if (wrong := [each for each in said if each.differs]) or (
        wrong := [each for each in said if each.announced and _is(each.intent, Mode.DRAINED)]
    ):
        return Level.WRONG, _named(wrong, _why_wrong)
    without = [each for each in said if each.announced is False]
    unexplained = [each for each in without if not _is_aside(each)]
    if len(without) == len(said) and not is_hidden:
        at_will = all(_is_drained(each) for each in said)
        return (
            Level.ASIDE if at_will else Level.WRONG,
            f"announced nowhere: {_named(said, _why_not)}",
        )
    if unexplained and not is_hidden:
        return Level.WRONG, _named(unexplained, _why_not)
    if unknown := [each for each in said if each.announced is None]:
        return Level.UNKNOWN, _named(unknown, lambda _: "not known")
    if without and not is_hidden:
        return Level.ASIDE, _named(without, _why_not)
    softly = [each for each in said if _is(each.intent, Mode.DRAINING)]
    return (Level.ASIDE, _named(softly, _why_not)) if softly else (Level.WELL, "")


def _is(text: str, state: str) -> bool:
    return text == state or text.startswith((f"{state} ", f"{state}:"))


def _is_drained(each: MachineSaid) -> bool:
    return _is(each.intent, Mode.DRAINED) or _is(each.intent, Mode.DRAINING)


def _is_aside(each: MachineSaid) -> bool:
    return _is_drained(each) or _is(each.health, "down")


def _why_wrong(each: MachineSaid) -> str:
    return each.differs or f"announced although {each.intent}"


def _why_not(each: MachineSaid) -> str:
    if _is_drained(each):
        return each.intent
    if _is(each.health, "down"):
        return each.health
    if each.unsent:
        return each.unsent
    return f"not announced, although {each.health or 'its health is not told'}"


def _named(some: Sequence[MachineSaid], why: Why) -> str:
    """Return what is so of some machines, those together of which the same is so."""
    of: dict[str, list[str]] = {}
    for each in some:
        of.setdefault(why(each), []).append(each.machine)
    shown = [f"{named(machines, NAMED)}: {text}" for text, machines in [*of.items()][:NAMED]]
    more = len(of) - NAMED
    return "; ".join([*shown, *([f"and {more} more reasons"] if more > 0 else [])])
