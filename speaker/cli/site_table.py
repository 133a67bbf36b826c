"""`vip_mgmt status --site` as text: each VIP at each machine, as far as there is a place for that; else at each data centre."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.intent import timestamp
from policy.site_view import Level
from policy.wording import count, span
from speaker.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from speaker.site_values import MachineStatus, SiteStatus

LONGEST = 45
"""How many characters of a name are shown where there is little place."""
_MARKS = {Level.WRONG: "!", Level.UNKNOWN: "?", Level.ASIDE: "-", Level.WELL: " "}
_STATES = {True: "yes", False: "no", None: "?"}
_LEGEND = "! not as wanted  ? not known  - not announced by some, by an operator or for its health"
_LEFT = {
    Level.WRONG: "not as wanted",
    Level.UNKNOWN: "not known",
    Level.ASIDE: "not announced by some",
    Level.WELL: "as wanted",
}


@dataclass(frozen=True, slots=True)
class _Row:
    """A line. `announced` has what is known of each machine that is to announce it; None: no line of a table."""

    level: Level
    name: str
    announced: Mapping[str, bool | None] | None
    why: str = ""


def site_json(status: SiteStatus) -> str:
    """Return `vip_mgmt status --site --json`: all prefixes at all machines."""
    shown = status.to_json()
    for name in ("left", "well", "well_left"):
        del shown[name]
    return json.dumps(shown, indent=2)


def site_text(status: SiteStatus, width: int | None = None) -> str:
    """Return `vip_mgmt status --site`.

    Args:
        status: what is known.
        width: columns of a terminal; None for a column for each machine, however many there are.
    """
    rows = [*_rows(status)]
    lines = [line for text in head(status) for line in _wrapped(text, width, indent=0)] + [""]
    longest = max(
        len("VIP, PREFIX"), *(len(row.name) for row in rows if row.announced is not None), 0
    )
    for columns in _layouts(status.machines):
        cells = [_cells(row, columns) for row in rows]
        wide = [max(map(len, each)) for each in zip([*columns], *filter(None, cells), strict=True)]
        fits = width is None or min(longest, LONGEST) + 3 + sum(w + 1 for w in wide) <= width
        if fits:
            break
    if width is not None:
        longest = max(min(longest, width - 3 - sum(w + 1 for w in wide)), 8)
    lines.append(_line("", "VIP, PREFIX", [*columns], wide, longest))
    for row, of_row in zip(rows, cells, strict=True):
        mark = _MARKS[row.level]
        if row.announced is None:
            lines += _wrapped(row.name, width, indent=3, mark=mark)
        else:
            lines.append(_line(mark, row.name, of_row, wide, longest))
        if row.why:
            lines += _wrapped(row.why, width)
    if any(row.level != Level.WELL for row in rows):
        lines += ["", *_wrapped(_LEGEND, width, indent=0)]
    return "\n".join(line.rstrip() for line in lines)


def head(status: SiteStatus) -> Iterator[str]:
    """Yield what is to be said before the table: of etcd, and of each machine that is not as the others."""
    dcs, live = (
        {each.dc for each in status.machines},
        sum(each.live for each in status.machines),
    )
    told = (
        "is connected"
        if status.connected
        else "is NOT CONNECTED: what others did since is not known"
    )
    yield printable(
        f"{status.dc}/{status.machine}: etcd {told}; {live} of {count(len(status.machines), 'machine')} live, in "
        f"{count(len(dcs), 'data centre')}"
    )
    if status.trouble:
        yield printable(f"TROUBLE: site: {status.trouble}")
    if status.queued:
        yield f"queued: {count(status.queued, 'order')} that etcd is not known to have: others do not obey them yet"
    for each in status.machines:
        yield from (printable(f"{each.name}: {text}") for text in machine_notes(each))


def machine_notes(machine: MachineStatus) -> Iterator[str]:
    """Yield what is wrong with a machine, or not known of it."""
    if not machine.live:
        since = machine.silent_since
        when = "" if since is None else f" since {timestamp(since)}"
        yield f"SILENT{when}: what it announces is not known"
    if machine.same_file is False:
        yield "its vip.toml differs from this machine's; make them the same: vip_mgmt check FILE compares"
    if machine.is_off and (off := machine.clock_off):
        yield f"its clock is {span(abs(off))} {'ahead of' if off > 0 else 'behind'} this machine's; see NTP on both"
    if machine.differs:
        yield f"{count(machine.differs, 'prefix', 'not as ordered')}: {machine.why}"


def _rows(status: SiteStatus) -> Iterator[_Row]:
    vip = None
    for prefix in status.prefixes:
        if prefix.vip != vip:
            vip = prefix.vip
            yield _Row(Level.WELL, vip, None)
        announced = {state.machine: state.announced for state in prefix.states}
        yield _Row(prefix.level, f"  {prefix.prefix}", announced, prefix.why)
    for level in Level:
        if left := status.left.get(level, 0):
            more = f"and {count(left, 'more prefix')}, {_LEFT[level]}; --all shows every prefix"
            yield _Row(level, more, None)
    of = _by_dc(status.machines)
    for each in status.well:
        machines = [name for dc in each.dcs for name in of.get(dc, ())]
        name = f"{each.vip} ({count(each.prefixes, 'prefix')})"
        yield _Row(Level.WELL, name, dict.fromkeys(machines, True))
    if status.well_left:
        more = f"and {count(status.well_left, 'more VIP')}, all as wanted; --all shows every prefix"
        yield _Row(Level.WELL, more, None)


def _by_dc(machines: Iterable[MachineStatus]) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for each in machines:
        found.setdefault(each.dc, []).append(each.name)
    return found


def _layouts(machines: Sequence[MachineStatus]) -> Iterator[Mapping[str, Sequence[str]]]:
    """Yield columns with the machines of each: one for each machine, for each data centre, or one."""
    yield {each.name: [each.name] for each in machines}
    yield _by_dc(machines)
    yield {"ANNOUNCED": [each.name for each in machines]}


def _cells(row: _Row, columns: Mapping[str, Sequence[str]]) -> Sequence[str]:
    if row.announced is None:
        return [""] * len(columns)
    return [_cell(row.announced, names) for names in columns.values()]


def _cell(announced: Mapping[str, bool | None], names: Sequence[str]) -> str:
    """Return what is known of some machines: `yes`, `no` or `?` of one; of several `1/2 ?1`: how many announce it, of which one is not known."""
    asked = [announced[name] for name in names if name in announced]
    if not asked:
        return "-"
    if len(names) == 1:
        return _STATES[asked[0]]
    unknown = asked.count(None)
    return f"{asked.count(True)}/{len(asked)}" + (f" ?{unknown}" if unknown else "")


def _line(mark: str, name: str, cells: Sequence[str], wide: Sequence[int], longest: int) -> str:
    name = printable(name)
    if len(name) > longest:
        name = f"{name[: longest - 1]}…"
    shown = " ".join(f"{printable(c):{size}}" for c, size in zip(cells, wide, strict=True))
    return f"{mark:2} {name:{longest}} {shown}"


def _wrapped(text: str, width: int | None, indent: int = 6, mark: str = "") -> Sequence[str]:
    text, start, more = printable(text), f"{mark:{indent}}", " " * indent
    if width is None:
        return [start + text]
    return textwrap.wrap(
        text, width, initial_indent=start, subsequent_indent=more, break_on_hyphens=False
    )
