"""bgpd's version: which one it is, which ones are tested, and what `check` says of others."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from policy.lint.finding import Code
from speaker import config as configuration
from speaker.backends.quagga.version import TESTED, Version, parse_version
from speaker.backends.quagga.vtysh import NotRunningError, Output
from speaker.check.bgpd import bgpd_version
from tests.golden.transcript import DIALECTS
from tests.support.lab.release import RELEASES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speaker.check.report import Report

ROOT = Path(__file__).parents[4]
SITE = """
[node]
dc = "par1"
backend = "{}"
[dc.par1]
asn = 64699
[health]
source = "none"
[vip."vip-1.tld"]
addresses = ["192.0.2.1"]
"""


def checked(directory: Path, said: str | Exception, backend: str = "quagga") -> Report:
    path = directory / "vip.toml"
    path.write_text(SITE.format(backend))
    path.chmod(0o600)

    async def vtysh(commands: Sequence[str]) -> Output:
        assert commands == ["show version"]
        if isinstance(said, Exception):
            raise said
        return Output(0, said, "")

    return bgpd_version(configuration.load(path, {}), vtysh)


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("FRRouting 8.4.4 (lvs).", Version("FRR", "8.4", ".4")),
        ("FRRouting 10.3 (lvs) on Linux(6.12.1).", Version("FRR", "10.3")),
        ("FRRouting 10.7.1 (lvs) on Linux(6.12.1).", Version("FRR", "10.7", ".1")),
        ("FRRouting 9.0-dev-site-2 (lvs) on Linux(6.1).", Version("FRR", "9.0", "-dev-site-2")),
        ("FRRouting 11 (lvs) on Linux(6.12.1).", Version("FRR", "11")),
        ("FRRouting 11rc1", Version("FRR", "11", "rc1")),
        ("FRRouting master-site (lvs).", Version("FRR", "", "master-site")),
        ("FRRouting  (lvs).", None),
        ("Quagga 0.99.22.4 ().", Version("Quagga", "0.99", ".22.4")),
        ("Quagga 1.2.4 (lvs).", Version("Quagga", "1.2", ".4")),
        ("OpenBGPD 8.4", None),
        ("", None),
    ],
)
def test_what_show_version_says(line: str, version: Version | None) -> None:
    """The name, the first two numbers, which count, and the rest."""
    assert parse_version([line, "Copyright 1996-2005 Kunihiro Ishiguro, et al."]) == version
    if version is not None:
        assert str(version) in line.replace("FRRouting", "FRR")


@pytest.mark.parametrize(
    "said", ["FRRouting 8.4.4 (lvs).", "FRRouting 10.3.1 (lvs) on Linux(6.1)."]
)
def test_a_tested_version_is_no_finding(tmp_path: Path, said: str) -> None:
    """Whatever its third number."""
    assert checked(tmp_path, f"{said}\n").findings == ()


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("FRRouting 8.5.2 (lvs).\n", "it is FRR 8.5.2"),
        ("FRRouting 11.0 (lvs) on Linux(6.1).\n", "it is FRR 11.0"),
        ("FRRouting 11 (lvs) on Linux(6.1).\n", "it is FRR 11"),
        ("FRRouting master (lvs).\n", "it is FRR master"),
        ("Quagga 1.1.1 (lvs).\n", "it is Quagga 1.1.1"),
        (
            "\nZebOS 7\x1b[31m\n",
            r"show version says 'ZebOS 7\x1b[31m', which is neither FRR nor Quagga",
        ),
        ("", "show version says 'nothing', which is neither FRR nor Quagga"),
    ],
)
def test_any_other_version_is_a_finding(tmp_path: Path, said: str, found: str) -> None:
    """Named, with those that are tested; one between them was the broken one before."""
    (finding,) = checked(tmp_path, said).findings
    assert (finding.code, finding.subject, finding.found) == (Code.DAEMON_VERSION, "bgpd", found)
    assert "tested are FRR 8.4 and 10.3 and 10.7, Quagga 0.99 and 1.2" in finding.remedy


def test_a_bgpd_that_can_not_be_asked_is_a_note(tmp_path: Path) -> None:
    """Unknown is not wrong."""
    report = checked(tmp_path, NotRunningError("quagga/bgpd not running", ()))
    assert report.findings == ()
    assert report.notes == ("not checked: bgpd's version: quagga/bgpd not running",)


def test_only_where_bgpd_is_the_backend(tmp_path: Path) -> None:
    """Beside ExaBGP nobody asks vtysh."""
    report = checked(tmp_path, AssertionError("asked"), backend="exabgp")
    assert (report.findings, report.notes) == ((), ())


def test_what_is_said_to_be_tested_is_what_the_tests_run() -> None:
    """Each has its recordings; each FRR a release of Debian; README and docs/quagga.md name them all."""
    numbers = {
        (name, ".".join(text.split(".")[:2]))
        for name, _, text in (dialect.partition("-") for dialect in DIALECTS)
    }
    tested = {(name.lower(), number) for name, of in TESTED.items() for number in of}
    assert numbers == tested
    assert {release.recorded for release in RELEASES} == {d for d in DIALECTS if "frr" in d}
    for page in ("README.md", "docs/quagga.md"):
        text = " ".join((ROOT / page).read_text().split())
        for name, of in TESTED.items():
            listed = r"[0-9., and]*".join(map(re.escape, of))
            assert re.search(rf"{name} {listed}", text), (page, name)
