"""[metrics] and [events]: where others may see what happens here, and what makes no sense in that."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from speaker.config.settings import EventsSettings, MetricsSettings
from speaker.config.url import is_plain, split_url

if TYPE_CHECKING:
    from speaker.config.fault import Faults
    from speaker.config.schema import Document

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?")
MAX_ARGUMENTS = 64
"""How many words `events.exec` may have."""


def metrics(document: Document, faults: Faults) -> MetricsSettings:
    """Return what `[metrics]` means."""
    table = document.metrics
    for index, name in enumerate(table.hosts):
        if not _HOST.fullmatch(name):
            faults.add(
                ("metrics", "hosts", index),
                f"{name!r} is not a host name; write it without scheme and port",
            )
    if table.textfile is not None and table.textfile.suffix != ".prom":
        found = str(table.textfile)
        faults.add(
            ("metrics", "textfile"),
            f"{found!r} does not end with .prom: node_exporter reads no other",
        )
    hosts = frozenset(name.lower() for name in table.hosts)
    return MetricsSettings(table.listen, hosts, table.textfile)


def events(document: Document, faults: Faults) -> EventsSettings:
    """Return what `[events]` means."""
    table = document.events
    if table.webhook is not None and (why := _not_a_webhook(table.webhook)):
        faults.add(("events", "webhook"), why)
    if table.exec and not PurePosixPath(table.exec[0]).is_absolute():
        faults.add(("events", "exec", 0), f"{table.exec[0]!r} is not absolute")
    if any("\0" in word for word in table.exec):
        faults.add(("events", "exec"), "a word has a NUL in it; remove it")
    if len(table.exec) > MAX_ARGUMENTS:
        faults.add(("events", "exec"), f"more than {MAX_ARGUMENTS} words; put them into a script")
    return EventsSettings(table.webhook, tuple(table.exec))


def _not_a_webhook(text: str) -> str:
    """Return why a text is no URL of a webhook. It is not shown: such a URL may be a secret."""
    found = split_url(text)
    if found is None:
        return "not a URL that events can be sent to; write https://host/path"
    if not is_plain(text):
        return "a URL has printable ASCII alone; escape the rest with %"
    if found.username is not None or found.fragment:
        return "a URL with a user or a fragment is not taken; put a token into its path or query"
    return ""
