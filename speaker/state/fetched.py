"""Rows of the state file, as many as memory takes: pages may lead to each other, so that 64 KiB have rows without end."""

from __future__ import annotations

from contextlib import closing
from sys import getsizeof
from typing import TYPE_CHECKING, Any

from speaker.state.access import LOST, StoreError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

MAX_SIZE = 1 << 29
"""Bytes of memory of all rows of a table: 100,000 intents have a tenth as many."""


class Fetcher:
    """Fetches the rows of some queries, which in all take no more memory than is good."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._left = MAX_SIZE

    def all(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return all rows that a query has.

        Raises:
            StoreError: they take too much memory.
            sqlite3.Error: they can't be read.
        """
        rows, left = [], self._left
        with closing(self._db.execute(query, parameters)) as found:
            for row in found:
                rows.append(row)
                left -= getsizeof(row) + sum(map(getsizeof, row))
                if left < 0:
                    raise StoreError(
                        f"state: a table has more than {MAX_SIZE} bytes of rows; {LOST}"
                    )
        self._left = left
        return rows


def fetched(
    db: sqlite3.Connection, query: str, parameters: Sequence[object] = ()
) -> list[tuple[Any, ...]]:
    """Return all rows that one query has. See `Fetcher.all`."""
    return Fetcher(db).all(query, parameters)
