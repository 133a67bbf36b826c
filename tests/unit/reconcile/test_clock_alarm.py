"""Proves when it is said that this machine's time is wrong."""

from __future__ import annotations

import pytest

from policy.intent import Intent, Mode
from policy.route import parse_prefix
from speaker.reconcile.clock_alarm import REMEMBERED, SLACK, ClockAlarm

NOW = 1769900000.0
ONE = parse_prefix("192.0.2.1/32")


class Clocks:
    """Two clocks, which a test turns."""

    def __init__(self) -> None:
        self.day, self.counted = NOW, 5000.0

    def wall(self) -> float:
        return self.day

    def steady(self) -> float:
        return self.counted

    def pass_by(self, seconds: float, *, set_by: float = 0.0) -> None:
        """Let time pass, and set the time of day."""
        self.counted += seconds
        self.day += seconds + set_by


def test_well() -> None:
    """While both go on alike, or NTP moves the one by and by, nothing is said."""
    clocks = Clocks()
    alarm = ClockAlarm(clocks)
    for _ in range(100):
        clocks.pass_by(60.0, set_by=SLACK - 0.1)
        assert alarm.look({}) == ""


@pytest.mark.parametrize(
    ("set_by", "said"),
    [
        (3600.0, ("the time was set forward by 1h, to 2026-01-31T23:53:21Z: what an operator wants for a "
                 "time (--for) ends earlier; is it right now? See date, and timedatectl or chronyc tracking")),
        (-3600.0, ("the time was set back by 1h, to 2026-01-31T21:53:21Z: what an operator wants for a "
                  "time (--for) ends later; is it right now? See date, and timedatectl or chronyc tracking")),
    ],
)  # fmt: skip
def test_set(set_by: float, said: str) -> None:
    """That the time was set is said, which way, and what follows; for some time."""
    clocks = Clocks()
    alarm = ClockAlarm(clocks)
    clocks.pass_by(1.0, set_by=set_by)
    assert alarm.look({}) == said
    clocks.pass_by(REMEMBERED - 1.0)
    assert alarm.look({}) == said
    clocks.pass_by(1.0)
    assert alarm.look({}) == ""


def test_of_the_future() -> None:
    """An intent of after now shows that the time is behind, or was ahead; until now is after it."""
    clocks = Clocks()
    alarm = ClockAlarm(clocks)
    intents = {ONE: Intent(Mode.DRAINED, "root", NOW + 7200.0)}
    said = alarm.look(intents)
    assert said == (
        "192.0.2.1/32: drained by root at 2026-02-01T00:53:20Z, and it is not that time yet: this machine's time is "
        "behind, or where that was asked it was ahead; is it right now? See date, and timedatectl or chronyc tracking"
    )
    clocks.pass_by(61.0)
    assert alarm.look(intents) == said, "what is said once is the same text until it is over"
    clocks.pass_by(7200.0 - SLACK - 61.0)
    assert alarm.look(intents) == ""
    clocks.pass_by(1.0)
    assert alarm.look({}) == ""
