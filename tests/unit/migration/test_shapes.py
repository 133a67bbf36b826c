"""Whole files as sites have them: each imports, or is refused by the line that an expert would name; docs/import.md has them all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from speaker import vip_mgmt
from speaker.exit_status import ExitStatus

ROOT = Path(__file__).parents[2] / "migration" / "shapes"
PAGE = Path(__file__).parents[3] / "docs" / "import.md"
SHAPES = tuple(sorted(path.stem for path in ROOT.glob("*.conf")))
SAID = {
    "leaf-unnumbered": (
        "--peer-as",
        "FABRIC=64500",
        "--peer",
        "eth0=203.0.113.1",
        "--peer",
        "eth1=203.0.113.2",
    ),
    "cumulus": (
        "--peer-as",
        "swp1=64500",
        "--peer",
        "swp1=203.0.113.1",
        "--peer",
        "swp2=203.0.113.2",
    ),
    "vrfs": ("--vrf", "EDGE"),
}
TOLD = frozenset(
    {"anycast-dns", "filtered-aggregate", "ospf-integrated", "quagga-anycast", "vyos-like"}
)
"""Those that tell from where each session goes."""
ROW = re.compile(r"^\| [^|]+ \| ([\w-]+) \| ([\w-]+) \| ([^|]+) \|$", re.MULTILINE)
RESULTS = {
    name: result
    for frr, quagga, result in ROW.findall(PAGE.read_text("utf-8"))
    for name in (frr, quagga)
    if name != "-"
}


def test_each_has_its_row() -> None:
    """The page has every shape, and no others; at least twenty of FRR and ten of Quagga; nine of ten import."""
    assert sorted(RESULTS) == list(SHAPES)
    of_quagga = [name for name in SHAPES if name.startswith("quagga-")]
    assert len(of_quagga) >= 10
    assert len(SHAPES) - len(of_quagga) >= 20
    frr = [RESULTS[name] for name in SHAPES if name not in of_quagga]
    assert sum(result.startswith("refused") for result in frr) * 8 <= len(frr)


@pytest.mark.parametrize("name", SHAPES)
def test_shape(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A shape imports, and its lines are refused or not, as the page says; or its obstacle is named, and nothing written."""
    dialect = "--quagga" if name.startswith("quagga-") else "--frr"
    local = () if name in TOLD else ("--local", "par1=203.0.113.10/24")
    words = ["import", f"par1={ROOT / name}.conf", "--out", str(tmp_path / "out"), dialect, *local]
    words += ["--exabgp", "/bin/true"]  # the corpus has real ones, which take a second each
    status = vip_mgmt.main([*words, *SAID.get(name, ())])
    said = capsys.readouterr().err
    result = RESULTS[name]
    phrases = re.findall("`([^`]+)`", result)
    if result.startswith("refused"):
        assert (status, (tmp_path / "out").exists()) == (ExitStatus.USAGE, False)
        assert all(phrase in said for phrase in phrases), said
        return
    assert status == ExitStatus.DIFFERENT, said  # one data centre alone has no backup
    refused = [line for line in said.splitlines() if line.startswith("refused: ")]
    of_frr_alone = result.startswith("imports; of FRR's") and name.startswith("quagga-")
    assert bool(refused) == (bool(phrases) and not of_frr_alone)
    assert all(any(phrase in line for line in refused) for phrase in phrases) or of_frr_alone
