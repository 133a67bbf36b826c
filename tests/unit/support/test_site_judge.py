"""What judges a whole site finds each kind of fault, and excuses what may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.intent import Intent, Mode
from policy.site_intent import EVERYWHERE, Extent, SiteIntent, asked
from tests.support.site_judge import GRACE, LAG, Done, Record, faults

if TYPE_CHECKING:
    from collections.abc import Sequence

ONE, TWO, FAR = "par1/lb1", "par1/lb2", "lyo1/lb1"
VIP = "192.0.2.1/32"
PAR1 = Extent("par1")
END = 100.0


def record(*operations: Done, lost: Sequence[tuple[float, str]] = ()) -> Record:
    """A run of which the router lost prefixes of machines at some times, and saw no other change."""
    routes = [(at, machine, VIP, False) for at, machine in lost]
    return Record((ONE, TWO, FAR), (VIP,), 0.0, END, [*operations], [END - 1], [], routes)


def operation(
    number: int,
    at: float,
    *,
    drains: bool,
    extent: Extent = PAR1,
    known: Sequence[Done] = (),
    confirmed: Sequence[str] = (ONE, TWO),
) -> Done:
    intent = Intent(Mode.DRAINED if drains else Mode.AUTO, "ann", at, f"operation {number}")
    seen: list[SiteIntent] = [each.intent for each in known if each.intent]
    made = asked(f"id{number}", extent, intent, seen)
    said = frozenset(confirmed)
    return Done(number, ONE, VIP, drains, extent, at, at + 1, 0, "", made, said)


def test_all_is_well() -> None:
    """A drain that is obeyed, and a restore of it, are no fault; nor is a run where nothing happens."""
    assert faults(record()) == []
    drain = operation(0, 10, drains=True)
    restore = operation(1, 20, drains=False, known=[drain])
    found = record(drain, restore, lost=[(10.5, ONE), (10.9, TWO)])
    found.routes += [(20.5, ONE, VIP, True), (20.6, TWO, VIP, True)]
    assert faults(found) == []


def test_a_drain_that_is_broken() -> None:
    """Who has confirmed a drain announces nothing of it until somebody restores it; who has not is not known."""
    drain = operation(0, 10, drains=True)
    found = record(drain, lost=[(10.5, ONE)])
    assert [text for text in faults(found) if f"announced by {TWO}" in text]
    assert not [text for text in faults(found) if f"announced by {ONE}" in text]
    found.routes.append((50.0, ONE, VIP, True))
    assert [text for text in faults(found) if f"announced by {ONE} from 50.00" in text]
    assert faults(record(operation(0, 10, drains=True, confirmed=[]))) == []
    late = record(drain, lost=[(11 + LAG / 2, ONE), (11 + LAG / 2, TWO)])
    assert faults(late) == []


def test_nowhere() -> None:
    """Nobody announces it although a machine is healthy, and no drain may be for it."""
    gone = [(30.0, ONE), (30.0, TWO), (30.0, FAR)]
    assert len(faults(record(lost=gone))) == 3
    drain = operation(0, 29, drains=True, extent=EVERYWHERE, confirmed=[])
    assert faults(record(drain, lost=gone)) == []
    ill = record(lost=gone)
    ill.health = [(29.0, name, VIP, False) for name in (ONE, TWO, FAR)]
    assert faults(ill) == []
    ill.health.append((60.0, FAR, VIP, True))
    assert len(faults(ill)) == 1
    ill.routes.append((60.0 + GRACE / 2, FAR, VIP, True))
    assert faults(ill) == []


def test_nowhere_after_a_restore() -> None:
    """A drain excuses no longer than until a restore that knew of it was confirmed; one that did not know lifts nothing."""
    drain = operation(0, 29, drains=True, extent=EVERYWHERE, confirmed=[])
    gone = [(30.0, ONE), (30.0, TWO), (30.0, FAR)]
    knew = operation(1, 40, drains=False, extent=EVERYWHERE, known=[drain], confirmed=[ONE])
    assert len(faults(record(drain, knew, lost=gone))) == 1
    knew_not = operation(1, 40, drains=False, extent=EVERYWHERE, confirmed=[ONE])
    assert faults(record(drain, knew_not, lost=gone)) == []


def test_lost() -> None:
    """An operation that ended well is known somewhere, or was overruled."""
    lost = operation(0, 10, drains=False)
    lost.intent = None
    assert len(faults(record(lost))) == 1
    assert faults(record(lost, operation(1, 10.5, drains=False))) == []
