"""The rows of the state file that have what was asked of the whole site, and which of it this machine obeys."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from policy.errors import PolicyError
from policy.intent import MAX_TEXT
from policy.route import parse_prefix
from policy.site_intent import Extent, SiteIntent
from speaker.state.fetched import fetched
from speaker.state.rows import why
from speaker.state.site_text import parse_site_text, site_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from policy.intent import Intent
    from policy.route import Prefix
    from speaker.state.rows import Row

MAX_ROWS = 200_000
"""How many rows are kept: 20,000 prefixes asked for in each of nine data centres, and everywhere."""
_SOME = "WHERE prefix IN (SELECT value FROM json_each(?1))"
_ROWS = "SELECT prefix, dc, machine, intents, dirty, shared FROM site_intent"
_PUT = "INSERT OR REPLACE INTO site_intent VALUES (?, ?, ?, ?, ?, ?, ?)"
_OBEYED = "SELECT prefix, id, owner, since, until FROM site_obeyed"
_PUT_OBEYED = "INSERT OR REPLACE INTO site_obeyed VALUES (?, ?, ?, ?, ?)"
_NO_SENSE = (ValueError, TypeError, AttributeError)


def new_id() -> str:
    """Return an id that nothing else has."""
    return uuid4().hex


class SiteMoment(NamedTuple):
    """Who looks, when (seconds since the epoch), and what gives a new intent its id."""

    here: Extent
    now: float
    new_id: Callable[[], str] = new_id


class SiteRow(NamedTuple):
    """What stands for one extent. `dirty`: etcd is not known to have all of it. `shared`: etcd had some."""

    standing: tuple[SiteIntent, ...]
    dirty: bool
    shared: bool


class Obeyed(NamedTuple):
    """Which intent was carried over into table `intent`, and what it is told from others by there; no id: that none holds."""

    id: str
    owner: str
    since: float
    until: float | None

    @classmethod
    def of(cls, id: str, intent: Intent) -> Obeyed:  # noqa: A002 - what it is
        """Return what is remembered of an intent as it was recorded."""
        return cls(id, intent.owner, intent.since, intent.until)

    def is_it(self, intent: Intent) -> bool:
        """Tell whether an intent is this one, or a later stage of it."""
        return (intent.owner, intent.since, intent.until) == self[1:]


@dataclass(slots=True)
class SiteCopy:
    """What is known of some prefixes, by extent; what can't be read, in words; and what else is wrong."""

    of: dict[Prefix, dict[Extent, SiteRow]] = field(default_factory=lambda: defaultdict(dict))
    damaged: dict[Prefix, dict[Extent, str]] = field(default_factory=lambda: defaultdict(dict))
    others: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """All that is wrong, in words."""
        return self.others + [
            f"what was asked of {prefix} ({extent}) is ignored, because it {why}: it is read from etcd "
            "again, or ask for it again"
            for prefix, damaged in self.damaged.items()
            for extent, why in damaged.items()
        ]

    def known(self, prefix: Prefix) -> list[SiteIntent]:
        """Return all that stands for a prefix, of any extent."""
        return [each for kept in self.of.get(prefix, {}).values() for each in kept.standing]

    def rows(self) -> Iterator[tuple[Extent, Prefix, SiteRow]]:
        """Give all rows."""
        for prefix, extents in self.of.items():
            for extent, kept in extents.items():
                yield extent, prefix, kept


def read_copy(
    db: sqlite3.Connection, prefixes: Iterable[Prefix] | None = None, where: str = ""
) -> SiteCopy:
    """Read what is known of some prefixes, or of all.

    Args:
        db: the file, in a transaction.
        prefixes: which; None for all.
        where: what rows must be, where all are meant.
    """
    if prefixes is None:
        found = fetched(db, f"{_ROWS} {where}")
    else:
        found = fetched(db, f"{_ROWS} {_SOME}", [_names(prefixes)])
    copy = SiteCopy()
    for row in found:
        _read(copy, row)
    return copy


def _read(copy: SiteCopy, row: Row) -> None:
    name, dc, machine, text, dirty, shared = row
    try:
        prefix = parse_prefix(name)
        if (machine and not dc) or not f"{dc}{machine}".isprintable():
            raise PolicyError("no extent")
        extent = Extent(dc, machine)
    except _NO_SENSE as error:
        copy.others.append(
            f"a row of table site_intent is ignored: {ascii(name)[:MAX_TEXT]}: {why(error)}; remove it"
        )
        return
    try:
        copy.of[prefix][extent] = SiteRow(parse_site_text(text, extent), bool(dirty), bool(shared))
    except _NO_SENSE as error:
        copy.damaged[prefix][extent] = why(error)


def put_rows(db: sqlite3.Connection, rows: Iterable[tuple[Extent, Prefix, SiteRow]]) -> None:
    """Record rows in place of those that there are."""
    db.executemany(_PUT, (_row(*row) for row in rows))


def _row(extent: Extent, prefix: Prefix, kept: SiteRow) -> Row:
    ends = min((e.intent.until for e in kept.standing if e.intent.until is not None), default=None)
    key = str(prefix), extent.dc, extent.machine
    return (*key, site_text(kept.standing), ends, int(kept.dirty), int(kept.shared))


def read_unread(db: sqlite3.Connection) -> frozenset[tuple[Prefix, Extent]] | None:
    """Return what was asked here, of which prefix and for whom, where all that etcd has was never read; None where it was."""
    if fetched(db, "SELECT 1 FROM site_read LIMIT 1"):
        return None
    copy = SiteCopy()
    for row in fetched(db, _ROWS):
        _read(copy, row)
    return frozenset((prefix, extent) for extent, prefix, _ in copy.rows())


def note_read(db: sqlite3.Connection, now: float) -> None:
    """Note that all that etcd has was read. The first time counts."""
    db.execute("INSERT OR IGNORE INTO site_read VALUES (1, ?)", [now])


def clean_rows(
    db: sqlite3.Connection, rows: Mapping[tuple[Extent, Prefix], Collection[SiteIntent]]
) -> None:
    """Note that etcd has rows, as far as they are still the same."""
    db.executemany(
        "UPDATE site_intent SET dirty = 0, shared = 1 "
        "WHERE prefix = ? AND dc = ? AND machine = ? AND intents = ?",
        [(str(p), e.dc, e.machine, site_text(some)) for (e, p), some in rows.items()],
    )


def count_rows(db: sqlite3.Connection) -> int:
    """Return how many rows there are."""
    (count,) = db.execute("SELECT count(*) FROM site_intent").fetchone()
    return int(count)


def read_obeyed(db: sqlite3.Connection, prefixes: Iterable[Prefix]) -> dict[Prefix, Obeyed]:
    """Return what of the site's intents is in table `intent`. What can't be read is none."""
    found: dict[Prefix, Obeyed] = {}
    for name, *columns in fetched(db, f"{_OBEYED} {_SOME}", [_names(prefixes)]):
        try:
            found[parse_prefix(name)] = Obeyed(*columns)
        except _NO_SENSE:  # nothing is lost by it: what is in force is taken for this machine's own
            continue
    return found


def owned(
    db: sqlite3.Connection, intents: Mapping[Prefix, Intent], prefixes: Collection[Prefix]
) -> frozenset[Prefix]:
    """Return of which of some prefixes the intent is no operator's word: an order marked `own` was carried over.

    Args:
        db: the file, in a transaction.
        intents: those of table `intent`.
        prefixes: which are looked at.
    """
    obeyed = {p: o for p, o in read_obeyed(db, prefixes).items() if p in intents}
    copy = read_copy(db, obeyed) if obeyed else SiteCopy()
    return frozenset(
        prefix
        for prefix, last in obeyed.items()
        if last.is_it(intents[prefix])
        and any(each.own and each.id == last.id for each in copy.known(prefix))
    )


def put_obeyed(db: sqlite3.Connection, obeyed: Mapping[Prefix, Obeyed]) -> None:
    """Record what of the site's intents was carried over."""
    db.executemany(_PUT_OBEYED, [(str(prefix), *each) for prefix, each in obeyed.items()])


def _names(prefixes: Iterable[Prefix]) -> str:
    return json.dumps([str(prefix) for prefix in prefixes])  # SQLite takes few parameters
