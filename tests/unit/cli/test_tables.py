"""What is printed for a person, of any answer that has the form of one."""

from __future__ import annotations

import pytest

from speaker.api import HistoryEntry
from speaker.cli.tables import history_table


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        (0.0, "1970-01-01T00:00:00Z"),
        (253402300799.0, "9999-12-31T23:59:59Z"),
        (1e300, "1e+300"),
        (-1.0, "-1"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_any_time(time: float, shown: str) -> None:
    """A number that is no time is shown as it is: whoever answers can't stop what is printed by it."""
    entry = HistoryEntry(time, "192.0.2.1/32", "drained", "drained by alice")
    assert history_table([entry]).startswith(f"{shown}  192.0.2.1/32")
