"""The text of `vip_mgmt explain NAME`: sentences, wrapped to a terminal's width, one paragraph for each prefix."""

from __future__ import annotations

import json
import textwrap
from itertools import groupby
from typing import TYPE_CHECKING

from policy.intent import timestamp
from policy.wording import count
from speaker.cli.tables import history_text
from speaker.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from speaker.api import Explanation, PrefixStatus

_STATES = {True: "announced", False: "not announced", None: "not known whether announced"}
_WANTED = {True: "announce", False: "withdraw", None: "nothing yet"}
_INDENT, _LABEL = 2, 12


def explanation_json(answer: Sequence[Explanation]) -> str:
    """Return `vip_mgmt explain --json`."""
    return json.dumps([each.to_json() for each in answer], indent=2)


def explanation(answer: Iterable[Explanation], width: int | None = None) -> str:
    """Return `vip_mgmt explain NAME`.

    Args:
        answer: what the watchdog says of each prefix.
        width: of the terminal; None leaves each sentence on one line.
    """
    return "\n\n".join("\n".join(_explain(each, width)) for each in answer)


def _explain(route: Explanation, width: int | None) -> Iterator[str]:
    ups = [sent for name, sent in route.peers.items() if name in route.up]
    to = f" to {ups.count(True)} of {count(len(ups), 'session')}" if route.announced and ups else ""
    as_wanted = "as decided" if route.as_wanted else "NOT AS DECIDED"
    head = f"{route.vip} {route.prefix}: {_STATES[route.announced]}{to}, {as_wanted}"
    if not route.as_wanted and route.lack:
        head += f": {route.lack}"
    yield from _wrapped(head, "", width)
    for label, texts in groupby(_told(route), key=lambda each: each[0]):
        for index, (_, text) in enumerate(texts):
            start = f"{' ' * _INDENT}{label if index == 0 else '':{_LABEL}}"
            yield from _wrapped(text, start, width)


def _told(route: Explanation) -> Iterator[tuple[str, str]]:
    """Yield what there is to say, each with its label."""
    for each in route.sentences:
        yield printable(each.about)[: _LABEL - 2], each.text
    if not route.sentences:  # a watchdog that was started before it had any
        yield from _without_sentences(route)
    for name, what in route.gets.items():
        yield "peers", f"{name} is to get {what or 'nothing'}"
    if route.planned:
        yield "planned", route.planned
    for text in route.trouble:
        yield "TROUBLE", text
    for entry in route.history:
        yield "history", f"{timestamp(entry.time)} {history_text(entry)}"


def _without_sentences(route: Explanation) -> Iterator[tuple[str, str]]:
    by = f", by {route.decided_by}" if route.decided_by else ""
    yield "decision", f"{_WANTED[route.wanted]}{by}: {route.full_reason}"
    yield "operator", route.operator
    yield "health", _health(route)
    yield (
        "preference",
        f"rank {'none' if route.rank is None else route.rank} of {', '.join(route.prefer)}",
    )
    yield "profile", route.profile


def _health(route: PrefixStatus) -> str:
    if route.realservers is None:
        return "unknown" if route.health == "unknown" else "not checked"
    return f"{route.health}, live realservers: {route.realservers}"


def _wrapped(text: str, start: str, width: int | None) -> list[str]:
    text = printable(text)
    if width is None:
        return [start + text]
    more = " " * (len(start) or _INDENT)
    return textwrap.wrap(
        text, width, initial_indent=start, subsequent_indent=more, break_on_hyphens=False
    ) or [start.rstrip()]
