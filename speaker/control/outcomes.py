"""What a watchdog answers to an operator's intent, read: about each prefix that was asked for, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.route import parse_prefix
from policy.wording import count
from speaker.api import IntentOutcome, RecordedIntent
from speaker.json_value import FormError
from speaker.site_values import Ordered, SiteReport

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from policy.route import Prefix


def outcomes_from_json(
    answer: object, prefixes: Collection[Prefix]
) -> Sequence[IntentOutcome | RecordedIntent]:
    """Return what became of each of some prefixes, in their order: all of it is known, or only that it is recorded.

    Raises:
        FormError: the answer is of another form, or not about these prefixes alone.
    """
    are_recorded = isinstance(answer, list) and all(
        isinstance(each, dict) and "recorded" in each for each in answer
    )
    outcomes: Sequence[IntentOutcome | RecordedIntent] = (
        RecordedIntent.all_from_json(answer)
        if are_recorded
        else IntentOutcome.all_from_json(answer)
    )
    found, asked = [each.prefix for each in outcomes], list(map(str, prefixes))
    if sorted(found) != sorted(asked):
        other = set(found) ^ set(asked)
        raise FormError(
            f"answer: about {count(len(found), 'prefix')}, and {len(asked)} asked for"
            + (f"; {min(other)} is in one of them only" if other else "")
        )
    place = {prefix: number for number, prefix in enumerate(asked)}
    return sorted(outcomes, key=lambda each: place[each.prefix])


def prefixes_in(answer: object) -> Sequence[Prefix]:
    """Return the prefixes that an answer is about, in its order, where it was not known before what that is.

    Raises:
        FormError: the answer is of another form.
    """
    outcomes = answer.get("outcomes") if isinstance(answer, dict) else answer
    try:
        return [parse_prefix(each["prefix"]) for each in outcomes]  # type: ignore[union-attr]
    except (TypeError, KeyError, PolicyError) as error:
        raise FormError("answer: not about prefixes") from error


def ordered_from_json(answer: object, prefixes: Collection[Prefix]) -> Ordered:
    """Return what became of an order for some prefixes: here, and at the machines of the site where it was for them.

    Raises:
        FormError: the answer is of another form, or not about these prefixes alone.
    """
    if not isinstance(answer, dict):
        return Ordered(outcomes_from_json(answer, prefixes))
    site = answer.get("site")
    if site is None:
        return Ordered(outcomes_from_json(answer.get("outcomes"), prefixes))
    report = SiteReport.from_json(site)
    asked = prefixes if report.is_here else ()
    return Ordered(outcomes_from_json(answer.get("outcomes"), asked), report)
