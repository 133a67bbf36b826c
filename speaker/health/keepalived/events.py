"""The text of keepalived's `lvs_notify_fifo`: a line for each event. No I/O."""

from __future__ import annotations

import re

MAX_LINE = 512
_EVENT = re.compile(rb"(?:VS|RS|INSTANCE|GROUP) [^\x00-\x20\x7f][^\x00-\x1f\x7f]* [A-Z_0-9]+")


class FifoLines:
    """Puts lines together again of whatever pieces they come in."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that are complete now. One that is too long to be an event's is cut."""
        *lines, rest = (self._rest + data).split(b"\n")
        if lines and self._skipping:
            del lines[0]
            self._skipping = False
        if self._skipping:
            rest = b""
        elif len(rest) > MAX_LINE:
            lines.append(rest[:MAX_LINE])
            rest, self._skipping = b"", True
        self._rest = rest
        return [line[:MAX_LINE] for line in lines]


def is_event(line: bytes) -> bool:
    """Tell whether keepalived may have written a line: `VS [192.0.2.1]:tcp:80 UP`.

    VRRP's events count, because one fifo may serve for both.
    """
    return _EVENT.fullmatch(line) is not None
