"""The order in which history is shown, for whatever times whoever may write the file put there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from speaker.state.history import NEAR, in_order

TIMES = st.lists(st.integers(0, 12).map(float) | st.floats(0, 30), max_size=30)


class Counted(float):
    """A time that counts how often it is compared."""

    count = 0

    def __lt__(self, other: float) -> bool:
        type(self).count += 1
        return super().__lt__(other)

    def __sub__(self, other: float) -> float:
        type(self).count += 1
        return super().__sub__(other)


@given(TIMES)
def test_each_line_passes_what_is_a_little_later(times: list[float]) -> None:
    """A line stands before those that are later by NEAR at most and were recorded just before it, and after all others."""
    rule: list[tuple[float, str]] = []
    for number, time in enumerate(times):
        at = len(rule)
        while at and 0 < rule[at - 1][0] - time <= NEAR:
            at -= 1
        rule.insert(at, (time, str(number)))
    rows = [(time, str(number), "", "") for number, time in enumerate(times)]
    assert [(line.time, line.prefix) for line in in_order(rows[::-1])] == rule


def test_growth() -> None:
    """Ten thousand lines of which each is earlier than the one before take few comparisons for each."""
    rows = [(Counted(1.0 + number / 1e4), "", "", "") for number in range(10_000)]
    assert len(in_order(rows)) == len(rows)
    assert 0 < Counted.count <= 30 * len(rows)
