"""Rows of the state file, as many as memory takes: pages may lead to each other, so that 64 KiB have rows without end."""

from __future__ import annotations

from sys import getsizeof
from typing import TYPE_CHECKING, Any

from speaker.state.access import LOST, StoreError

if TYPE_CHECKING:
    import sqlite3

MAX_SIZE = 1 << 29
"""Bytes of memory of all rows of a table: 100,000 intents have a tenth as many."""


def fetched(db: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    """Return all rows that a query has, unless they take more memory than is good.

    Raises:
        StoreError: they do.
        sqlite3.Error: they can't be read.
    """
    rows, left = [], MAX_SIZE
    for row in db.execute(query):
        rows.append(row)
        left -= getsizeof(row) + sum(map(getsizeof, row))
        if left < 0:
            raise StoreError(f"state: a table has more than {MAX_SIZE} bytes of rows; {LOST}")
    return rows
