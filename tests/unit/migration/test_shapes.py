"""Whole files as sites have them: each imports, or is refused by the line that an expert would name."""

from __future__ import annotations

from pathlib import Path

import pytest

from speaker.migration.bgpd_conf.answers import parse
from speaker.migration.bgpd_conf.model import Dialect
from speaker.migration.bgpd_conf.reader import read
from speaker.migration.updates.evaluate import evaluate

ROOT = Path(__file__).parents[2] / "migration" / "shapes"
SHAPES = tuple(sorted(path.stem for path in ROOT.glob("*.conf")))
SAID = {
    "leaf-unnumbered": (["FABRIC=64500"], ["eth0=203.0.113.1", "eth1=203.0.113.2"], None),
    "cumulus": (["swp1=64500"], ["swp1=203.0.113.1", "swp2=203.0.113.2"], None),
    "vrfs": ([], [], "EDGE"),
}
REFUSED = {
    "confederation": "bgp confederation identifier 64500: confederations are not translated",
    "maintenance": "bgp graceful-shutdown: a maintenance is under way",
}
"""What can't be told, or must not be."""
OF_OTHER_SOURCES = frozenset({"redistribute-connected"})
"""What announces more than its networks."""


def test_there_are_many() -> None:
    """There are at least twenty, and most are no exceptions."""
    assert len(SHAPES) >= 20
    assert len(REFUSED) * 8 <= len(SHAPES)


@pytest.mark.parametrize("name", [each for each in SHAPES if each not in OF_OTHER_SOURCES])
def test_shape(name: str) -> None:
    """A shape is read and evaluated without an obstacle, and sends something; or its obstacle is named."""

    peer_as, peers, vrf = SAID.get(name, ([], [], None))
    answers = parse(peer_as, peers, ["par1"], vrf)["par1"]
    dialect = Dialect.FRR if name == "metallb" else None
    found = read(f"{name}.conf", (ROOT / f"{name}.conf").read_bytes(), dialect, answers)
    evaluation = evaluate(found)
    if name in REFUSED:
        assert any(REFUSED[name] in str(each) for each in evaluation.obstacles)
        return
    assert not evaluation.obstacles
    assert all(evaluation.updates.values()), "each neighbour is sent something"
    assert answers.unused() == ()
