"""Two rolls over one data centre, typed on two machines: one gives way, and leaves nothing drained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from policy.intent import Mode
from policy.roll import Roll, RollStage
from policy.route import parse_prefix
from policy.site_view import Level
from speaker.cli.other_rolls import by_another_roll, is_by_roll, reason_of
from speaker.cli.roll_command import NotRolledError
from speaker.cli.rolling import GaveWayError, Limits, Rolling
from speaker.site_values import MachineState, SiteOrder, SitePrefix, SiteStatus
from tests.support.fakes.rolled_site import FakeRolledSite

if TYPE_CHECKING:
    from collections.abc import Callable

ONE, TWO = "192.0.2.1/32", "192.0.2.2/32"
LB1, LB2 = "par1/lb1", "par1/lb2"
OTHER = "vip_mgmt roll on lyo1/lb1"
ON = "at 1970-01-01T00:00:00Z"


def site_of() -> FakeRolledSite:
    return FakeRolledSite([LB1, LB2], [ONE, TWO], {})


def rolling(
    site: FakeRolledSite, record: list[Roll], run: Callable[[str], int] = lambda _: 0
) -> Rolling:
    limits = Limits(20.0, 10.0)
    return Rolling(site, record.append, run, limits, wait=site.wait, steady=lambda: site.now)


def order(site: FakeRolledSite, name: str, mode: Mode, reason: str = OTHER) -> None:
    """Have another roll order something of a machine."""
    site.order(
        SiteOrder(
            mode=mode,
            prefixes=(parse_prefix(ONE), parse_prefix(TWO)),
            reason=reason,
            extent=f"machine:{name}",
            own=True,
        )
    )


def status(intent: str, machine: str = LB1) -> SiteStatus:
    state = MachineState(machine=machine, announced=False, intent=intent)
    prefix = SitePrefix(vip="vip-1.tld", prefix=ONE, level=Level.ASIDE, states=(state,))
    return SiteStatus(dc="par1", machine="lb2", connected=True, prefixes=(prefix,))


def test_whose_it_is() -> None:
    """A drain of a roll is known by its reason: where it was typed; a restore, and an operator's drain, are none."""
    drained = "draining by root at 2026-01-31T03:00:00Z: vip_mgmt roll on par1/lb2"
    assert reason_of(status(drained)) == "vip_mgmt roll on par1/lb2"
    assert is_by_roll(drained)
    assert by_another_roll(status(drained), "par1", LB1) == ""
    lost = f"{LB1}: {ONE}: {drained}"  # no record of it is known
    assert by_another_roll(status(drained), "par1", LB2) == lost
    assert by_another_roll(status(drained), "par1") == lost
    assert by_another_roll(status(drained), "lyo1") == ""
    for other in (f"{drained}0", "draining by root at 2026-01-31T03:00:00Z: vip_mgmt roll"):
        assert by_another_roll(status(other), "par1", LB1) == f"{LB1}: {ONE}: {other}"
    for none in (
        drained.replace("draining", "auto"),
        "drained by root at 2026-01-31T03:00:00Z: works",
        "drained by root at 2026-01-31T03:00:00Z: no vip_mgmt roll here",
        "",
    ):
        assert by_another_roll(status(none), "par1") == ""
    assert is_by_roll(drained.replace("par1/lb2", "par 1/lb2"))
    assert not is_by_roll(drained.replace("par1/lb2", "Monday"))


def test_another_machine_is_silent() -> None:
    """What is silent may be what another roll has restarted: no further machine is begun with meanwhile."""
    site, record = site_of(), list[Roll]()

    site.silent.add(LB2)
    with pytest.raises(
        NotRolledError, match=f"{LB2}: silent, so {LB1} is not drained: see to it first"
    ):
        rolling(site, record).go(Roll.over([LB1]))
    assert record == []


@pytest.mark.parametrize("name", [LB1, LB2])
def test_one_is_under_way(name: str) -> None:
    """Before it orders anything, a roll looks whether another one drains a machine of the data centre, its own or another one."""
    site, record = site_of(), list[Roll]()
    order(site, name, Mode.DRAINING)
    site.wait(5)
    with pytest.raises(NotRolledError, match=f"{name}: .*: {OTHER}: wait for the end of that roll"):
        rolling(site, record).go(Roll.over([LB1, LB2]))
    assert (len(site.orders), record) == (1, [])

    began = Roll.over([LB1, LB2]).begin([ONE])  # and was interrupted then
    with pytest.raises(NotRolledError, match=f"{OTHER}: wait for the end of that roll"):
        rolling(site, record).go(began)
    assert (len(site.orders), record) == (1, [])


@pytest.mark.parametrize("name", [LB1, LB2])
def test_they_begin_at_the_same_time(name: str) -> None:
    """Where the other one's order came after the look, a roll takes its own back when its machine has drained, runs nothing, and lifts no drain of the other's."""
    site, record, ran = site_of(), list[Roll](), list[str]()

    def cross() -> None:
        site.act = lambda: None
        order(site, name, Mode.DRAINING)

    def run(machine: str) -> int:
        ran.append(machine)
        return 0

    site.act = cross
    with pytest.raises(GaveWayError, match=f"{name}: .*: {OTHER}, which began at the same time"):
        rolling(site, record, run).go(Roll.over([LB1, LB2]))
    assert ran == []
    assert [one.stage for one in record[0].machines] == [RollStage.DRAINING, RollStage.WAITING]
    assert record[-1] == Roll.over([LB1, LB2])
    site.wait(5)
    assert site.announces(name) == set()
    order(site, name, Mode.AUTO)
    assert site.announces(LB1) == site.announces(LB2) == {ONE, TWO}


def test_the_other_gives_way() -> None:
    """A roll goes on where another one's order came and was taken back, or stands beneath its own."""
    site, record = site_of(), list[Roll]()
    order(site, LB1, Mode.DRAINING)
    order(site, LB1, Mode.AUTO)
    site.wait(5)
    rolling(site, record).go(Roll.over([LB1, LB2]))
    assert record[-1].current is None
    assert site.announces(LB1) == site.announces(LB2) == {ONE, TWO}


def test_it_can_not_be_taken_back() -> None:
    """What could not be taken back stays recorded as ordered to drain."""
    site, record = site_of(), list[Roll]()

    def cross() -> None:
        site.act = lambda: None
        order(site, LB1, Mode.DRAINING)
        site.obeys_restores = False

    site.act = cross
    with pytest.raises(NotRolledError, match="does not obey"):
        rolling(site, record).go(Roll.over([LB1, LB2]))
    assert record[-1].under_way is not None
    assert record[-1].under_way.stage is RollStage.DRAINING
