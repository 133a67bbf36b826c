"""vip_mgmt as a single file: it works where there is a Python and nothing of ours, nor of what we depend on."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.support.lab.release import MACHINES, PYTHON, Release, inside
from tests.support.lab.requirements import require, require_release
from tests.systemd.typed import block
from tests.systemd.wheels import SOURCE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.systemd.built import Built


@pytest.mark.parametrize(
    "release",
    [
        pytest.param(MACHINES[0], id=MACHINES[0].suite),
        pytest.param(PYTHON, id=PYTHON.suite, marks=pytest.mark.nightly),
    ],
)
def test_a_bastion(tmp_path: Path, release: Release, packages: Built) -> None:
    """The page's lines work in the folder of a vip.toml; the file says which version it is."""
    require("mmdebstrap")
    require_release(release)
    shutil.copy(packages.single_file, tmp_path)
    shutil.copy(SOURCE / "vip.toml.example", tmp_path / "vip.toml")
    environment = ["env", "-i", "PATH=/usr/bin:/bin", f"PEX_ROOT={tmp_path}/unpacked"]

    def run(line: str) -> subprocess.CompletedProcess[str]:
        argv = inside(release.root, [*environment, "sh", "-ec", f"cd {tmp_path}\n{line}"])
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    assert run("python3 -c 'import pydantic'").returncode != 0
    version = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]["version"]
    assert run("./vip_mgmt --version").stdout == f"vip_mgmt {version}\n"
    done = run(block("docs/debian.md", "A bastion"))
    assert done.returncode == 0, done.stderr
    assert "8 prefixes, no findings" in done.stdout
    assert "3 of 8 addresses move" in done.stdout
