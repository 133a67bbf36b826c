"""Which orders of a site stand, which one holds, and by which rule: in sentences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from policy.explain.site import MOST, orders
from policy.intent import Intent, Mode
from policy.site_intent import EVERYWHERE, Extent, SiteIntent, asked

HERE = Extent("par1", "lb1")
PAR1, LYO1 = Extent("par1"), Extent("lyo1")
NOW = 1000.0


def one(
    id: str,  # noqa: A002 - what it is
    extent: Extent,
    mode: Mode,
    since: float = 940.0,
    until: float | None = None,
    reason: str = "",
) -> SiteIntent:
    return SiteIntent(id, extent, Intent(mode, "ann", since, reason, until))


def test_the_example_of_the_docs() -> None:
    """docs/site.md shows what is said, to the letter but for the lines in which it stands."""
    now = 1769828400.0  # 2026-01-31T03:00:00Z
    known = [
        one("a", HERE, Mode.DRAINED, now - 2 * 86400, reason="disk"),
        SiteIntent("b", PAR1, Intent(Mode.AUTO, "bob", now - 600)),
        SiteIntent("c", LYO1, Intent(Mode.DRAINED, "dora", now - 300, "new switches")),
    ]
    shown = " ".join((Path(__file__).parents[3] / "docs/site.md").read_text().split())
    assert f"site {' '.join(orders(known, HERE, now))} ```" in shown


def test_none() -> None:
    """That nothing is known is said."""
    assert [*orders([], HERE, NOW)] == ["no order is known, for this machine or for others"]


def test_one() -> None:
    """Whose, for whom, since when, why."""
    (said,) = orders([one("a", PAR1, Mode.DRAINED, reason="disk")], HERE, NOW)
    assert said == (
        "drained for par1 (--at par1) by ann, 1m ago (1970-01-01T00:15:40Z), disk: holds, as nothing stands beside it"
    )


def test_ordered_elsewhere() -> None:
    """What a roll orders of a machine is said to be the roll's, and on which machine that was ordered: nobody typed --here."""
    drain = Intent(Mode.DRAINING, "root", 940.0, "vip_mgmt roll")
    by_roll = SiteIntent("a", HERE, drain, where="lyo1/lb2")
    other = SiteIntent("b", Extent("par1", "lb2"), drain, where="lyo1/lb2")
    typed = SiteIntent("c", HERE, drain, where="par1/lb1")
    first, second = orders([by_roll, other], HERE, NOW)
    assert first == (
        "draining for this machine by root on lyo1/lb2, 1m ago (1970-01-01T00:15:40Z), vip_mgmt roll: holds, as nothing stands beside it"
    )
    assert second == (
        "draining for par1/lb2 by root on lyo1/lb2, 1m ago (1970-01-01T00:15:40Z), vip_mgmt roll: not for this machine"
    )
    own = SiteIntent("d", HERE, drain, where="par1/lb1", own=True)
    (said,) = orders([own], HERE, NOW)
    assert said.startswith("draining for this machine by root on par1/lb1, 1m ago")
    (said,) = orders([typed], HERE, NOW)
    assert said.startswith("draining for this machine (--here) by root, 1m ago")


@pytest.mark.parametrize(
    ("known", "rule", "others"),
    [
        (
            [one("a", HERE, Mode.DRAINED), one("b", PAR1, Mode.AUTO)],
            "as a drain stands above a restore that did not know of it, or is wider",
            ["stands beside it"],
        ),
        (
            [one("a", PAR1, Mode.DRAINED), one("b", HERE, Mode.DRAINING)],
            "as a drain that withdraws stands above one that drains softly",
            ["stands beside it"],
        ),
        (
            [one("a", PAR1, Mode.FORCED), one("b", HERE, Mode.AUTO)],
            "as what is forced stands above what is not",
            ["stands beside it"],
        ),
        (
            [one("a", HERE, Mode.DRAINED), one("b", EVERYWHERE, Mode.DRAINED)],
            "as the narrower one stands above the wider",
            ["stands beside it"],
        ),
        (
            [one("a", PAR1, Mode.DRAINED, 950.0), one("b", PAR1, Mode.DRAINED, 940.0)],
            "as the newest",
            ["stands beside it"],
        ),
        (
            [
                one("a", PAR1, Mode.DRAINING),
                replace(one("b", HERE, Mode.DRAINING, 950.0), own=True),
            ],
            "as an operator's word stands above the same of a roll",
            ["stands beside it"],
        ),
        (
            [
                one("a", PAR1, Mode.DRAINING),
                one("b", EVERYWHERE, Mode.DRAINING),
                replace(one("c", HERE, Mode.DRAINING, 950.0), own=True),
            ],
            "as the narrower one stands above the wider",
            ["stands beside it", "stands beside it"],
        ),
        (
            [one("a", LYO1, Mode.DRAINED), one("b", HERE, Mode.DRAINED, until=999.0)],
            "",
            ["over", "not for this machine"],
        ),
    ],
)
def test_rules(known: list[SiteIntent], rule: str, others: list[str]) -> None:
    """The one that holds stands first, with the rule by which it does."""
    said = [*orders(known, HERE, NOW)]
    if rule:
        first = said.pop(0)
        assert first.endswith(f": holds, {rule}")
    assert [each.rpartition(": ")[2] for each in said] == others


def test_overruled() -> None:
    """What a narrower one knew of is overruled while that holds."""
    wide = one("a", PAR1, Mode.DRAINED)
    narrow = asked("b", HERE, Intent(Mode.AUTO, "bob", 950.0, until=1200.0), [wide])
    first, second = orders([wide, narrow], HERE, NOW)
    assert first.startswith("restored for this machine (--here) by bob")
    assert second.endswith(": overruled by one that knew of it")
    first, second = orders([wide, narrow], HERE, 1300.0)
    assert first.startswith("drained for par1")
    assert second.endswith(": over")


def test_many() -> None:
    """No more than some are told of."""
    known = [one(f"{n}", Extent(f"dc{n}"), Mode.DRAINED) for n in range(MOST + 3)]
    assert [*orders(known, HERE, NOW)][-1] == "and 3 more"
