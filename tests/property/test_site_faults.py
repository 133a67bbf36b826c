"""Two data centres of two watchdogs each at an etcd in memory, in virtual time: whatever happens, no intent is lost.

The same is proven with a real etcd, real daemons and a real router in `tests/live/test_site.py`, with fewer faults.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.fakes.site_run import CLUSTER_FAULTS, ETCD_FAULTS, RunStep, site_run
from tests.support.fakes.virtual_time import run
from tests.support.site_checker import Bounds, violations, wake_ups
from tests.support.site_history import SiteHistory

WHATS = ("drain", "drain", "restore", "restore", "etcd", "etcd", "cluster", "sick", "well again")
STEPS = st.lists(
    st.builds(
        RunStep,
        st.sampled_from([*WHATS, "crash", "clock"]),
        st.integers(0, 3),
        st.integers(0, 19),
        st.sampled_from([0.0, 0.05, 0.5, 3.0, 15.0]),
    ),
    min_size=5,
    max_size=30,
)
AWAY = ETCD_FAULTS.index("away")
RESTORE = CLUSTER_FAULTS.index("restore")
BOUNDS = Bounds(converge=30.0)


def played(steps: list[RunStep]) -> SiteHistory:
    """Return what came of some steps."""

    async def main() -> SiteHistory:
        with TemporaryDirectory() as directory:
            async with site_run(Path(directory)) as one:
                return await one.play(steps)

    found = run(main())
    assert isinstance(found, SiteHistory)
    return found


@settings(max_examples=max(settings().max_examples // 5, 1))
@given(STEPS)
@example(
    [RunStep("etcd", 0, AWAY, 5.0), RunStep("drain", 0, 0, 5.0), RunStep("restore", 1, 0, 5.0)]
)
@example(
    [
        RunStep("drain", 0, 4, 1.0),
        RunStep("crash", 2, 0, 1.0),
        RunStep("cluster", 0, RESTORE, 1.0),
        RunStep("restore", 3, 4, 1.0),
        RunStep("cluster", 0, RESTORE, 1.0),
    ]
)
def test_no_intent_is_lost(steps: list[RunStep]) -> None:
    """No drain and no restore is lost, nothing that is drained is announced, and no VIP is nowhere that could be somewhere."""
    assert violations(played(steps), BOUNDS) == []


def test_others_wake_up() -> None:
    """Where nothing is wrong, the others have withdrawn within a fifth of a second of an order."""
    steps = [RunStep("drain", 0, 4, 3.0), RunStep("restore", 2, 4, 3.0)] * 10
    history = played(steps)
    found = [each.seconds for each in wake_ups(history)]
    assert len(found) == 30
    assert max(found) <= 0.2
    assert violations(history, BOUNDS) == []
