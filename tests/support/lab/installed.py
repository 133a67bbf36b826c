"""Owns the product as a site has it: installed in a fresh environment that ExaBGP's user can run."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.lab.requirements import require

NOBODY = 65534
_SOURCE = Path(__file__).parents[3]
_PARTS = ("pyproject.toml", "README.md", "LICENSE", "policy", "speaker")


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment with the product in it."""

    directory: Path

    def program(self, name: str) -> str:
        """Return the path of one of its programs."""
        return str(self.directory / "bin" / name)


@pytest.fixture(scope="session")
def installed() -> Iterator[Installed]:
    """The product, built from this tree and installed with all that it depends on."""
    require()
    directory = Path(tempfile.mkdtemp(prefix="vip-installed-", dir="/tmp"))
    try:
        directory.chmod(0o755)
        yield Installed(_install(directory))
    finally:
        shutil.rmtree(directory)


def _install(directory: Path) -> Path:
    # Built from a copy: a build leaves its own folders beside the sources.
    source, environment = directory / "source", directory / "environment"
    source.mkdir()
    for part in _PARTS:
        if (_SOURCE / part).is_dir():
            shutil.copytree(
                _SOURCE / part, source / part, ignore=shutil.ignore_patterns("__pycache__")
            )
        elif (_SOURCE / part).exists():
            shutil.copy(_SOURCE / part, source)
    _run(_interpreter(), "-m", "venv", "--without-pip", str(environment))
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin/python")]
    _run(*pip, "install", "--quiet", "--disable-pip-version-check", str(source))
    return environment


def _interpreter() -> str:
    """Return an interpreter that `nobody` may execute: one in somebody's home may be closed."""
    for candidate in ("/usr/bin/python3", sys._base_executable):  # type: ignore[attr-defined]
        argv = [candidate, "-c", "import sys, venv; sys.exit(sys.version_info < (3, 11))"]
        try:
            if subprocess.run(argv, user=NOBODY, check=False, capture_output=True).returncode == 0:
                return str(candidate)
        except OSError:
            continue
    message = "no Python >= 3.11 with venv that nobody may execute; on Debian: python3-venv"
    raise RuntimeError(message)


def _run(*argv: str) -> None:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"exit status {done.returncode}: {' '.join(argv)}:\n{done.stdout}{done.stderr}"
        raise RuntimeError(message)
