"""When a table's loss is believed: not in the moment when keepalived empties or fills it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.health import Checker
from speaker.health.ipvs.debounce import SETTLE, STUBBORN, Debounce
from speaker.health.ipvs.table import IpvsTable
from tests.unit.health.ipvs.tables import TABLES, real, table

if TYPE_CHECKING:
    from speaker.health.ipvs.table import RealServer

    Families = dict[int | None, list[RealServer]]

ONE, TWO = real("198.51.100.1"), real("198.51.100.2")
IDLE = real("198.51.100.1", weight=0)


def web(*realservers: RealServer, more: bool = False) -> IpvsTable:
    services = {"tcp 192.0.2.1 80": [*realservers]}
    if more:
        services["tcp 192.0.2.1 443"] = [TWO]
    return table(services, {})


def settled(first: IpvsTable) -> Debounce:
    """Something that has believed a table."""
    settling = Debounce()
    settling.take(first, 0.0, busy=False)
    settling.take(first, 1.0, busy=False)
    assert not settling.pending
    return settling


def test_a_loss_that_stays() -> None:
    """A loss is believed when it is still there a moment later, and not before."""
    for lost in (web(), web(ONE), web(IDLE, TWO)):
        settling = settled(web(ONE, TWO))
        assert settling.take(lost, 10.0, busy=False) == web(ONE, TWO)
        assert settling.pending
        assert settling.take(lost, 10.0 + SETTLE, busy=False) == lost
        assert not settling.pending


def test_a_loss_on_the_way_to_the_end() -> None:
    """A virtual server that vanishes after its realservers never was without any."""
    settling = settled(web(ONE, TWO))
    assert settling.take(web(), 10.0, busy=False) == web(ONE, TWO)
    assert settling.take(IpvsTable(), 10.0 + SETTLE, busy=False) == IpvsTable()
    assert not settling.pending


def test_while_keepalived_is_at_work() -> None:
    """While keepalived is at work it may be on its way; but not for ever."""
    settling = settled(web(ONE, TWO))
    for step in range(9):
        assert settling.take(web(), 10.0 + step * STUBBORN / 10, busy=True) == web(ONE, TWO)
    assert settling.take(web(), 10.0 + 1.01 * STUBBORN, busy=True) == web()


def test_at_rest_only_after_the_look() -> None:
    """A table that was read before keepalived came to rest may be older than what it did until then."""
    settling = settled(web(ONE, TWO))
    assert settling.take(web(), 10.0, busy=True) == web(ONE, TWO)
    assert settling.take(web(), 10.1, busy=False) == web(ONE, TWO)
    assert settling.take(IpvsTable(), 10.2, busy=False) == IpvsTable()
    settling = settled(web(ONE, TWO))
    for now, busy in ((10.0, True), (10.1, False)):
        assert settling.take(web(), now, busy=busy) == web(ONE, TWO)
    assert settling.take(web(), 10.2, busy=True) == web()


def test_a_machine_that_stood_still() -> None:
    """Time alone, in which keepalived may not have had a processor either, makes nothing believed."""
    settling = settled(web(ONE, TWO))
    assert settling.take(web(), 10.0, busy=True) == web(ONE, TWO)
    assert settling.take(web(), 10.0 + 5 * STUBBORN, busy=True) == web(ONE, TWO)
    assert settling.take(IpvsTable(), 10.01 + 5 * STUBBORN, busy=True) == IpvsTable()


def test_what_is_new() -> None:
    """A virtual server that appears is believed a moment later: its realservers come one by one."""
    settling = settled(web(ONE))
    assert settling.take(web(ONE, more=True), 10.0, busy=False) == web(ONE)
    assert settling.take(web(ONE, more=True), 10.0 + SETTLE, busy=False) == web(ONE, more=True)


def test_the_end_right_after_the_start() -> None:
    """A virtual server that was full while it was new, and not believed yet, is not believed to be empty."""
    settling = Debounce()
    settling.take(web(ONE), 10.0, busy=False)
    settling.take(web(), 10.0 + SETTLE, busy=True)
    assert settling.pending
    assert settling.take(IpvsTable(), 10.0 + 2 * SETTLE, busy=True) == IpvsTable()


def test_the_end_after_a_start_that_took_long() -> None:
    """... however long and often it was looked at before, as after a new configuration of the watchdog."""
    settling = Debounce()
    looks = [10.0 + since for since in (0, 0.024, 0.065, 0.072, 0.078, 0.095, 0.102, 0.113, 0.122)]
    for now in looks:
        settling.take(web(ONE), now, busy=True)
    settling.take(web(), 11.028, busy=True)
    assert settling.pending
    assert settling.take(IpvsTable(), 11.059, busy=True) == IpvsTable()


def test_one_loss_after_another() -> None:
    """What is lost while another loss waits begins to wait itself."""
    settling = settled(web(ONE, TWO))
    assert settling.take(web(ONE), 10.0, busy=False) == web(ONE, TWO)
    assert settling.take(web(), 10.0 + SETTLE, busy=True) == web(ONE, TWO)
    assert settling.take(web(), 10.1, busy=False) == web(ONE, TWO)
    assert settling.take(web(), 10.2, busy=True) == web()


def test_another_keepalived() -> None:
    """That one was at rest when it had ended says nothing of the next, which has just begun to fill."""
    settling = settled(web(ONE, TWO))
    first, second = Checker(5.0), Checker(10.05)
    assert settling.take(web(), 10.0, busy=False, keeper=first) == web(ONE, TWO)
    assert settling.take(web(), 10.1, busy=True, keeper=second) == web(ONE, TWO)
    assert settling.take(web(ONE, TWO), 10.2, busy=False, keeper=second) == web(ONE, TWO)
    assert not settling.pending


def test_a_gain_at_once() -> None:
    """More realservers are believed at once, and so is one that takes another's place."""
    settling = settled(web(ONE))
    for gained in (web(ONE, TWO), web(TWO, ONE), web(TWO, IDLE, ONE)):
        assert settling.take(gained, 10.0, busy=True) == gained
        assert not settling.pending


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({4: [ONE]}, {4: []}),
        ({4: [ONE]}, {None: []}),
        ({None: [ONE]}, {None: []}),
        ({4: [ONE], 6: [ONE]}, {4: [ONE], 6: []}),
        ({4: [ONE], 6: [ONE]}, {4: [ONE, TWO], 6: []}),
        ({4: [ONE], 6: [ONE]}, {4: [ONE]}),
        ({4: [ONE]}, {4: [ONE], 6: []}),
    ],
)
def test_marks(before: Families, after: Families) -> None:
    """Of a firewall mark, what either family lost, or is new, is believed a moment later."""
    full, less = table({}, {8: before}), table({}, {8: after})
    settling = settled(full)
    assert settling.take(less, 10.0, busy=False) == full
    assert settling.take(less, 10.0 + SETTLE, busy=False) == less


@pytest.mark.parametrize(
    ("before", "after"),
    [({4: [ONE]}, {4: [ONE, TWO]}), ({None: [ONE]}, {4: [ONE]}), ({None: []}, {6: [ONE]})],
)
def test_marks_that_gain(before: Families, after: Families) -> None:
    """More realservers, or a family that is told now, are believed at once."""
    settling = settled(table({}, {8: before}))
    assert settling.take(table({}, {8: after}), 10.0, busy=True) == table({}, {8: after})


@given(st.lists(st.tuples(TABLES, st.sampled_from([0.0, 0.001, SETTLE, 1.0]), st.booleans())))
def test_what_stays_is_believed(steps: list[tuple[IpvsTable, float, bool]]) -> None:
    """Whatever was before: a table that stays is believed as it is, and what waits is what it says."""
    settling, now = Debounce(), 0.0
    for seen, step, busy in steps:
        now += step
        believed = settling.take(seen, now, busy=busy)
        assert (believed == seen) or settling.pending
        assert believed.services.keys() <= seen.services.keys()
        for _ in range(2):
            now += 2 * SETTLE
            believed = settling.take(seen, now, busy=False)
        assert believed == seen
        assert not settling.pending
