"""How a prefix stands at the machines of a site: what is wrong first, unknown is never taken for withdrawn, and each has its reason."""

from __future__ import annotations

import pytest

from policy.site_view import Level, MachineSaid, level

UP = MachineSaid("par1/lb1", announced=True, health="up", intent="auto")
ALSO = UP._replace(machine="par1/lb2")
DRAINED = MachineSaid("par1/lb2", announced=False, health="up", intent="drained by ann: disk")
DOWN = MachineSaid("par1/lb2", announced=False, health="down", intent="auto")
UNSAID = MachineSaid("par1/lb2", announced=False, health="up", intent="auto")
SILENT = MachineSaid("par1/lb3", announced=None)


@pytest.mark.parametrize(
    ("said", "found", "why"),
    [
        ([UP, ALSO], Level.WELL, ""),
        ([UP, DRAINED], Level.ASIDE, "par1/lb2: drained by ann: disk"),
        ([UP, DOWN], Level.ASIDE, "par1/lb2: down"),
        ([UP, UNSAID], Level.WRONG, "par1/lb2: not announced, although up"),
        ([UP, SILENT], Level.UNKNOWN, "par1/lb3: not known"),
        ([UP, DRAINED, SILENT], Level.UNKNOWN, "par1/lb3: not known"),
        ([DRAINED], Level.ASIDE, "announced nowhere: par1/lb2: drained by ann: disk"),
        ([DOWN], Level.WRONG, "announced nowhere: par1/lb2: down"),
        (
            [DOWN, DRAINED._replace(machine="x")],
            Level.WRONG,
            "announced nowhere: par1/lb2: down; x: drained by ann: disk",
        ),
        ([DOWN, SILENT], Level.UNKNOWN, "par1/lb3: not known"),
        ([UP._replace(intent="drained")], Level.WRONG, "par1/lb1: announced although drained"),
        ([UP._replace(differs="bgpd hangs"), ALSO], Level.WRONG, "par1/lb1: bgpd hangs"),
        ([UP._replace(intent="draining"), ALSO], Level.ASIDE, "par1/lb1: draining"),
        ([UP._replace(intent="returning"), ALSO], Level.WELL, ""),
        ([SILENT], Level.UNKNOWN, "par1/lb3: not known"),
        ([], Level.UNKNOWN, "no machine that is to announce it is known"),
    ],
)
def test_level(said: list[MachineSaid], found: Level, why: str) -> None:
    """Announced nowhere is wrong unless each machine is drained; a silent machine is neither drained nor announcing."""
    assert level(said) == (found, why)


def test_behind_an_aggregate() -> None:
    """What an aggregate stands for is announced by nobody, as it must be; what is not known is not known there, too."""
    kept = UNSAID._replace(machine="par1/lb1")
    assert level([kept, UNSAID], is_hidden=True) == (Level.WELL, "")
    assert level([kept, SILENT], is_hidden=True)[0] is Level.UNKNOWN


def test_many() -> None:
    """Machines of which the same is so are named together, and no more than some."""
    said = [UP, *(DOWN._replace(machine=f"lb{n}") for n in range(9))]
    assert level(said)[1] == "lb0, lb1, lb2 and 6 more: down"
    said = [UP, *(DRAINED._replace(machine=f"lb{n}", intent=f"drained by {n}") for n in range(9))]
    assert level(said)[1].endswith("lb2: drained by 2; and 6 more reasons")
