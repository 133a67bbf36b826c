"""`vip_mgmt status` on a terminal: rows as a table that fits its width. Slow to import: rich."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from speaker.cli.status_rows import Attention, StatusRow, head, rows
from speaker.printable import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from rich.console import RenderableType

    from speaker.api import Status
    from speaker.cli.connections import ConnectionsShown

WIDE = 120
"""Columns from which the reason stands beside the rest; else it stands below its row."""
_MARKS = {Attention.WRONG: "!", Attention.UNKNOWN: "?", Attention.INTENT: "-", Attention.WELL: " "}
_STYLES = {
    Attention.WRONG: "bold red",
    Attention.UNKNOWN: "yellow",
    Attention.INTENT: "cyan",
    Attention.WELL: "",
}
_LEGEND = "! not as wanted  ? not known  - not announced, or by an operator  * changed"


def screen(
    status: Status,
    changed: Collection[str] = (),
    connections: Mapping[str, ConnectionsShown] | None = None,
    *,
    unfold: bool = False,
    wide: bool,
) -> RenderableType:
    """Return the whole screen: what is wrong, the table, and what its marks mean.

    Args:
        status: the state.
        changed: the prefixes that are to be marked.
        connections: those of each prefix; None for no columns of them.
        unfold: whether each prefix has a row, however many there are.
        wide: whether there is a place for reasons beside the rest.
    """
    shown = rows(status, changed, connections, unfold=unfold)
    columns = _columns(shown, counted=connections is not None, wide=wide)
    parts: list[RenderableType] = [_text(line, _STYLES[how]) for how, line in head(status)]
    parts += ["", *_tables(shown, columns, wide=wide)]
    if any(row.level is not Attention.WELL or row.changed for row in shown):
        parts += ["", _text(_LEGEND, "dim")]
    return Group(*parts)


def text(
    status: Status,
    width: int,
    changed: Collection[str] = (),
    connections: Mapping[str, ConnectionsShown] | None = None,
    *,
    unfold: bool = False,
    colour: bool = True,
    more: Sequence[str] = (),
) -> str:
    """Return the screen as text for a terminal of some columns; only its colours act on the terminal.

    Args:
        status: the state.
        width: columns.
        changed: the prefixes that are to be marked.
        connections: those of each prefix; None for no columns of them.
        unfold: whether each prefix has a row, however many there are.
        colour: whether the terminal has any.
        more: lines to stand below.
    """
    console = Console(
        file=io.StringIO(),
        width=width,
        height=len(status.routes),  # it crops nothing; without any LINES is read, whatever it has
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    console.print(screen(status, changed, connections, unfold=unfold, wide=width >= WIDE))
    for line in more:
        console.print(_text(line, "dim"))
    shown = console.file.getvalue() if isinstance(console.file, io.StringIO) else ""
    return "\n".join(line.rstrip() for line in shown.rstrip("\n").split("\n"))


def _columns(shown: Sequence[StatusRow], *, counted: bool, wide: bool) -> dict[str, list[str]]:
    """Return the columns behind the name, by their names. Where there is little place, counts stand for the AS_PATH."""
    columns = {
        "ANN": [row.announced for row in shown],
        "PEERS": [row.peers for row in shown],
        "AS_PATH": [row.path for row in shown],
        "LIVE": [row.live for row in shown],
        "INTENT": [row.intent for row in shown],
    }
    if counted:
        for at, name in enumerate(("ACTIVE", "INACT", "NEW/s")):
            columns[name] = [row.connections[at] for row in shown]
        if not wide:
            del columns["AS_PATH"]
    return columns


def _tables(
    shown: Sequence[StatusRow], columns: Mapping[str, Sequence[str]], *, wide: bool
) -> Iterable[RenderableType]:
    """Yield the table; where there is no place for reasons, in parts with the reasons between them."""
    if wide:
        yield _table(range(len(shown)), shown, columns, reasons=True, header=True)
        return
    start = 0
    for at, row in enumerate(shown):
        if row.reason:
            part = range(start, at + 1)
            yield _table(part, shown, columns, reasons=False, header=start == 0)
            yield Padding(_text(row.reason, _STYLES[row.level]), (0, 0, 0, 6))
            start = at + 1
    if start < len(shown):
        part = range(start, len(shown))
        yield _table(part, shown, columns, reasons=False, header=start == 0)


def _table(
    part: Iterable[int],
    whole: Sequence[StatusRow],
    columns: Mapping[str, Sequence[str]],
    *,
    reasons: bool,
    header: bool,
) -> Table:
    """Return a part of the table, whose columns are as wide as the whole needs them."""
    table = Table(
        box=None,
        show_header=header,
        header_style="bold",
        pad_edge=False,
        expand=True,
        padding=(0, 1, 0, 0),
    )
    table.add_column("", width=2)
    table.add_column("VIP, PREFIX", ratio=3, overflow="fold")
    for name, cells in columns.items():
        widest = max(map(len, [name, *map(printable, cells)]))
        table.add_column(name, width=min(widest, 16), overflow="ellipsis", no_wrap=True)
    if reasons:
        table.add_column("REASON", ratio=4, overflow="fold")
    for at in part:
        row = whole[at]
        cells = [columns[name][at] for name in columns]
        table.add_row(*_cells(row, cells), *([_text(row.reason, _STYLES[row.level])] * reasons))
    return table


def _cells(row: StatusRow, cells: Iterable[str]) -> Iterable[Text]:
    style = _STYLES[row.level]
    mark = ("" if row.is_vip and not row.announced else _MARKS[row.level]) + "*" * row.changed
    yield _text(mark, style)
    yield _text(row.name if row.is_vip else f"  {row.name}", "bold" if row.is_vip else style)
    for cell in cells:
        yield _text(cell, "reverse" if row.changed else style)


def _text(what: str, style: str) -> Text:
    """Return text in which nothing is markup, and nothing acts on the terminal."""
    return Text(printable(what), style)
