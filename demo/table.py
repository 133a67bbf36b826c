"""The table of what the router sees, for a person."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from demo.router import best

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from demo.router import DaemonState
    from demo.site import Vip

_BOLD, _GREEN, _RED = "1", "32", "31"


def style(text: str, *codes: str) -> str:
    """Colour a text where a terminal shows it (https://no-color.org)."""
    if not codes or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{';'.join(codes)}m{text}\033[0m"


def picture(vips: Sequence[Vip], view: DaemonState, before: DaemonState | None = None) -> str:
    """Return a line for each prefix: each data centre's AS_PATH, and where traffic goes.

    Args:
        vips: what to show.
        view: what the router sees.
        before: what it saw when the last table was shown, so that changes can be marked.
    """
    dcs = list(view)
    rows = [("VIP", "PREFIX", *(f"AS_PATH from {dc}" for dc in dcs), "TRAFFIC GOES TO")]
    codes: list[list[tuple[str, ...]]] = [[(_BOLD,)] * len(rows[0])]
    for vip in vips:
        for index, prefix in enumerate(vip.prefixes):
            chosen = best(view, prefix)
            was = best(before, prefix) if before is not None else chosen
            goes = f"{chosen or 'nowhere'}" + (
                f"  (was {was or 'nowhere'})" if was != chosen else ""
            )
            cells = [" ".join(map(str, view[dc].get(prefix, ()))) or "withdrawn" for dc in dcs]
            rows.append((vip.name if index == 0 else "", prefix, *cells, goes))
            codes.append([(), (), *(_code(view, dc, prefix, chosen) for dc in dcs), (_BOLD,)])
    return _align(rows, codes)


def _code(view: DaemonState, dc: str, prefix: str, chosen: str | None) -> tuple[str, ...]:
    if prefix not in view[dc]:
        return (_RED,)
    return (_GREEN, _BOLD) if dc == chosen else ()


def _align(rows: Sequence[Sequence[str]], codes: Sequence[Sequence[tuple[str, ...]]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            style(cell.ljust(width), *code)
            for cell, width, code in zip(row, widths, line, strict=True)
        ).rstrip()
        for row, line in zip(rows, codes, strict=True)
    )


def summary(steps: Mapping[str, str]) -> str:
    """Return a line for each step and its time."""
    width = max(map(len, steps))
    return "\n".join(f"{title.ljust(width)}  {time}" for title, time in steps.items())
