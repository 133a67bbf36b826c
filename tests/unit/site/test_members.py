"""Proves what is known of machines by what they told, and when that was heard."""

from __future__ import annotations

import pytest

from policy.site_intent import Extent
from speaker.site.keys import KeyKind, SiteKey
from speaker.site.members import BothClocks, Members
from speaker.site.told import MachineTold

LYO1 = Extent("lyo1", "lb1")
EPOCH = 1_700_000_000.0


def clock_off(*readings: tuple[float, float]) -> float | None:
    """Return how far a clock is off that was told at some seconds and heard at others."""
    members = Members()
    for told, heard in readings:
        machine = MachineTold(version="1", config="", wall=EPOCH + told)
        moment = BothClocks(EPOCH + heard, heard)
        members.heard(SiteKey(KeyKind.MACHINE, LYO1), machine, 1, moment)
    (member,) = members.all()
    return member.clock_off


@pytest.mark.parametrize(
    ("readings", "off"),
    [
        ([(0, 0)], None),
        ([(0, 0), (30, 30)], 0.0),
        ([(60, 0), (90, 30)], 60.0),
        ([(-60, 0), (-30, 30)], -60.0),
        ([(0, 40)], None),  # it was told long before it was heard
        ([(0, 90), (30, 90), (60, 90)], None),  # all that was under way, at once
        ([(0, 90), (30, 90), (60, 90), (90, 90)], None),
        ([(0, 90), (30, 90), (60, 90), (120, 120), (150, 150)], 0.0),
        ([(0, 40), (45, 45)], None),
        ([(0, 40), (45, 45), (75, 75)], 0.0),
        ([(0, 0), (30, 30), (120, 60)], None),  # it was set
        ([(0, 0), (30, 30), (120, 60), (150, 90)], 60.0),
    ],
)
def test_a_clock(readings: list[tuple[float, float]], off: float | None) -> None:
    """Readings that are as far apart there as here show its clock; one that was late shows nothing."""
    assert clock_off(*readings) == off
