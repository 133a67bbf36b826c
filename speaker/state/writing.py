"""What is written into the state file, in a transaction that another has begun: intents, and rows of prefixes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from policy.drain import resolved
from policy.intent import Mode
from speaker.api import HistoryEntry
from speaker.state import rows
from speaker.state.history import expiry, told

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from policy.damping import Damping
    from policy.drain import Progress
    from policy.health import Service, ServiceMemory
    from policy.intent import Intent
    from policy.route import Prefix
    from speaker.state.rows import Intents


class PutIntents(NamedTuple):
    """What came of recording intents: those that were in force until then, the lines of history, the new rows."""

    replaced: Mapping[Prefix, Intent]
    history: Sequence[HistoryEntry]
    rows: Mapping[rows.Row, tuple[Prefix, Intent]]


def put_intents(
    db: sqlite3.Connection,
    known: Intents,
    asked: Mapping[Prefix, Intent],
    up: Iterable[Prefix] = (),
    *,
    now: float | None = None,
    say: Callable[[Prefix, Intent], object] = lambda _, intent: intent,
) -> PutIntents:
    """Record intents in place of those that there are. See `Store.set_intents`.

    Args:
        db: the file, in a transaction.
        known: the intents that it has.
        asked: what the operator asks for.
        up: our prefixes that are taken to be up from now on.
        now: seconds since the epoch; None is when each was asked.
        say: what history tells of an intent.
    """
    at = {p: intent.since if now is None else now for p, intent in asked.items()}
    before = {p: known.of[p] for p in asked if p in known.of}
    names = [str(prefix) for prefix in before]  # the others have no row
    names += [name for prefix in before for name in known.rows.get(prefix, ())]
    replaced = {p: was for p, was in before.items() if was.in_force(at[p])}
    intents = {p: resolved(intent, replaced.get(p)) for p, intent in asked.items()}
    new = [rows.of_intent(prefix, intent) for prefix, intent in intents.items()]
    history = ended(db, {p: i for p, i in before.items() if p not in replaced})
    db.executemany("DELETE FROM intent WHERE prefix = ?", [(name,) for name in names])
    db.executemany(
        "INSERT INTO intent (prefix, mode, owner, reason, since, until, forced, insisted) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [row for row in new if row[1] != Mode.AUTO],
    )
    db.executemany(
        "DELETE FROM damping WHERE prefix = ?",
        [(str(prefix),) for prefix, intent in intents.items() if intent.restores],
    )
    db.executemany("UPDATE owned SET up = 1 WHERE prefix = ?", [(str(prefix),) for prefix in up])
    history += [
        HistoryEntry(at[p], str(p), i.mode, told(say(p, i), replaced.get(p)))
        for p, i in intents.items()
    ]
    return PutIntents(replaced, history, dict(zip(new, intents.items(), strict=True)))


def replace(
    db: sqlite3.Connection, table: str, prefixes: Iterable[Prefix], new: list[rows.Row]
) -> None:
    """Replace all rows of some prefixes."""
    db.executemany(
        f"DELETE FROM {table} WHERE prefix = ?",  # noqa: S608 - one of four names
        [(str(prefix),) for prefix in prefixes],
    )
    if new:
        marks = ", ".join("?" * len(new[0]))
        db.executemany(f"INSERT INTO {table} VALUES ({marks})", new)  # noqa: S608 - one of four names


def health_rows(memory: Mapping[Prefix, Mapping[Service, ServiceMemory]]) -> list[rows.Row]:
    """Return the rows of what is remembered of health."""
    return [
        rows.of_health(p, service, last)
        for p, services in memory.items()
        for service, last in services.items()
    ]


def damping_rows(damping: Mapping[Prefix, Damping | None]) -> list[rows.Row]:
    """Return the rows of what is remembered of flapping."""
    return [
        (str(prefix), last.penalty, last.at, int(last.damped), int(last.up))
        for prefix, last in damping.items()
        if last is not None
    ]


def drain_rows(drains: Mapping[Prefix, Progress | None]) -> list[rows.Row]:
    """Return the rows of what is remembered of soft drains."""
    return [rows.of_drain(p, progress) for p, progress in drains.items() if progress is not None]


def ended(db: sqlite3.Connection, intents: Mapping[Prefix, Intent]) -> list[HistoryEntry]:
    """Return the lines of intents that ended by themselves, as far as history lacks them.

    The intents stay where they are: a clock that was wrong may be set back.
    """
    lines = sorted((expiry(p, intent) for p, intent in intents.items()), key=lambda e: e.time)
    oldest = db.execute("SELECT time FROM history ORDER BY id LIMIT 1").fetchone() or (0.0,)
    told = "SELECT 1 FROM history WHERE prefix = ? AND event = ? AND time = ?"
    return [
        line
        for line in lines
        if line.time >= oldest[0]
        and not db.execute(told, [line.prefix, line.event, line.time]).fetchone()
    ]
