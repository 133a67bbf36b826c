"""Requests that were refused, in history and the log: who tried what they may not. Few lines, however many requests.

What comes between two lines is one line: how often each reason was given, and whence the last came. The first is told at once, the next a minute
later, and while it goes on each is twice as long after the one before, up to an hour; after an hour without, it begins from the start.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from aiohttp import web

from policy.wording import count
from speaker.api import HistoryEntry
from speaker.control.other_end import other_end
from speaker.printable import printable
from speaker.reconcile.loop import BRIEFLY
from speaker.state.remembered import News
from speaker.state.store import StoreError

if TYPE_CHECKING:
    from speaker.clock import Clock
    from speaker.state.store import Store

log = logging.getLogger(__name__)

FIRST, LONGEST = 60.0, 3600.0
"""How long after a line the next one may come, in seconds: at first, and at most."""
KINDS = 5
"""How many reasons a line tells apart."""
LENGTH = 200
"""How many letters of a reason it has: there are names and paths in it that the caller gave."""
_REFUSED = (web.HTTPUnauthorized, web.HTTPForbidden, web.HTTPTooManyRequests)
_OTHERS = "for other reasons"


class _Refused(NamedTuple):
    times: int
    whence: str


class Refusals:
    """Those of all places of the API.

    Args:
        store: the state file.
        clock: the time.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._found: dict[str, _Refused] = {}
        self._told_at = clock.steady() - 2 * LONGEST
        self._pause = 0.0

    @web.middleware
    async def noted(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Note that a request is refused."""
        try:
            response: web.StreamResponse = await handler(request)
        except _REFUSED as error:
            why, _, _ = (error.text or "").partition("; ")
            self.note(printable(why[:LENGTH]), _whence(request))
            raise
        return response

    def note(self, why: str, whence: str) -> None:
        """Note that a request was refused.

        Args:
            why: in words.
            whence: who asked, as far as that is known.
        """
        if why not in self._found and len(self._found) >= KINDS:
            why = _OTHERS
        times = self._found[why].times if why in self._found else 0
        self._found[why] = _Refused(times + 1, whence)

    async def tell(self, *, at_end: bool = False) -> None:
        """Write what was noted, where it is time for that. What can't be written now is tried again.

        Args:
            at_end: whether there is no later.
        """
        now = self._clock.steady()
        if not self._found or (now < self._told_at + self._pause and not at_end):
            return
        found, self._found = self._found, {}
        text = _line(found)
        entry = HistoryEntry(self._clock.wall(), "api", "refused", text)
        try:
            await asyncio.to_thread(self._store.record, News(history=[entry]), wait=BRIEFLY)
        except (StoreError, BlockingIOError):  # the latter: no thread to do it in
            self._found = _together(found, self._found)
            return
        log.warning("api: refused: %s", text)
        is_quiet = now >= self._told_at + self._pause + LONGEST
        self._pause = FIRST if is_quiet else min(2 * self._pause, LONGEST)
        self._told_at = now


def _together(before: dict[str, _Refused], later: dict[str, _Refused]) -> dict[str, _Refused]:
    """Return what was noted before and meanwhile."""
    found = dict(before)
    for why, each in later.items():
        key = why if why in found or len(found) < KINDS else _OTHERS
        times = found[key].times if key in found else 0
        found[key] = _Refused(times + each.times, each.whence)
    return found


def _line(found: dict[str, _Refused]) -> str:
    return "; ".join(
        f"{count(each.times, 'request')}, the last from {each.whence}: {why.removeprefix('api: ')}"
        for why, each in found.items()
    )


def _whence(request: web.Request) -> str:
    """Return the address that a request came from, or the user on a unix socket."""
    if request.remote:
        return request.remote
    return (
        "a caller who is gone"
        if request.transport is None
        else f"uid {other_end(request.transport).uid}"
    )
