"""What was asked of the whole site, in the state file: asked here, taken over from others, and carried over into the intents.

Theory of operation. Table `site_intent` is this machine's copy of all that it knows, a row for each prefix and extent; also
of what concerns other machines, since who hears of it from this one may hear it from no other. What this machine has to obey
of it is carried over into table `intent`, where all else that there is of intents goes on as without a site: stages, ends,
history. Each step here does that in the transaction in which something became known, by four steps:

1. What is in table `intent` and was not carried over is this machine's own word: of a planned drain that began, of an
   application's report, or from before there was a site. It becomes an intent for this machine alone, which overrules what it
   took the place of, and no other: so no restore for a whole data centre lifts it.
2. What is new is merged into the copy.
3. What holds is found, and carried over where it is another than was carried over last. What became of that one since, such
   as a soft drain that withdrew, is not touched by what says the same again.
4. History tells all of it.

A row that can't be read is left out, and named. If what it had was carried over, that stays as the machine's own word.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from policy.intent import MAX_TEXT, Intent, Mode
from policy.site_intent import SiteIntent, Width, asked, folded, holding, lasting, merged
from policy.wording import count
from speaker.api import HistoryEntry
from speaker.state.access import NoMoreError
from speaker.state.fetched import fetched
from speaker.state.rows import INTENTS
from speaker.state.site_rows import (
    MAX_ROWS,
    Obeyed,
    SiteRow,
    count_rows,
    note_read,
    put_obeyed,
    put_rows,
    read_copy,
    read_obeyed,
)
from speaker.state.writing import put_intents

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Mapping

    from policy.route import Prefix
    from policy.site_intent import Extent
    from speaker.state.rows import IntentReader, Intents
    from speaker.state.site_rows import SiteCopy, SiteMoment

    Rows = Mapping[tuple[Extent, Prefix], Collection[SiteIntent]]


@dataclass(slots=True)
class SiteChange:
    """What came of it: intents that others took the place of, prefixes whose intent is another, history, what is wrong."""

    replaced: Mapping[Prefix, Intent] = field(default_factory=dict)
    changed: Collection[Prefix] = ()
    history: list[HistoryEntry] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def ask_site(
    db: sqlite3.Connection,
    reader: IntentReader,
    wanted: Mapping[Prefix, Intent],
    extent: Extent,
    moment: SiteMoment,
    up: Iterable[Prefix] = (),
    *,
    own: bool = False,
) -> SiteChange:
    """Record what an operator asks for here. See `Store.ask_site`.

    Raises:
        NoMoreError: there is no room for more.
    """
    work = _Work(db, reader, moment, read_copy(db, wanted))
    new = sum(extent not in work.copy.of.get(prefix, {}) for prefix in wanted)
    if new and (rows := count_rows(db)) + new > MAX_ROWS:
        raise NoMoreError(f"state: {count(rows, 'row')} of the site's intents, no more fit")
    work.adopt(wanted)
    for prefix, intent in wanted.items():
        known = work.copy.known(prefix)
        one = asked(moment.new_id(), extent, intent, known, str(moment.here), own=own)
        before = work.copy.of[prefix].get(extent, SiteRow((), dirty=False, shared=False))
        is_for_others = extent.width > Width.MACHINE or extent != moment.here
        standing = merged(before.standing, [one])
        work.put(extent, prefix, SiteRow(standing, is_for_others or before.shared, before.shared))
    if extent.covers(moment.here):
        work.obey(wanted, up)
    return work.done()


def take_site(
    db: sqlite3.Connection, reader: IntentReader, found: Rows, moment: SiteMoment, *, whole: bool
) -> SiteChange:
    """Take over what etcd has. See `Store.take_site`."""
    prefixes = {prefix for _, prefix in found}
    work = _Work(db, reader, moment, read_copy(db, None if whole else prefixes))
    if whole:
        note_read(db, moment.now)
        _miss(work, found, moment.here)
    other = {key: theirs for key, theirs in found.items() if not _is_known(work, key, theirs)}
    concerned = list(dict.fromkeys(prefix for _, prefix in other))
    work.adopt(concerned)
    room = MAX_ROWS - count_rows(db) if other else 0
    for (extent, prefix), theirs in other.items():
        kept = work.copy.of[prefix].get(extent)
        room -= kept is None
        if room < 0 and kept is None:
            continue
        standing = folded(merged(() if kept is None else kept.standing, theirs))
        work.put(extent, prefix, SiteRow(standing, {*standing} != {*theirs}, shared=True))
    if room < 0:
        work.copy.others.append(
            f"{count(-room, 'key')} of etcd not known here: at most {MAX_ROWS} are kept"
        )
    work.obey(concerned)
    return work.done()


def _miss(work: _Work, found: Rows, here: Extent) -> None:
    """Note what etcd lacks, where it is all that it has."""
    for extent, prefix, kept in [*work.copy.rows()]:
        is_for_others = extent != here or kept.shared
        if (extent, prefix) not in found and is_for_others and not kept.dirty:
            work.put(extent, prefix, kept._replace(dirty=True))


def _is_known(work: _Work, key: tuple[Extent, Prefix], theirs: Collection[SiteIntent]) -> bool:
    """Tell whether etcd has the same as the copy, and note that."""
    extent, prefix = key
    kept = work.copy.of.get(prefix, {}).get(extent)
    if kept is None or {*theirs} != {*kept.standing}:
        return False
    if kept.dirty or not kept.shared:
        work.put(extent, prefix, kept._replace(dirty=False, shared=True))
    return True


def settle_site(
    db: sqlite3.Connection, reader: IntentReader, moment: SiteMoment, *, whole: bool = False
) -> tuple[SiteChange, float | None]:
    """Carry over what holds since another ended, gave way to this machine's own word, or is not for it: see `Store.settle_site`."""
    intents = reader.read(fetched(db, INTENTS)).of
    obeyed = read_obeyed(db, intents)
    own = [p for p, i in intents.items() if p not in obeyed or not obeyed[p].is_it(i)]
    ending = read_copy(db, None, "WHERE ends IS NOT NULL").of
    work = _Work(db, reader, moment, read_copy(db, None if whole else {*own, *ending}))
    concerned = [*work.copy.of]
    work.adopt(concerned)
    work.obey(concerned)
    ends = [e.intent.until for p in concerned for e in work.copy.known(p)]
    return work.done(), min(
        (end for end in ends if end is not None and end > moment.now), default=None
    )


class _Work:
    """One transaction: what is known of the prefixes that it is about, and what is to be written."""

    def __init__(
        self, db: sqlite3.Connection, reader: IntentReader, moment: SiteMoment, copy: SiteCopy
    ) -> None:
        self.copy = copy
        self._db = db
        self._reader = reader
        self._moment = moment
        self._rows: dict[tuple[Extent, Prefix], SiteRow] = {}
        self._obeyed: dict[Prefix, Obeyed] = {}
        self._before: dict[Prefix, Obeyed] = {}
        self._intents: Intents | None = None
        self._new: dict[Prefix, list[SiteIntent]] = {}
        self._gone: dict[Prefix, list[SiteIntent]] = {}
        self._change = SiteChange()

    def put(self, extent: Extent, prefix: Prefix, kept: SiteRow) -> None:
        """Have a row be this one."""
        before = self.copy.of[prefix].get(extent)
        was = () if before is None else before.standing
        self._new.setdefault(prefix, []).extend(e for e in kept.standing if e not in was)
        self._gone.setdefault(prefix, []).extend(e for e in was if e not in kept.standing)
        damage = self.copy.damaged.get(prefix, {}).pop(extent, None)
        if damage is not None:
            self._tell(prefix, "unreadable", f"what was asked before ({extent}): {damage}")
        self.copy.of[prefix][extent] = kept
        self._rows[extent, prefix] = kept

    def adopt(self, prefixes: Collection[Prefix]) -> None:
        """Have this machine's own words stand in its copy, as asked for it alone."""
        if not prefixes:
            return
        here, now, new = self._moment
        self._intents = self._reader.read(fetched(self._db, INTENTS))
        self._obeyed = read_obeyed(self._db, prefixes)
        for prefix in prefixes:
            intent, last = self._intents.of.get(prefix), self._obeyed.get(prefix)
            if intent is None or not intent.in_force(now):
                continue
            known = self.copy.known(prefix)
            replaced = [
                e for e in known if last is not None and e.id == last.id and e.extent.covers(here)
            ]
            if last is not None and last.is_it(intent) and (replaced or self._left(prefix)):
                continue
            around = [e for e in known if not e.own and (e.extent == here or e in replaced)]
            one = asked(new(), here, intent, around, str(here))
            row = self.copy.of[prefix].get(here, SiteRow((), dirty=False, shared=False))
            self.put(
                here, prefix, row._replace(standing=merged(row.standing, [one]), dirty=row.shared)
            )
            self._new[prefix].remove(one)  # which history has, since it was recorded
            self._obeyed[prefix] = Obeyed.of(one.id, intent)

    def obey(self, prefixes: Collection[Prefix], up: Iterable[Prefix] = ()) -> None:
        """Carry over what holds, where that is another than was carried over last."""
        if self._intents is None:
            return
        here, now, _ = self._moment
        wanted: dict[Prefix, Intent] = {}
        found: dict[Prefix, SiteIntent] = {}
        for prefix in prefixes:
            known = self.copy.known(prefix)
            holds, last = holding(known, here, now), self._obeyed.get(prefix)
            current = self._intents.of.get(prefix)
            if current is not None and not current.in_force(now):
                current = None
            if holds is None:
                if current is not None:
                    wanted[prefix] = _over(current, now, self._left(prefix))
                continue
            until = lasting(known, here, now)
            if last is None or last.id != holds.id or self._is_tried_again(prefix, holds, current):
                found[prefix] = holds
                wanted[prefix] = replace(holds.intent, until=until)
            elif current is not None and current.until != until:
                self._prolong(prefix, last, until)
        self._before = dict(self._obeyed)
        put = put_intents(
            self._db,
            self._intents,
            wanted,
            up,
            now=now,
            say=lambda p, i: replace(found[p], intent=i) if p in found else i,
        )
        for prefix, intent in put.rows.values():
            name = found[prefix].id if prefix in found else ""
            self._obeyed[prefix] = Obeyed.of(name, intent)
        self._reader.expect(put.rows)
        self._change.replaced, self._change.changed = put.replaced, wanted.keys()
        self._change.history += put.history

    def _left(self, prefix: Prefix) -> SiteIntent | None:
        """Return what was carried over for a data centre that this machine has left. What was for it alone goes with it."""
        last, here = self._obeyed.get(prefix), self._moment.here
        carried = (e for e in self.copy.known(prefix) if last is not None and e.id == last.id)
        wide = (e for e in carried if not e.extent.machine)
        return next((e for e in wide if not e.extent.covers(here)), None)

    def _is_tried_again(self, prefix: Prefix, holds: SiteIntent, current: Intent | None) -> bool:
        """Tell whether a drain that was given up is carried over again: a program asks now for the same."""
        given_up = not holds.intent.restores and (current is None or current.restores)
        return given_up and any(e.own and not e.intent.restores for e in self._new.get(prefix, ()))

    def _prolong(self, prefix: Prefix, last: Obeyed, until: float | None) -> None:
        self._db.execute("UPDATE intent SET until = ? WHERE prefix = ?", [until, str(prefix)])
        self._obeyed[prefix] = last._replace(until=until)

    def done(self) -> SiteChange:
        """Write the rows. Return what came of it."""
        put_rows(self._db, ((*key, kept) for key, kept in self._rows.items()))
        put_obeyed(self._db, self._obeyed)
        for prefix, new in self._new.items():
            carried = [each[prefix].id for each in (self._before, self._obeyed) if prefix in each]
            for one in new:
                if one.id not in carried:
                    self._tell(prefix, "asked", str(one))
            for one in self._gone[prefix]:
                by = next((e for e in self.copy.known(prefix) if one.id in e.seen), None)
                if by is not None and one.id not in carried:
                    self._tell(prefix, "overruled", f"{one}; by {by}")
        self._change.faults = self.copy.faults
        return self._change

    def _tell(self, prefix: Prefix, event: str, text: str) -> None:
        self._change.history.append(HistoryEntry(self._moment.now, str(prefix), event, text))


def _over(current: Intent, now: float, left: SiteIntent | None) -> Intent:
    """Return the intent of a prefix of which nothing holds: it ended before it was heard of, or was for where this machine was."""
    over = f"what was asked after {current} is over"
    reason = (
        over if left is None else f"this machine is not of {left.extent.dc} any more: {current}"
    )
    return Intent(Mode.AUTO, current.owner, now, reason[:MAX_TEXT])
