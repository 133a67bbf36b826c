"""What a roll asks of a machine, in its state file: it drains and restores, and no word of an operator or of the machine itself is lost."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from policy.drain import Progress
from policy.intent import Intent, Mode
from policy.report import AppReport, ReportState
from policy.route import parse_prefix
from policy.site_intent import Extent
from policy.window import Window
from speaker.state.reports import Given
from speaker.state.site_text import parse_site_text, site_text
from speaker.state.store import StageEnd, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREFIX = parse_prefix("192.0.2.1/32")
NOW = 1_700_000_000.0
PAR = Extent("par1")
LB1, LB2 = Extent("par1", "lb1"), Extent("par1", "lb2")
ROLL = Intent(Mode.DRAINING, "root", NOW + 100, "vip_mgmt roll")
BACK = Intent(Mode.AUTO, "root", NOW + 500, "vip_mgmt roll")
SOFT = Intent(Mode.DRAINING, "ann", NOW, "disk", insisted=True)


class RolledMachine:
    """A machine, LB2, of which another one, LB1, orders."""

    def __init__(self, own: Store, other: Store) -> None:
        self.store, self.other = own, other

    def exchange(self, now: float) -> None:
        """Have both hear of each other."""
        for one, to, here in ((self.other, self.store, LB2), (self.store, self.other, LB1)) * 2:
            rows = one.site_dirty()
            to.take_site(rows, here, now)
            one.site_clean(rows)

    def roll(self, intent: Intent) -> None:
        """Have the other one order as a roll does."""
        self.other.ask_site({PREFIX: intent}, LB2, LB1, own=True)
        self.exchange(intent.since)

    @property
    def intent(self) -> Intent | None:
        """What is in force, or was last."""
        return self.store.intents().of.get(PREFIX)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[RolledMachine]:
    with closing(Store(tmp_path / "own")) as own, closing(Store(tmp_path / "other")) as other:
        yield RolledMachine(own, other)


def test_nobody_asked(machine: RolledMachine) -> None:
    """It drains, and is restored; again and again, and there is one order of it at most."""
    for _ in range(3):
        machine.roll(ROLL)
        assert machine.intent == ROLL
        machine.roll(BACK)
        assert machine.intent is None
    (one,) = machine.store.site_known()[PREFIX]
    assert (one.own, one.intent) == (True, BACK)


@pytest.mark.parametrize("extent", [LB2, PAR], ids=str)
@pytest.mark.parametrize("withdrawn", [False, True])
def test_a_soft_drain_under_way(machine: RolledMachine, extent: Extent, *, withdrawn: bool) -> None:
    """It goes on as the operator asked: whose it is, since when, and with --force; also where it has withdrawn."""
    machine.store.ask_site({PREFIX: SOFT}, extent, LB2)
    before = SOFT
    if withdrawn:
        before = replace(SOFT, mode=Mode.DRAINED, insisted=False)
        end = StageEnd(SOFT, before, Progress(Mode.DRAINING, NOW, NOW), "quiet")
        machine.store.advance({PREFIX: end}, NOW + 50)
    for intent in (ROLL, BACK):
        machine.roll(intent)
        assert machine.intent == before


@pytest.mark.parametrize("where", ["there", "where the roll runs"])
@pytest.mark.parametrize("extent", [LB2, PAR], ids=str)
@pytest.mark.parametrize("mode", [Mode.DRAINED, Mode.DRAINING])
def test_a_drain_meanwhile(machine: RolledMachine, mode: Mode, extent: Extent, where: str) -> None:
    """It stays when the roll restores, wherever it was typed; and its own restore ends it."""
    word = Intent(mode, "ann", NOW + 200)
    machine.roll(ROLL)
    if where == "there":
        machine.store.ask_site({PREFIX: word}, extent, LB2)
    else:
        machine.other.ask_site({PREFIX: word}, extent, LB1)
    machine.exchange(NOW + 201)
    machine.roll(BACK)
    assert machine.intent is not None
    assert (machine.intent.owner, machine.intent.restores) == ("ann", False)
    machine.other.ask_site({PREFIX: replace(word, mode=Mode.AUTO, since=NOW + 900)}, extent, LB1)
    machine.exchange(NOW + 901)
    assert machine.intent is None


def test_forced(machine: RolledMachine) -> None:
    """What was forced, for some time, drains, and is forced again until then."""
    forced = Intent(Mode.FORCED, "ann", NOW, until=NOW + 9000)
    machine.store.ask_site({PREFIX: forced}, LB2, LB2)
    machine.roll(ROLL)
    assert machine.intent == replace(ROLL, forced=True)
    machine.roll(BACK)
    assert machine.intent == forced


def test_a_drain_that_ends_meanwhile(machine: RolledMachine) -> None:
    """There is no gap: where an operator's ends while the roll drains, the roll's holds from then on; and its restore restores."""
    machine.store.ask_site({PREFIX: replace(SOFT, until=NOW + 200)}, LB2, LB2)
    machine.roll(ROLL)
    assert machine.intent is not None
    assert machine.intent.in_force(NOW + 201)
    machine.store.settle_site(LB2, NOW + 201)
    assert machine.intent.owner == "root"
    machine.roll(BACK)
    assert machine.intent is None


@pytest.mark.parametrize("seconds", [None, 3600.0, 60.0])
def test_a_planned_drain_begins_meanwhile(machine: RolledMachine, seconds: float | None) -> None:
    """It begins, and stays until its own end; where that is before the roll's, the machine stays drained until the roll restores."""
    machine.store.schedule(
        Window(0, frozenset({PREFIX}), Mode.DRAINED, "ann", NOW, NOW + 200, "", seconds)
    )
    machine.roll(ROLL)
    machine.store.run_windows([1], NOW + 200)
    machine.store.settle_site(LB2, NOW + 201)
    assert machine.intent is not None
    assert machine.intent.owner == "ann"
    machine.store.settle_site(LB2, NOW + 300)
    assert machine.intent.in_force(NOW + 300)
    assert not machine.intent.restores
    machine.roll(BACK)
    if seconds == 60.0:
        assert machine.intent is None
    else:
        assert machine.intent is not None
        assert machine.intent.owner == "ann"


def test_a_report_drains_meanwhile(machine: RolledMachine) -> None:
    """What an application asks while a roll drains goes on after it, until the application says otherwise."""
    report = AppReport(ReportState.DRAIN, "shop", NOW + 200, 3600.0)
    machine.roll(ROLL)
    machine.store.report([("shop", Given(report, (PREFIX,)))])
    machine.roll(BACK)
    assert machine.intent is not None
    assert machine.intent.owner == "report/shop (shop)"
    up = replace(report, state=ReportState.UP, at=NOW + 600)
    machine.store.report([("shop", Given(up))])
    assert machine.intent.mode is Mode.RETURNING


def test_an_application_is_ready_meanwhile(machine: RolledMachine) -> None:
    """A report that ends its drain does not end the roll's."""
    report = AppReport(ReportState.DRAIN, "shop", NOW, 3600.0)
    machine.store.report([("shop", Given(report, (PREFIX,)))])
    machine.roll(ROLL)
    machine.store.report([("shop", Given(replace(report, state=ReportState.UP, at=NOW + 200)))])
    machine.store.settle_site(LB2, NOW + 201)
    assert machine.intent is not None
    assert not machine.intent.restores
    machine.roll(BACK)
    assert all(each.restores for each in machine.store.intents().of.values())


def test_the_text(machine: RolledMachine) -> None:
    """The mark is in the text, and without it the text is what it was; a text without it has none."""
    machine.roll(ROLL)
    (one,) = machine.store.site_known()[PREFIX]
    text = site_text([one])
    assert '"own":true' in text.replace(": ", ":")
    assert parse_site_text(text, LB2) == (one,)
    plain = replace(one, own=False)
    assert 'own"' not in site_text([plain])
    assert parse_site_text(site_text([plain]), LB2) == (plain,)


def test_a_drain_that_gave_up(machine: RolledMachine) -> None:
    """A soft drain that came to nothing, as nobody took over, is tried again where a roll drains, and stands after it; not before."""
    machine.store.ask_site({PREFIX: SOFT}, PAR, LB2)
    machine.store.advance({PREFIX: StageEnd(SOFT, None, None, "gone")}, NOW + 50)
    machine.exchange(NOW + 60)
    machine.store.settle_site(LB2, NOW + 60)
    assert machine.intent is None
    for intent in (ROLL, BACK):
        machine.roll(intent)
        assert machine.store.intents().of == {PREFIX: SOFT}


def test_a_drain_that_gave_up_is_not_tried_for_a_restore(machine: RolledMachine) -> None:
    """Nor where a roll only restores."""
    machine.store.ask_site({PREFIX: SOFT}, PAR, LB2)
    machine.store.advance({PREFIX: StageEnd(SOFT, None, None, "gone")}, NOW + 50)
    machine.roll(BACK)
    assert machine.intent is None
