"""What becomes of a command whose output nobody takes: as a process, with its own stdout and stderr."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from policy.intent import Mode
from policy.route import parse_prefix
from speaker.state.store import Store
from tests.support.fakes.site import write_config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COMMAND = f"exec {sys.executable} -m speaker.vip_mgmt"
PREFIX = "192.0.2.1/32"


def shell(
    directory: Path, redirected: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `vip_mgmt` with what a shell makes of the words after it."""
    here = {**os.environ, "VIP_CONFIG": str(directory / "vip.toml"), **(env or {})}
    line = f"{COMMAND} {redirected}"
    return subprocess.run(
        ["/bin/bash", "-c", line], env=here, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def site(tmp_path: Path) -> Path:
    write_config(tmp_path)
    return tmp_path


@pytest.mark.parametrize("to", [">&-", "2>&-", ">&- 2>&- <&-", "> >(exit)", "2> >(exit)"])
def test_nobody_reads(site: Path, to: str) -> None:
    """The exit status is the same whether or not somebody reads what is said."""
    done = shell(site, f"check --offline {to}")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("to", ["2>/dev/full", "2>&-", "2>&1 >&-"])
def test_wish_unheard(site: Path, to: str) -> None:
    """A wish is recorded although what is said about it can't be written."""
    shell(site, f"-d {PREFIX} {to}")
    store = Store(site / "state.sqlite3")
    assert store.intents().of[parse_prefix(PREFIX)].mode is Mode.DRAINED
    store.close()


def test_head(site: Path) -> None:
    """A reader who leaves before anything is written is nothing to speak of."""
    piped = shell(site, "history 2>&1 | (exec <&-; sleep 0.5); echo ${PIPESTATUS[0]}")
    assert (piped.stdout, piped.stderr) == ("0\n", "")


def test_stderr_is_not_stdout(site: Path) -> None:
    """With stderr closed, what belongs there does not go to stdout, where a program reads JSON."""
    assert shell(site, f"-d {PREFIX} 2>&-").stdout == ""


def test_full_disk(site: Path) -> None:
    """An answer that could not be written is a clear error, and the exit status is 1."""
    done = shell(site, "check --offline >/dev/full")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "bgp_mgt: stdout: No space left on device; the answer is incomplete, ask again"
    ]


def test_other_characters(site: Path) -> None:
    """A stdout that has not all characters gets the answer all the same."""
    (site / "vip.toml").write_text(
        (site / "vip.toml").read_text().replace("vip-1.tld", "vîp-1.tld")
    )
    done = shell(site, "status", {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 1
    assert r"v\xeep-1.tld" in done.stdout
