"""Reports as values: what can be one, for how long it holds, and what it is to a rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policy.errors import PolicyError
from policy.health import Health
from policy.report import AppReport, ReportRule, ReportState, said
from policy.sources import LONGEST

AT = 1_700_000_000.0
DOWN = AppReport(ReportState.DOWN, "shop", AT, 30.0, "disk full", 0.5)
SHOP = ReportRule("shop")


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"ttl": 0.0}, "ttl"),
        ({"ttl": LONGEST + 1}, "ttl"),
        ({"ttl": float("nan")}, "ttl"),
        ({"at": -1.0}, "at"),
        ({"weight": 1.1}, "weight"),
        ({"weight": float("nan")}, "weight"),
        ({"reason": "x" * 201}, "reason"),
        ({"reason": "a\nb"}, "reason"),
        ({"by": "\x1b[2J"}, "by"),
    ],
)
def test_no_report(fields: dict[str, object], what: str) -> None:
    """What makes no sense is no report."""
    with pytest.raises(PolicyError, match=f"^{what}: "):
        replace(DOWN, **fields)  # type: ignore[arg-type]  # that is the point


def test_for_how_long() -> None:
    """It holds until its time is over, and never for longer than it was given, wherever the clock is set."""
    assert DOWN.left(AT) == 30
    assert DOWN.left(AT + 29) == 1
    assert DOWN.left(AT + 30) == DOWN.left(AT + 3600) == 0
    assert DOWN.left(AT - 3600) == 30


def test_renewal() -> None:
    """The same words of the same one, later, are a renewal; anything else is news."""
    later = replace(DOWN, at=AT + 10, ttl=60.0)
    assert later.renews(DOWN)
    assert not later.renews(None)
    for other in ({"state": ReportState.UP}, {"by": "x"}, {"reason": ""}, {"weight": 1.0}):
        assert not replace(later, **other).renews(DOWN)


def test_to_a_rule() -> None:
    """Down is down; up and drain are up; none, and one that expired, are unknown: never down by themselves."""
    up, drain = replace(DOWN, state=ReportState.UP), replace(DOWN, state=ReportState.DRAIN)
    assert said(SHOP, DOWN, holds=True, since=1.0).health is Health.DOWN
    assert said(SHOP, DOWN, holds=True, since=1.0).reason == "by shop: disk full"
    assert said(SHOP, up, holds=True, since=1.0).health is Health.UP
    assert said(SHOP, drain, holds=True, since=1.0).health is Health.UP
    assert said(SHOP, None, holds=False, since=None).health is Health.UNKNOWN
    for each in (DOWN, up, drain):
        found = said(SHOP, each, holds=False, since=1.0)
        assert found.health is Health.UNKNOWN
        assert f"was {each.state} by shop" in found.reason
        dead = said(replace(SHOP, expired=Health.DOWN), each, holds=False, since=1.0)
        assert dead.health is Health.DOWN
    unheard = said(replace(SHOP, expired=Health.DOWN), None, holds=False, since=None)
    assert unheard.health is Health.UNKNOWN


def test_what_a_name_takes() -> None:
    """A report may hold as long as its name allows, and drain where that is configured."""
    SHOP.check(replace(DOWN, ttl=3600.0))
    with pytest.raises(PolicyError, match="max_ttl is"):
        SHOP.check(replace(DOWN, ttl=3601.0))
    drain = replace(DOWN, state=ReportState.DRAIN)
    replace(SHOP, drain=True).check(drain)
    with pytest.raises(PolicyError, match="drain = true"):
        SHOP.check(drain)
