"""Proves what `vip_mgmt status --watch` and `--json` show of connections."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from policy.connections import ConnectionCount, Counted
from policy.route import parse_prefix
from speaker.cli.connections import ConnectionsSeen, ConnectionsShown, rate, short, together
from speaker.cli.status_screen import text
from speaker.cli.tables import status_json
from tests.unit.cli.test_nagios import GOOD, WELL
from tests.unit.cli.test_status_screen import LONG, V6

if TYPE_CHECKING:
    from collections.abc import Mapping

ONE, SIX = parse_prefix("192.0.2.1"), parse_prefix(V6)
BIG = ConnectionsShown(123_456, 9_876_543, 12_345.6, 10**12)


def seen(*counts: Counted) -> ConnectionsSeen:
    """Return what counts these, one after the other."""
    left = [*counts]

    async def count() -> Counted:
        return left.pop(0)

    return ConnectionsSeen(count)


def test_rates() -> None:
    """New ones per second follow from two looks; of a prefix that was not counted before they are not known."""
    counted = seen(
        Counted(10.0, {ONE: ConnectionCount(1, 2, 100)}),
        Counted(12.0, {ONE: ConnectionCount(3, 4, 150), SIX: ConnectionCount(5, 6, 7)}),
        Counted(13.0, {}, "IPVS: gone"),
    )
    assert counted.look() == {"192.0.2.1/32": ConnectionsShown(1, 2, None, 100)}
    assert counted.look() == {
        "192.0.2.1/32": ConnectionsShown(3, 4, 25.0, 150),
        str(SIX): ConnectionsShown(5, 6, None, 7),
    }
    assert (counted.look(), counted.unknown) == ({}, "IPVS: gone")


def test_over_some_seconds() -> None:
    """The kernel adds up every two seconds: what is shown is of four, and does not jump."""
    looks = [Counted(float(at), {ONE: ConnectionCount(0, 0, 20 * (at // 2))}) for at in range(12)]
    counted = seen(*looks)
    rates = [counted.look()["192.0.2.1/32"].rate for _ in looks]
    assert rates[4:] == [10.0] * 8


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (9999, "9999"),
        (10_000, "10.0k"),
        (99_949, "99.9k"),
        (123_456, "123k"),
        (9_876_543, "9.9M"),
        (2e9, "2.0G"),
    ],
)
def test_short(number: float, shown: str) -> None:
    """A number has six places at most."""
    assert short(number) == shown
    assert len(shown) <= 6


def test_rate() -> None:
    """A few connections now and then are not none."""
    assert [rate(number) for number in (0, 0.3, 9.94, 12.4, 12_345)] == [
        "0",
        "0.3",
        "9.9",
        "12",
        "12.3k",
    ]


def test_a_vip() -> None:
    """A VIP has the connections of its prefixes together; they are not known where those of one are not."""
    routes = [replace(GOOD, prefix=str(ONE)), replace(GOOD, prefix=str(SIX))]
    own: Mapping[str, ConnectionsShown] = {
        str(ONE): ConnectionsShown(1, 2, 3.0),
        str(SIX): ConnectionsShown(10, 20, None),
    }
    assert together(routes, own) == ConnectionsShown(11, 22, None)
    assert together(routes, {str(ONE): own[str(ONE)]}) is None
    assert together([], {}) is None


@pytest.mark.parametrize("width", [80, 119, 120])
def test_columns(width: int) -> None:
    """Counts have columns of their own, also at 80 columns, where they stand for the AS_PATH; `-` is not known."""
    routes = (
        replace(GOOD, prefix=str(ONE)),
        replace(GOOD, vip=LONG, prefix=V6, intent="drained", as_wanted=False, reason="why"),
    )
    shown = text(
        replace(WELL, routes=routes), width, connections={str(ONE): BIG}, colour=False
    ).splitlines()
    assert all(len(line) <= width for line in shown)
    (head,) = [line for line in shown if "ANN" in line]
    assert "ACTIVE INACT NEW/s" in " ".join(head.split())
    assert ("AS_PATH" in head) is (width >= 120)
    (one,) = [line for line in shown if f"  {ONE} " in line]
    assert "123k 9.9M 12.3k" in " ".join(one.split())
    assert any("drained - - -" in " ".join(line.split()) for line in shown)


def test_json() -> None:
    """A script gets the counts of each prefix, null where they are not known."""

    def of(shown: Mapping[str, ConnectionsShown]) -> Any:
        status = replace(WELL, routes=(replace(GOOD, prefix=str(ONE)),))
        return json.loads(status_json(status, shown))["routes"][0]["connections"]

    assert of({}) is None
    assert of({str(ONE): BIG}) == {"active": 123_456, "inactive": 9_876_543, "made": 10**12}
