"""vip_mgmt status --watch: the state on a terminal, refreshed in place, with what changed marked and told."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from policy.intent import timestamp
from policy.wording import count
from speaker.cli.messages import tell_operator
from speaker.cli.status_rows import changes
from speaker.cli.status_screen import text
from speaker.errors import SpeakerError
from speaker.exit_status import ExitStatus
from speaker.terminal import has_colours, height, show, width

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from speaker.api import Operations, Status
    from speaker.cli.arguments import Call
    from speaker.cli.connections import ConnectionsSeen

EVERY = 1.0
"""How often to ask, in seconds."""
MARKED = 15.0
"""For how long what changed is marked, in seconds."""
TOLD = 5
"""How many changes are told."""
_BEGIN, _END = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
"""The terminal's other screen, without a cursor; and back."""
_HOME, _REST, _BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


class WatchedStatus:
    """What was seen of a state, and what of it changed.

    Args:
        steady: a clock, in seconds.
    """

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._status: Status | None = None
        self._changed: dict[str, float] = {}
        self.told: deque[str] = deque(maxlen=TOLD)

    def take(self, status: Status, wall: float) -> None:
        """Take what is so now, at a time in seconds since the epoch."""
        now = self._steady()
        if self._status is not None:
            vips = {route.prefix: route.vip for route in (*self._status.routes, *status.routes)}
            for prefix, what in changes(self._status, status).items():
                self._changed[prefix] = now
                self.told.append(f"{timestamp(wall)} {vips[prefix]} {prefix}: {what}")
        self._status = status

    @property
    def changed(self) -> Collection[str]:
        """The prefixes that are to be marked."""
        now = self._steady()
        self._changed = {p: when for p, when in self._changed.items() if now - when < MARKED}
        return self._changed.keys()


def watch(
    call: Call,
    operations: Operations,
    prefixes: Collection[str],
    wait: Callable[[float], None] = time.sleep,
    connections: ConnectionsSeen | None = None,
) -> ExitStatus:
    """Show the state of some prefixes, or of all, until interrupted.

    Args:
        call: what was asked for.
        operations: who is asked.
        prefixes: of which; none for all.
        wait: lets some seconds pass.
        connections: counts those of each prefix; None for no columns of them.

    Raises:
        SpeakerError: there is no answer to the first question.
    """
    if width() is None:
        tell_operator("status --watch: stdout is not a terminal; use history --follow, or status")
        return ExitStatus.USAGE
    seen = WatchedStatus()
    status = _asked(operations, prefixes)
    show(_BEGIN)
    trouble = ""
    try:
        while True:
            wall = time.time()
            if not trouble:
                seen.take(status, wall)
            if connections is not None:
                connections.look()
            show(_frame(status, seen, call, wall, trouble, connections))
            wait(EVERY)
            try:
                status, trouble = _asked(operations, prefixes), ""
            except SpeakerError as error:
                trouble = str(error)
    except KeyboardInterrupt:
        return ExitStatus.DONE
    finally:
        show(_END)


def _asked(operations: Operations, prefixes: Collection[str]) -> Status:
    status = operations.status()
    if not prefixes:
        return status
    return replace(status, routes=tuple(r for r in status.routes if r.prefix in prefixes))


def _frame(
    status: Status,
    seen: WatchedStatus,
    call: Call,
    wall: float,
    trouble: str,
    connections: ConnectionsSeen | None = None,
) -> str:
    """Return what is to be written over the last frame, cut to the terminal's height."""
    columns, unfold = width() or 80, call.unfold or bool(call.words)
    if trouble:
        status = replace(
            status, trouble=(f"shown is what was last known: {trouble}", *status.trouble)
        )
    more = ["", *seen.told] if seen.told else []
    if connections is not None and connections.unknown:
        more += ["", f"connections: not known: {connections.unknown}"]
    counted = connections.shown if connections is not None and connections.shown else None
    more += ["", f"{timestamp(wall)}  Ctrl-C ends"]
    whole = text(
        status, columns, seen.changed, counted, unfold=unfold, colour=has_colours(), more=more
    ).split("\n")
    most = height() - 1
    if len(whole) > most:
        kept = whole[: max(most - len(more) - 1, 1)]
        left = len(whole) - len(more) - len(kept)
        whole = [
            *kept,
            f"… and {count(left, 'more line')}: make the terminal higher, or name a VIP",
            *whole[-len(more) :],
        ]
    return _HOME + "\n".join(line + _REST for line in whole[:most]) + _BELOW
