"""The checker of a site's history: good histories pass, and each kind of violation is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policy.route import parse_prefix
from policy.site_intent import EVERYWHERE, Extent
from tests.support.site_checker import (
    DRAINED_ANNOUNCED,
    LOST_DRAIN,
    LOST_RESTORE,
    NOWHERE,
    Bounds,
    percentile,
    violations,
    wake_ups,
)
from tests.support.site_history import (
    HealthChange,
    Hindrance,
    Operation,
    SeenRoute,
    SiteHistory,
)

VIP = parse_prefix("192.0.2.1/32")
PAR, LYO = Extent("par1"), Extent("lyo1")
PAR1, PAR2 = Extent("par1", "lb1"), Extent("par1", "lb2")
LYO1 = Extent("lyo1", "lb1")
ALL = frozenset({PAR1, PAR2, LYO1})
PAIR = frozenset({PAR1, PAR2})
VIPS = frozenset({VIP})
UP = tuple(HealthChange(0.0, machine, VIP, up=True) for machine in sorted(ALL))
AT_FIRST = tuple(SeenRoute(1.0, machine, VIP, announced=True) for machine in sorted(ALL))
DRAIN = Operation(1, True, VIPS, PAR, PAR1, 10.0, 10.5, 0, PAIR)  # noqa: FBT003 - a drain
RESTORE = replace(DRAIN, number=2, drains=False, asked=20.0, returned=20.5)


def seen(at: float, machine: Extent, *, announced: bool) -> SeenRoute:
    return SeenRoute(at, machine, VIP, announced)


def history(
    *operations: Operation,
    routes: tuple[SeenRoute, ...] = (),
    drained: frozenset[Extent] = frozenset(),
    hindrances: tuple[Hindrance, ...] = (),
    health: tuple[HealthChange, ...] = UP,
) -> SiteHistory:
    ends = {(machine, VIP): machine in drained for machine in ALL}
    routes = tuple(sorted((*AT_FIRST, *routes), key=lambda each: each.at))
    return SiteHistory(ALL, VIPS, 100.0, operations, routes, health, hindrances, ends)


def kinds(found: SiteHistory) -> list[str]:
    return [each.kind for each in violations(found, Bounds())]


def lost(found: SiteHistory) -> list[str]:
    return [kind for kind in kinds(found) if kind in (LOST_DRAIN, LOST_RESTORE)]


GONE = tuple(seen(10.3, machine, announced=False) for machine in sorted(PAIR))
BACK = tuple(seen(21.0, machine, announced=True) for machine in sorted(PAIR))


def test_good() -> None:
    """A drain that is obeyed, and a restore that is, are no violation; nor is nothing at all."""
    assert kinds(history()) == []
    assert kinds(history(DRAIN, routes=GONE, drained=PAIR)) == []
    assert kinds(history(DRAIN, RESTORE, routes=GONE + BACK)) == []


def test_a_drain_is_lost() -> None:
    """A machine of its extent that is not drained at the end has lost it, although nobody restored anything."""
    found = violations(history(DRAIN, routes=GONE, drained=frozenset({PAR1})))
    assert [each.kind for each in found] == [LOST_DRAIN]
    assert "par1/lb2 is not drained, as operation 1 asked" in str(found[0])


def test_a_drain_that_is_queued_is_lost() -> None:
    """What was recorded on the machine alone counts as much, once all have heard of all; what may not be recorded does not."""
    queued = replace(DRAIN, status=1, confirmed=frozenset({PAR1}))
    assert kinds(history(queued)) == [LOST_DRAIN] * 2
    assert kinds(history(replace(DRAIN, status=None))) == []
    assert kinds(history(replace(DRAIN, returned=None))) == []


def test_a_restore_is_lost() -> None:
    """A machine that is drained at the end, where each drain was lifted by one that knew it, has lost that."""
    found = history(DRAIN, RESTORE, routes=GONE + BACK, drained=frozenset({PAR2}))
    assert kinds(found) == [LOST_RESTORE]
    assert kinds(history(drained=frozenset({LYO1}))) == [LOST_RESTORE], "which nobody drained"


@pytest.mark.parametrize("drained", [frozenset(), PAIR], ids=["restored", "drained"])
def test_at_the_same_time(drained: frozenset[Extent]) -> None:
    """Of two that may have known each other, or not, either may be in force."""
    other = replace(RESTORE, where=PAR2, asked=10.2, returned=11.0)
    assert kinds(history(DRAIN, other, drained=drained)) == []


def test_it_could_not_know() -> None:
    """A restore asked where nothing could be heard of the drain lifts it not: the drain is lost if it does."""
    cut = Hindrance(frozenset({PAR2}), 5.0, 30.0, "cut")
    other = replace(RESTORE, where=PAR2, status=1)
    found = history(replace(DRAIN, status=1), other, hindrances=(cut,))
    assert lost(found) == [LOST_DRAIN] * 2
    for span in (replace(cut, since=15.0), replace(cut, until=19.0), replace(cut, kind="etcd")):
        assert lost(replace(found, hindrances=(span,))) == []
    assert (
        lost(replace(found, operations=(DRAIN, replace(other, knew=frozenset()))))
        == [LOST_DRAIN] * 2
    )


def test_wider_and_narrower() -> None:
    """A restore for more lifts no drain for less; one for less lifts a drain for more, there, until it ends."""
    one = replace(DRAIN, extent=PAR1, confirmed=frozenset({PAR1}))
    wide = replace(RESTORE, extent=EVERYWHERE, confirmed=ALL)
    assert lost(history(one, wide)) == [LOST_DRAIN]
    narrow = replace(RESTORE, extent=PAR1, confirmed=frozenset({PAR1}))
    assert lost(history(DRAIN, narrow, drained=frozenset({PAR2}))) == []
    assert lost(history(DRAIN, narrow, drained=frozenset({PAR1, PAR2}))) == [LOST_RESTORE]
    over = replace(narrow, until=50.0)
    assert lost(history(DRAIN, over, drained=frozenset({PAR2}))) == [LOST_DRAIN]
    again = replace(one, number=3, asked=30.0, returned=30.5)
    assert lost(history(DRAIN, narrow, again, drained=PAIR)) == []
    assert lost(history(DRAIN, narrow, again, drained=frozenset({PAR2}))) == [LOST_DRAIN]


def test_it_ended() -> None:
    """A drain that ended by itself holds no more, and one that took its place ended it."""
    hour = replace(DRAIN, until=60.0)
    assert lost(history(hour)) == []
    assert lost(history(hour, drained=PAIR)) == [LOST_RESTORE] * 2
    assert lost(history(DRAIN, replace(hour, number=2, asked=12.0, returned=12.5))) == []
    for drained in (frozenset[Extent](), PAIR):  # clocks differ
        assert lost(history(replace(DRAIN, until=99.5), drained=drained)) == []


def test_drained_and_announced() -> None:
    """What a machine confirmed, and announces after that, is seen; not before it, nor after a restore, nor of others."""
    assert kinds(history(DRAIN, routes=GONE[:1], drained=PAIR)) == [DRAINED_ANNOUNCED]
    flap = (seen(40.0, PAR2, announced=True), seen(40.2, PAR2, announced=False))
    (found,) = violations(history(DRAIN, routes=GONE + flap, drained=PAIR))
    assert (found.kind, found.at) == (DRAINED_ANNOUNCED, 40.0)
    assert kinds(history(DRAIN, RESTORE, routes=GONE + flap)) == []
    partly = replace(DRAIN, status=1, confirmed=frozenset({PAR1}))
    assert kinds(history(partly, routes=GONE + flap, drained=PAIR)) == []
    assert kinds(history(replace(DRAIN, soft=True), drained=PAIR)) == []
    assert kinds(history(replace(DRAIN, until=39.0), routes=GONE + flap)) == []
    late = replace(DRAIN, number=3, asked=12.0, returned=12.5, until=39.0)
    assert kinds(history(DRAIN, late, routes=GONE + flap)) == []
    one = replace(DRAIN, extent=PAR2, confirmed=frozenset({PAR2}))
    wide = replace(RESTORE, extent=PAR)
    assert DRAINED_ANNOUNCED in kinds(history(one, wide, routes=GONE + flap, drained=PAIR))


ALL_GONE = tuple(seen(30.0, machine, announced=False) for machine in sorted(ALL))


def test_nowhere() -> None:
    """A VIP that is nowhere for longer than it takes, although a machine is healthy and not drained, is seen."""
    found = violations(history(routes=ALL_GONE))
    assert {each.kind for each in found} == {NOWHERE}
    assert {each.at for each in found} == {40.0}
    back = (seen(39.0, LYO1, announced=True),)
    assert kinds(history(routes=ALL_GONE + back)) == []


def test_nowhere_for_a_reason() -> None:
    """It may be nowhere where nobody can announce it."""
    down = tuple(HealthChange(29.0, machine, VIP, up=False) for machine in sorted(ALL))
    assert kinds(history(routes=ALL_GONE, health=UP + down)) == []
    for kind in ("down", "router"):
        assert kinds(history(routes=ALL_GONE, hindrances=(Hindrance(ALL, 30, 95, kind),))) == []
    cut = (Hindrance(ALL, 30, 95, "cut"),)
    assert NOWHERE in kinds(history(routes=ALL_GONE, hindrances=cut))
    everywhere = replace(DRAIN, extent=EVERYWHERE, confirmed=ALL)
    assert kinds(history(everywhere, routes=ALL_GONE[:0] + GONE + ALL_GONE, drained=ALL)) == [
        DRAINED_ANNOUNCED
    ], "by the one that took too long"


def test_nowhere_after_a_restore() -> None:
    """Once it is restored, somebody has to announce it again in time."""
    everywhere = replace(DRAIN, extent=EVERYWHERE, confirmed=ALL)
    gone = tuple(seen(10.3, machine, announced=False) for machine in sorted(ALL))
    restore = replace(RESTORE, extent=EVERYWHERE, confirmed=ALL)
    (one, *_) = violations(history(everywhere, restore, routes=gone))
    assert (one.kind, one.at) == (NOWHERE, 30.5)
    ended = replace(everywhere, until=50.0)
    assert {(e.kind, e.at) for e in violations(history(ended, routes=gone))} == {(NOWHERE, 61.0)}


def test_wake_ups() -> None:
    """It is counted from what an operator asked to what the far router lost by another machine."""
    (one,) = wake_ups(history(DRAIN, routes=GONE, drained=PAIR))
    assert (one.machine, one.operation, round(one.seconds, 3)) == (PAR2, 1, 0.3)
    assert wake_ups(history(RESTORE)) == []
    assert wake_ups(history(DRAIN)) == []


def test_percentile() -> None:
    """Of a hundred, the 99th is not the last."""
    values = [*range(100)]
    assert (percentile(values, 0.99), percentile([7], 0.99), percentile([], 0.99)) == (99, 7, 0)
    assert percentile([*range(200)], 0.99) == 198
