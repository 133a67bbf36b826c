"""What etcd's gateway is asked, as JSON. Pure.

As etcd 3.4 takes it: keys and values are in base64.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

from speaker.site.base import Put

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speaker.site.base import Compare, Delete

PAGE, LARGEST_PAGE = 500, 8000
"""Keys of the first answer, and of a later one at most: for each etcd counts all the keys that are behind it."""
PAGE_WITHIN = 10.0
"""Seconds that a page may take, however long all of them may: a member that hangs is so noticed soon."""
Json = dict[str, Any]


def range_under(under: str, after: str | None = None, revision: int = 0, limit: int = PAGE) -> Json:
    """Ask for a page of the keys that begin with a text: the first, or what comes behind a key, as of a revision."""
    begin = _raw(under) if after is None else _raw(after) + b"\0"
    asked = {"key": _b64(begin), "range_end": _b64(_end(_raw(under))), "limit": limit}
    return {**asked, "revision": revision} if revision else asked


def revision_now(under: str) -> Json:
    """Ask for the revision that a majority has."""
    return {"key": _b64(_raw(under)), "count_only": True}


def transaction(compares: Sequence[Compare], then: Sequence[Put | Delete]) -> Json:
    """Ask for a transaction; where not all is so, for what the keys have that it changes."""
    return {
        "compare": [
            {"key": _b64(_raw(each.key)), "target": "MOD", "result": "EQUAL", "mod_revision": each.modified}
            for each in compares
        ],
        "success": [_change(each) for each in then],
        "failure": [{"request_range": {"key": _b64(_raw(each.key))}} for each in then],
    }  # fmt: skip


def watch_from(under: str, since: int) -> Json:
    """Ask for what happens to the keys that begin with a text. Large batches come in parts."""
    where = {"key": _b64(_raw(under)), "range_end": _b64(_end(_raw(under)))}
    return {"create_request": {**where, "start_revision": since, "fragment": True}}


def _change(each: Put | Delete) -> Json:
    key = _b64(_raw(each.key))
    if not isinstance(each, Put):
        return {"request_delete_range": {"key": key}}
    put = {"key": key, "value": _b64(each.value)}
    return {"request_put": {**put, "lease": each.lease} if each.lease else put}


def _raw(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _b64(raw: bytes) -> str:
    return b64encode(raw).decode()


def _end(under: bytes) -> bytes:
    """Return the first key behind all that begin with some octets; all keys where there are none."""
    short = under.rstrip(b"\xff")
    return short[:-1] + bytes([short[-1] + 1]) if short else b"\0"
