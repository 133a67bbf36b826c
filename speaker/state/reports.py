"""What applications reported, in the state file: it outlives every process, until it expires.

A report that drains begins a drain of each prefix once, for as long as it goes on to drain: which those were is remembered with it. Who ended
one meanwhile, an operator or the watchdog as nobody took over, has the last word, whatever renewals come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from policy.intent import Intent, Mode, timestamp
from policy.report import AppReport, ReportState
from speaker.api import HistoryEntry
from speaker.state.fetched import fetched
from speaker.state.rows import INTENTS, IntentReader, parsed
from speaker.state.site_rows import owned
from speaker.state.writing import put_intents
from speaker.units import duration_text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Mapping, Sequence

    from policy.route import Prefix
    from speaker.state.rows import Intents, Row

_COLUMNS = "name, state, by, at, ttl, reason, weight, ended"
_REPORTS = f"SELECT {_COLUMNS} FROM report"  # noqa: S608 - names of columns
_REPORT = f"{_REPORTS} WHERE name = ?"
_PUT = (
    f"INSERT INTO report ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, NULL) "  # noqa: S608 - as above
    "ON CONFLICT (name) DO UPDATE SET state = excluded.state, by = excluded.by, at = excluded.at, "
    "ttl = excluded.ttl, reason = excluded.reason, weight = excluded.weight, ended = NULL"
)
_PUT_BEGUN = "UPDATE report SET begun = ?2 WHERE name = ?1 AND begun != ?2"
_FORGET = (
    "DELETE FROM history WHERE prefix = ? AND id <= "
    "(SELECT id FROM history WHERE prefix = ? ORDER BY id DESC LIMIT 1 OFFSET ?)"
)
_OF_DRAINS = "prefix = ?1 AND substr(reason, 1, length(event) + length(?2)) = event || ?2"
_FORGET_DRAINS = (
    f"DELETE FROM history WHERE {_OF_DRAINS} AND id <= "  # noqa: S608 - a condition of ours
    f"(SELECT id FROM history WHERE {_OF_DRAINS} ORDER BY id DESC LIMIT 1 OFFSET ?3)"
)
_BEGUN = "SELECT 1 FROM intent WHERE substr(owner, 1, ?) = ? LIMIT 1"
LINES, OF_ALL = 1000, 50_000
"""How many lines of history one report has, and all of them together, at most: who may report can't have those of others forgotten."""

DRAIN_LINES, DRAINS_OF_ALL = 20, 25_000
"""How many lines each prefix has of drains that one report began and ended, at most; and all prefixes by all reports, unless that is less than one each."""


class Given(NamedTuple):
    """A report, and the prefixes that are drained softly while it drains: none where it may not. `held`: which of them are not, and why, in words."""

    report: AppReport
    drains: Collection[Prefix] = ()
    held: str = ""


def drainer(name: str, report: AppReport) -> str:
    """Return whose intent it is that a report drains by."""
    return f"report/{name} ({report.by[:100]})"


def read_reports(db: sqlite3.Connection, faults: list[str]) -> Mapping[str, AppReport]:
    """Return the last report of each name; what makes no sense is added to the faults."""
    return dict(parsed("report", fetched(db, _REPORTS), _report, faults))


def _last(db: sqlite3.Connection, name: str) -> AppReport | None:
    """Return the last report of a name alone: there may be thousands of others, each with its own."""
    return dict(parsed("report", fetched(db, _REPORT, [name]), _report, [])).get(name)


def _report(row: Row) -> tuple[str, AppReport]:
    """Parse the columns."""
    name, state, *more = row
    return name, AppReport(ReportState(state), *more)


def put_report(
    db: sqlite3.Connection, reader: IntentReader, name: str, given: Given
) -> Sequence[HistoryEntry]:
    """Record a report, and the soft drain that it begins, holds or ends. Return the lines of history.

    One that says the same as the last, whatever its weight, has none: it may come each second. An operator's word, and that of another
    report, stays as it is.
    """
    report = given.report
    before = _last(db, name)
    db.execute(
        _PUT, [name, report.state, report.by, report.at, report.ttl, report.reason, report.weight]
    )
    held = None if before is None or before.left(report.at) == 0 else before
    lines: list[HistoryEntry] = []
    if before is not None and held is None and before.ended is None:  # nothing ran that noted it
        lines.append(_expired(name, before, report.at))
    if held is None or not report.says_what(held):
        was = "" if held is None else f"; was {held.state} by {held.by}"
        text = f"{report.state} by {report.by} for {duration_text(report.ttl)}"
        said = f": {report.reason}" if report.reason else ""
        not_so = f"; not drained: {given.held}" if given.held else ""
        lines.append(
            HistoryEntry(report.at, f"report/{name}", "reported", f"{text}{said}{not_so}{was}")
        )
        kept = max(min(LINES, OF_ALL // _reports(db)), len(lines))
        db.execute(_FORGET, [f"report/{name}", f"report/{name}", kept - len(lines)])
    goes_on = held is not None and held.state is ReportState.DRAIN
    return [*lines, *_drain(db, reader, name, given, goes_on=goes_on)]


def end_report(db: sqlite3.Connection, name: str, at: float, now: float) -> Sequence[HistoryEntry]:
    """Note that a report holds no more, unless there is a later one, or it is noted. Return the lines of history.

    Args:
        db: the state file.
        name: the report's.
        at: when it was reported.
        now: seconds since the epoch.
    """
    report = _last(db, name)
    if report is None or report.at != at or report.ended is not None:
        return ()
    db.execute("UPDATE report SET ended = ? WHERE name = ?", [now, name])
    return [_expired(name, report, now)]


def _expired(name: str, report: AppReport, now: float) -> HistoryEntry:
    said = f": {report.reason}" if report.reason else ""
    text = f"at {timestamp(report.until)}; was {report.state} by {report.by}{said}"
    return HistoryEntry(now, f"report/{name}", "expired", text)


def _drain(
    db: sqlite3.Connection, reader: IntentReader, name: str, given: Given, *, goes_on: bool
) -> Sequence[HistoryEntry]:
    """Have the drains of a report be as it says: those that it begins, and those that it began. `goes_on`: the one before drained, too."""
    is_drain = given.report.state is ReportState.DRAIN
    if not (is_drain and given.drains) and not _has_drains(db, name):
        if goes_on:
            db.execute(_PUT_BEGUN, [name, ""])
        return ()  # as is nearly always so: the intents need not be read
    known = reader.read(fetched(db, INTENTS))
    asked = _begin(db, known, name, given, goes_on=goes_on) if is_drain else {}
    if not is_drain:
        report = given.report
        back = Intent(Mode.RETURNING, drainer(name, report), report.at, report.reason)
        asked = {p: back for p, i in known.of.items() if _is_of(i, name) and i.in_force(report.at)}
    drained = sorted(map(str, given.drains)) if is_drain else []
    db.execute(_PUT_BEGUN, [name, " ".join(drained)])
    if asked:
        _forget_drains(db, name, asked)
    return put_intents(db, known, asked).history if asked else ()


def _begin(
    db: sqlite3.Connection, known: Intents, name: str, given: Given, *, goes_on: bool
) -> dict[Prefix, Intent]:
    """Return the drains that a report begins, and have those that it began last as long as it. See `_drain`."""
    report = given.report
    asked: dict[Prefix, Intent] = {}
    wanted = Intent(Mode.DRAINING, drainer(name, report), report.at, report.reason, report.until)
    before = _begun(db, name) if goes_on else frozenset()
    others = [p for p in given.drains if p in known.of and not _is_of(known.of[p], name)]
    own = owned(db, known.of, others) if others else frozenset()  # as a roll's
    for prefix in sorted(given.drains, key=str):
        current = None if prefix in own else known.of.get(prefix)
        if current is None:
            if str(prefix) not in before:  # else it was lifted
                asked[prefix] = wanted
        elif not current.in_force(report.at) or _returns(current, name):
            asked[prefix] = wanted
        elif _is_of(current, name):
            db.execute("UPDATE intent SET until = ? WHERE prefix = ?", [report.until, str(prefix)])
    return asked


def _has_drains(db: sqlite3.Connection, name: str) -> bool:
    """Tell whether any drain is a report's."""
    owner = f"report/{name} ("
    return db.execute(_BEGUN, [len(owner), owner]).fetchone() is not None


def _begun(db: sqlite3.Connection, name: str) -> frozenset[str]:
    """Return the prefixes that a report was to drain since it began to."""
    rows = fetched(db, "SELECT begun FROM report WHERE name = ?", [name])
    return frozenset(word for (text,) in rows for word in str(text).split(" "))


def _forget_drains(db: sqlite3.Connection, name: str, asked: Collection[Prefix]) -> None:
    """Forget old drains of a report, so that there is room for a new line of each prefix."""
    kept = max(min(DRAIN_LINES, DRAINS_OF_ALL // (len(asked) * _reports(db))), 1)
    said = f" by report/{name} ("
    for prefix in asked:
        db.execute(_FORGET_DRAINS, [str(prefix), said, kept - 1])


def _reports(db: sqlite3.Connection) -> int:
    """Return how many reports there are: of those names that vip.toml had."""
    (number,) = db.execute("SELECT count(*) FROM report").fetchone()
    return max(int(number), 1)


def _is_of(intent: Intent, name: str) -> bool:
    return intent.owner.startswith(f"report/{name} (") and intent.mode is not Mode.RETURNING


def _returns(intent: Intent, name: str) -> bool:
    """Tell whether it is what follows a drain that this report began, and ended."""
    return intent.owner.startswith(f"report/{name} (") and intent.mode is Mode.RETURNING
