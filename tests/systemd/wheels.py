"""Owns what is installed in a machine: two versions of the product, and all that they depend on."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2]
VERSIONS = ("1.0.dev1", "1.0.dev2")
_PARTS = ("pyproject.toml", "README.md", "LICENSE", "policy", "speaker")
_PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64")


def collect(root: Path, folder: Path) -> None:
    """Fill a folder with the wheels for the Python of a root file system."""
    for version in VERSIONS:
        source = folder / f"source-{version}"
        source.mkdir(parents=True)
        for part in _PARTS:
            found = SOURCE / part
            copy = shutil.copytree if found.is_dir() else shutil.copy
            copy(found, source / part)
        project = source / "pyproject.toml"
        text, count = re.subn(
            r'(?m)^version = ".*"$', f'version = "{version}"', project.read_text(), count=1
        )
        assert count == 1
        project.write_text(text)
        _pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(source))
        shutil.rmtree(source)
    (first,) = folder.glob(f"vip_speaker-{VERSIONS[0]}-*.whl")
    python = (root / "usr/bin/python3").readlink().name
    _pip(
        "download",
        "--only-binary=:all:",
        f"--python-version={python.removeprefix('python')}",
        *(f"--platform={each}" for each in _PLATFORMS),
        "--dest",
        str(folder),
        str(first),
    )


def _pip(*arguments: str) -> None:
    argv = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}\n{done.stdout}{done.stderr}"
