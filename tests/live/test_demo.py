"""`./dev demo --stay`: what it says to type works, what the router sees is shown, and nothing of it is left; and `--site`."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.lab.eventually import SLOW, eventually
from tests.support.lab.requirements import require

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


class Stays:
    """The demo, as a person has it on a terminal."""

    def __init__(self, log: Path) -> None:
        self._log = log
        with log.open("wb") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "demo", "--stay"], stdout=sink, stderr=sink, cwd=ROOT
            )

    @property
    def said(self) -> str:
        return self._log.read_text()

    def says(self, pattern: str) -> None:
        """Wait until it says something."""
        eventually(
            lambda: re.search(pattern, self.said, re.DOTALL), within=30.0, what=pattern, every=0.1
        )


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Stays]:
    stays = Stays(tmp_path / "said")
    yield stays
    stays.process.kill()
    stays.process.wait()


def of_the_demo(directory: str) -> list[str]:
    """The processes that have a file of the demo in their command line."""
    lines = (path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists())
    return [line.decode() for line in lines if directory.encode() in line]


def test_to_try(demo: Stays) -> None:
    """Each command that it names is typed, and a realserver dies and comes back; then Ctrl-C."""
    demo.says("Ctrl-C ends it")
    typed = re.findall(r"^ {4}((?:export|vip_mgmt|kill) [^\n]*)$", demo.said, re.MULTILINE)
    exports = [line for line in typed if line.startswith("export")]
    for line in typed:
        if line.startswith("export") or "--watch" in line:
            continue
        done = subprocess.run(
            ["sh", "-ec", "; ".join([re.sub(" {2,}.*", "", each) for each in (*exports, line)])],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (line, done)
        if " -d " in line:
            demo.says(r"192\.0\.2\.1/32 +withdrawn [^\n]* lyo1  \(was par1\)")
        if " -a " in line:
            demo.says(r"\(was par1\).* par1  \(was lyo1\)")
    demo.says(r"par1: vip-1\.tld's realserver is dead.*\(was par1\)")
    demo.process.send_signal(signal.SIGUSR1)
    demo.says(r"realserver is back.*par1  \(was lyo1\)")
    directory = re.search(r"VIP_CONFIG=(/[^\n ]+)/par1/vip\.toml", demo.said)
    assert directory is not None
    assert of_the_demo(directory[1])
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(60) == 0
    assert not Path(directory[1]).exists()
    assert not of_the_demo(directory[1])


def test_a_site() -> None:
    """`--site`: each step is seen at the router, in under a minute on an idle machine, and nothing is left."""
    require("etcd")
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--site"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - began < 60 * SLOW
    assert "par1/lb2: confirmed" in done.stdout
    assert "Every step was seen at the router" in done.stdout


def test_without_etcd(tmp_path: Path) -> None:
    """Where etcd is not installed, `--site` says what to install, and starts nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--site"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "apt-get install etcd-server" in done.stderr
