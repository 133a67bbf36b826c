"""The text of what stands of the site's intents for one prefix and extent: in the state file, and in etcd."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from policy.errors import PolicyError
from policy.intent import MAX_TEXT, Intent, Mode, is_time
from policy.site_intent import MAX_SEEN, SiteIntent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy.site_intent import Extent

VERSION = 1
MAX_INTENTS = 64
"""How many are read of one text. Fewer stand: see `policy.site_intent.MAX_STANDING`."""
_MAX_ID = 64
_NO_SENSE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)


def site_text(standing: Iterable[SiteIntent]) -> str:
    """Return the text that `parse_site_text` reads: the same for the same intents, in whatever order."""
    intents = [_fields(each) for each in sorted(standing, key=lambda each: each.id)]
    return json.dumps({"v": VERSION, "intents": intents}, separators=(",", ":"))


def parse_site_text(text: str | bytes, extent: Extent) -> tuple[SiteIntent, ...]:
    """Return the intents of a text.

    Args:
        text: JSON.
        extent: for whom they are.

    Raises:
        PolicyError: it makes no sense, or is of a newer program.
    """
    try:
        return _parsed(json.loads(text), extent)
    except PolicyError:
        raise
    except _NO_SENSE as error:
        raise PolicyError("can't be read: it is not JSON of this form") from error


def _parsed(found: Any, extent: Extent) -> tuple[SiteIntent, ...]:
    if found["v"] != VERSION:
        raise PolicyError(f"has version {found['v']!r}, {VERSION} is known; update this machine")
    if not isinstance(found["intents"], list) or len(found["intents"]) > MAX_INTENTS:
        raise PolicyError(f"is no list of at most {MAX_INTENTS} intents")
    return tuple(_site_intent(each, extent) for each in found["intents"])


def _fields(each: SiteIntent) -> dict[str, Any]:
    intent = each.intent
    return {
        "id": each.id,
        "mode": intent.mode,
        "owner": intent.owner,
        "where": each.where,
        "since": intent.since,
        "reason": intent.reason,
        "until": intent.until,
        "forced": intent.forced,
        "insisted": intent.insisted,
        "seen": list(each.seen),
    } | ({"own": True} if each.own else {})


def _site_intent(found: Any, extent: Extent) -> SiteIntent:
    texts = [found[name] for name in ("id", "owner", "where", "reason")]
    seen = found["seen"]
    if not all(isinstance(text, str) for text in [*texts, *seen]) or not isinstance(seen, list):
        raise PolicyError("id, owner, where, reason and seen: not texts")
    id, owner, where, reason = texts  # noqa: A001 - what it is
    if len(seen) > MAX_SEEN or not all(_is_id(one) for one in [id, *seen]) or id in seen:
        raise PolicyError(f"id {ascii(id)[:MAX_TEXT]}, or what it has seen: no ids")
    if len(where) > MAX_TEXT or not where.isprintable():
        raise PolicyError(f"where: {ascii(where)[:MAX_TEXT]}: not a machine")
    since, until = _time(found["since"]), found["until"]
    until = None if until is None else _time(until)
    flags = found["forced"] is True, found["insisted"] is True
    intent = Intent(Mode(found["mode"]), owner, since, reason, until, *flags)
    return SiteIntent(id, extent, intent, tuple(seen), where, found.get("own") is True)


def _is_id(text: str) -> bool:
    return 0 < len(text) <= _MAX_ID and text.isascii() and text.isprintable()


def _time(found: object) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float) or not is_time(found):
        raise PolicyError(f"time: {found!r}: not a valid time"[:MAX_TEXT])
    return float(found)
