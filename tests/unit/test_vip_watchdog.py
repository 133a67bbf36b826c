"""Which parent is ExaBGP, by its command line; and what is said where ExaBGP is gone from the start."""

import subprocess
import sys
from pathlib import Path

import pytest

from speaker.runtime.exabgp_process import BESIDE_GONE, GONE, SHUTS_DOWN
from speaker.vip_watchdog import is_exabgp


@pytest.mark.parametrize(
    "command",
    [
        "/usr/bin/python3 /usr/sbin/exabgp /etc/exabgp/exabgp.conf",
        "/opt/vip-speaker/bin/python3.11 -u -W ignore /opt/vip-speaker/bin/exabgp server x.conf",
        "python3 -X utf8 -m exabgp server /etc/exabgp/exabgp.conf",
        "python3 -m exabgp.application.main",
        "/usr/bin/python3 /usr/lib/python3/dist-packages/exabgp/application/main.py x.conf",
        "/usr/local/bin/exabgp.pyz x.conf",
    ],
)
def test_exabgp(command: str) -> None:
    """ExaBGP as packages, pip and its authors start it."""
    assert is_exabgp([*command.split(), ""])


@pytest.mark.parametrize(
    "command",
    [
        ["/bin/sh", "-c", "vip_watchdog --config /etc/exabgp/vip.toml"],
        ["flock", "/run/exabgp.lock", "vip_watchdog"],
        ["/opt/exabgp/bin/python3", "/usr/local/bin/every-minute", "exabgp"],
        ["python3", "-m", "pytest", "tests/daemons/test_exabgp_reload.py"],
        ["/usr/sbin/cron", "-f"],
        ["python3"],
        [""],
    ],
)
def test_another_parent_that_speaks_of_exabgp(command: list[str]) -> None:
    """What a program is given, and where it lies, does not make it ExaBGP: a pass beside bgpd runs under it."""
    assert not is_exabgp(command)


def run(written: str, path: Path, how: str = "run") -> subprocess.CompletedProcess[str]:
    """Run ExaBGP's process with a faulty vip.toml, and with an ExaBGP that writes something and is gone."""
    program = (
        "import asyncio, pathlib, sys\n"
        "from speaker.errors import SpeakerError\n"
        "from speaker.runtime import exabgp_process\n"
        "fault = SpeakerError('policy.prepends: many')\n"
        f"asyncio.run(exabgp_process.{how}(pathlib.Path(sys.argv[1]), fault))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program, str(path)],
        input=written,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_faulty_file_under_a_parent_that_is_gone(tmp_path: Path) -> None:
    """Pipes that end at once, as cron's may: what was wrong with vip.toml is said, though no second look at it is."""
    done = run("", tmp_path / "none.toml")
    assert (done.returncode, "policy.prepends: many" in done.stderr) == (0, True), done.stderr
    assert (GONE in done.stderr, SHUTS_DOWN in done.stderr) == (True, False), done.stderr


@pytest.mark.parametrize("dialect", ["v4", "v5"])
def test_an_end_that_was_told(tmp_path: Path, dialect: str) -> None:
    """ExaBGP that is stopped says so: that is no failure, as it is where one is gone without a word."""
    (golden,) = (Path(__file__).parents[1] / "golden" / "exabgp" / dialect).glob("shutdown*")
    line = next(line for line in golden.read_text().splitlines() if "shutdown" in line)
    done = run(f"{line}\n", tmp_path / "none.toml")
    assert (GONE in done.stderr, SHUTS_DOWN in done.stderr) == (False, True), done.stderr


def test_a_second_exabgp_that_is_gone(tmp_path: Path) -> None:
    """The end of one that stands beside another does not mean that nothing is announced here."""
    said = run("", tmp_path / "none.toml", "run_beside").stderr
    assert BESIDE_GONE in said
    assert "nothing is announced here" not in said
