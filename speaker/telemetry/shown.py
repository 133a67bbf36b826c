"""What is shown last, so that it is made once for all who ask at the same time, and once a second at most."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from speaker.control.site_shown import SiteShown
from speaker.telemetry import exposition
from speaker.telemetry.look import Look
from speaker.telemetry.page import Page, page
from speaker.telemetry.sending import Content

if TYPE_CHECKING:
    from collections.abc import Callable

    from speaker.reconcile.reconciler import Reconciler
    from speaker.telemetry.recent import Recent

T = TypeVar("T")

FRESH = 1.0
"""For how long what was made is shown, in seconds; ..."""
PAUSE = 4.0
"""... and longer by so many times as long as it took: a fifth of a core at most, however many ask."""


class Made(Generic[T]):
    """Something that is made of a look, in a thread, when somebody wants to see it.

    Args:
        reconciler: is looked at.
        make: makes it.
        of_site: whether it shows the machines of the site, too.
    """

    def __init__(
        self, reconciler: Reconciler, make: Callable[[Look], T], *, of_site: bool = False
    ) -> None:
        self._reconciler = reconciler
        self._make, self._of_site = make, of_site
        self._again = 0.0
        self._making: asyncio.Future[T] | None = None

    async def latest(self) -> T:
        """Return it, as it was a moment ago at most. A caller who goes away ends it for nobody."""
        if self._making is None or (
            self._making.done() and (_failed(self._making) or time.monotonic() > self._again)
        ):
            self._making = asyncio.ensure_future(self._looked())
        return await asyncio.shield(self._making)

    async def _looked(self) -> T:
        look, site = Look(self._reconciler), self._reconciler.site
        if self._of_site and site is not None:
            look.machines = await SiteShown.of(self._reconciler, site)
        return await asyncio.to_thread(self._made, look)

    def _made(self, look: Look) -> T:
        began = time.monotonic()
        try:
            return self._make(look)
        finally:
            now = time.monotonic()
            self._again = now + FRESH + PAUSE * (now - began)


def _failed(made: asyncio.Future[T]) -> bool:
    return made.cancelled() or made.exception() is not None


class Shown:
    """All that is shown of one watchdog."""

    def __init__(self, reconciler: Reconciler, recent: Recent) -> None:
        self._recent = recent
        self._metrics = Made(reconciler, _metrics)
        self._pages = Made(reconciler, self._page, of_site=True)
        self._last: tuple[Look, int, tuple[Page, Content]] | None = None

    async def metrics(self) -> Content:
        """Return the metrics."""
        return await self._metrics.latest()

    async def page(self) -> Page:
        """Return the status page: the same one while nothing changes."""
        return (await self._pages.latest())[0]

    async def document(self) -> Content:
        """Return that page as it is sent, made once for all who ask."""
        return (await self._pages.latest())[1]

    def _page(self, look: Look) -> tuple[Page, Content]:
        """Make the page, where the last one is not the same. One thread at a time."""
        count = self._recent.count
        if self._last is not None:
            before, counted, last = self._last
            # Of a time that is to come it is where the clock was set back.
            is_fresh = 0.0 <= look.wall - before.wall < look.keeps
            if count == counted and look.is_as(before) and is_fresh:
                return last
        number = 1 + (self._last[2][0].number if self._last else 0)
        made = page(look, self._recent.all, number)
        self._last = look, count, (made, Content("text/html; charset=utf-8", made.html()))
        return self._last[2]


def _metrics(look: Look) -> Content:
    return Content(exposition.CONTENT_TYPE, exposition.text(look))
