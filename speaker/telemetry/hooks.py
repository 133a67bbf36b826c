"""Sends each event to a webhook and to a program, in order: queued, bounded, tried again, never in a cycle's way.

An event that comes while too many wait, or that is refused for good, or was tried for too long, is lost: that is
counted, and said once.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import ExitStack
from typing import TYPE_CHECKING, NoReturn, Protocol

from policy.errors import PolicyError
from policy.route import parse_prefix
from speaker.telemetry.program import Program
from speaker.telemetry.sink import RefusedEventError, SinkError
from speaker.telemetry.webhook import Webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from speaker.config.settings import EventsSettings
    from speaker.reconcile.meter import SentEvents
    from speaker.reconcile.notices import Notice
    from speaker.reconcile.reconciler import Reconciler

WAITING = 20_000
"""How many events may wait for each: twice one for each of 10,000 prefixes."""
TRIES = 10
FIRST_PAUSE, LAST_PAUSE = 1.0, 60.0
"""How long to wait before an event is tried again, in seconds: at first, and at last."""
CHECK = 1.0
"""How often to see whether vip.toml names others, in seconds."""
SUBJECT = "hooks"


class Sink(Protocol):
    """Where events go."""

    async def send(self, event: bytes) -> None:
        """Send one, as JSON, in a bounded time.

        Raises:
            RefusedEventError: it will never be taken.
            SinkError: it was not taken.
        """


class Outbox:
    """The events that wait for one sink.

    Args:
        name: of the sink.
        counts: what became of events.
        note: takes what is wrong, in words; nothing where all is well.
    """

    def __init__(self, name: str, counts: SentEvents, note: Callable[[str, str], object]) -> None:
        self._name = name
        self._counts = counts
        self._note = note
        self._waiting: deque[bytes] = deque()
        self._came = asyncio.Event()

    def put(self, event: bytes) -> None:
        """Have an event sent, where there is room."""
        if len(self._waiting) >= WAITING:
            self._lose(f"{WAITING} wait already")
            return
        self._waiting.append(event)
        self._counts.waiting = len(self._waiting)
        self._came.set()

    async def send_to(self, sink: Sink, first_pause: float = FIRST_PAUSE) -> NoReturn:
        """Send what waits, and what comes, for ever. What is under way when this ends is sent again."""
        while True:
            if not self._waiting:
                self._came.clear()
                await self._came.wait()
            await self._send(sink, self._waiting[0], first_pause)
            self._waiting.popleft()
            self._counts.waiting = len(self._waiting)

    async def _send(self, sink: Sink, event: bytes, pause: float) -> None:
        for again in range(1, TRIES + 1):
            try:
                await sink.send(event)
            except RefusedEventError as error:
                self._lose(str(error))
                return
            except SinkError as error:
                if again == TRIES:
                    self._lose(str(error))
                    return
                self._note(self._name, f"{error}; tried again, {len(self._waiting)} events wait")
            else:
                self._counts.sent += 1
                self._note(self._name, "")
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, LAST_PAUSE)

    def _lose(self, why: str) -> None:
        self._counts.lost += 1
        self._note(self._name, f"events are lost: {why}; see vip_events_lost_total")


async def run(reconciler: Reconciler, early: Iterable[Notice] = ()) -> NoReturn:
    """Send what happens, for ever, to those whom vip.toml names; first what happened before this began, and is wanted."""
    troubles: dict[str, str] = {}

    def note(name: str, text: str) -> None:
        troubles[name] = text
        said = " | ".join(f"{name}: {text}" for name, text in troubles.items() if text)
        reconciler.alarms.note(SUBJECT, said, wording_moves=True)

    outboxes = {name: Outbox(name, counts, note) for name, counts in reconciler.meter.sent.items()}

    def happened(notice: Notice) -> None:
        if notice.subject == SUBJECT:
            return  # that events are not taken is no event: it would be one more
        if names := [*_named(reconciler.config.settings.events)]:
            event = json.dumps(_told(reconciler, notice)).encode()
            for name in names:
                outboxes[name].put(event)

    with ExitStack() as stack:
        for listeners in (reconciler.durable.listeners, reconciler.alarms.listeners):
            stack.callback(listeners.add(happened))
        for notice in early:
            happened(notice)
        while True:
            await _while_named(reconciler, reconciler.config.settings.events, outboxes)
            troubles.clear()
            reconciler.alarms.note(SUBJECT, "")


async def _while_named(
    reconciler: Reconciler, settings: EventsSettings, outboxes: dict[str, Outbox]
) -> None:
    """Send until vip.toml names others."""
    tasks = [
        asyncio.create_task(outboxes[name].send_to(sink), name=f"events to {name}")
        for name, sink in _sinks(settings)
    ]
    try:
        while reconciler.config.settings.events == settings:
            done, _ = await asyncio.wait(tasks, timeout=CHECK) if tasks else (set(), None)
            for task in done:
                task.result()  # it never returns: this raises what ended it
            if not tasks:
                await asyncio.sleep(CHECK)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _named(settings: EventsSettings) -> Iterator[str]:
    if settings.webhook is not None:
        yield "webhook"
    if settings.exec:
        yield "exec"


def _sinks(settings: EventsSettings) -> Iterator[tuple[str, Sink]]:
    if settings.webhook is not None:
        yield "webhook", Webhook(settings.webhook)
    if settings.exec:
        yield "exec", Program(settings.exec)


def _told(reconciler: Reconciler, notice: Notice) -> dict[str, object]:
    """Return an event as it is sent."""
    try:
        assignment = reconciler.assignments.get(parse_prefix(notice.prefix))
    except PolicyError:  # an alarm has none
        assignment = None
    return {
        "dc": reconciler.config.settings.dc.name,
        **notice.to_json(),
        "vip": assignment.vip.name if assignment else "",
    }
