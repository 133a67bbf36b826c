"""Which orders of a site stand for a prefix, which of them a machine obeys, and by which rule. Sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.intent import Mode, timestamp
from policy.site_intent import Width, holding
from policy.wording import span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy.site_intent import Extent, SiteIntent

MOST = 10
"""How many orders are told of."""
_BESIDE = "stands beside it"
_WIDE = {Width.DC: "for {} (--at {})", Width.SITE: "for all (--everywhere)"}


def orders(
    known: Sequence[SiteIntent], here: Extent, now: float, *, unread: bool = False
) -> Iterator[str]:
    """Yield a sentence for each order that stands, that which holds first.

    Args:
        known: what is asked of one prefix, for whomever, as far as it is known here.
        here: this machine.
        now: seconds since the epoch.
        unread: whether this machine never read what etcd has.
    """
    held = holding(known, here, now)
    if held is not None:
        rivals = [each for each in known if _is_rival(each, held, known, here, now)]
        yield f"{_words(held, here, now)}: holds, {_rule(held, rivals)}"
    others = [each for each in known if held is None or each.id != held.id]
    others.sort(key=lambda each: (not each.extent.covers(here), -each.intent.since))
    for each in others[:MOST]:
        yield f"{_words(each, here, now)}: {_why_not(each, held, known, here, now)}"
    if (more := len(others) - MOST) > 0:
        yield f"and {more} more"
    if unread:
        yield f"what {'else ' if known else ''}is ordered is unknown: this machine never read it from etcd"
    elif not known:
        yield "no order is known, for this machine or for others"


def _words(each: SiteIntent, here: Extent, now: float) -> str:
    intent = each.intent
    what = "restored" if intent.mode is Mode.AUTO else str(intent.mode)
    text = (
        f"{what} {_whom_and_by_whom(each, here)}, {span(now - intent.since)} ago "
        f"({timestamp(intent.since)})"
    )
    return f"{text}, {intent.reason}" if intent.reason else text


def _whom_and_by_whom(each: SiteIntent, here: Extent) -> str:
    """Return for whom an order is, and by whom; with the option that asks for that, or where it was ordered of another machine."""
    extent, owner = each.extent, each.intent.owner
    if extent.width is not Width.MACHINE:
        return f"{_WIDE[extent.width].format(extent.dc, extent.dc)} by {owner}"
    whom = "this machine" if extent == here else str(extent)
    if not each.own and each.where in ("", str(extent)):
        return f"for {whom} (--here) by {owner}"
    return f"for {whom} by {owner}{f' on {each.where}' if each.where else ''}"


def _rule(held: SiteIntent, rivals: Sequence[SiteIntent]) -> str:
    """Return the rule by which one holds among others that it does not overrule."""
    if not rivals:
        return "as nothing stands beside it"
    intent = held.intent
    if not intent.restores and any(each.intent.restores for each in rivals):
        return "as a drain stands above a restore that did not know of it, or is wider"
    if intent.mode is Mode.DRAINED and any(e.intent.mode is Mode.DRAINING for e in rivals):
        return "as a drain that withdraws stands above one that drains softly"
    if intent.mode is Mode.FORCED and any(each.intent.mode is not Mode.FORCED for each in rivals):
        return "as what is forced stands above what is not"
    rivals = [each for each in rivals if each.own is held.own]
    if not rivals:
        return "as an operator's word stands above the same of a roll"
    if any(each.extent.width > held.extent.width for each in rivals):
        return "as the narrower one stands above the wider"
    return "as the newest"


def _is_rival(
    each: SiteIntent, held: SiteIntent, known: Sequence[SiteIntent], here: Extent, now: float
) -> bool:
    """Tell whether one stands beside the one that holds: it is for this machine, has not ended, and is not overruled."""
    return _why_not(each, held, known, here, now) == _BESIDE


def _why_not(
    each: SiteIntent,
    held: SiteIntent | None,
    known: Sequence[SiteIntent],
    here: Extent,
    now: float,
) -> str:
    if not each.extent.covers(here):
        return "not for this machine"
    if not each.intent.in_force(now):
        return "over"
    over = (
        o for o in known if each.id in o.seen and o.extent.covers(here) and o.intent.in_force(now)
    )
    if any(over):
        return "overruled by one that knew of it"
    return _BESIDE if held is None or each.id != held.id else ""
