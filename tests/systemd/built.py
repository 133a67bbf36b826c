"""Owns what ./dev package builds, once for all tests of the same sources, and the same as the next version."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.lab.release import CACHE
from tests.systemd.wheels import SOURCE

if TYPE_CHECKING:
    from tests.support.lab.machine import Machine

_FROM = ("policy", "speaker", "packaging", "docs", "pyproject.toml", "CHANGELOG.md", "README.md")
_KEPT = 2
_SINGLE_FILE = "vip_mgmt"


@dataclass(frozen=True)
class Built:
    """The package, the package of the next version, and vip_mgmt as a single file."""

    first: Path
    second: Path
    single_file: Path

    def put(self, machine: Machine) -> None:
        """Put the packages where an administrator may have them: the next one in a folder of its own."""
        machine.path(f"/root/{self.first.name}").write_bytes(self.first.read_bytes())
        machine.path(f"/root/next/{self.name_of_second}").write_bytes(self.second.read_bytes())

    @property
    def name_of_second(self) -> str:
        """The name of the next version's package, as it would be built."""
        name, version, architecture = self.first.name.split("_")
        return f"{name}_{version}.1_{architecture}"


def built() -> Built:
    """Return what these sources give; it is built where it lacks."""
    cache = CACHE / "packages"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = cache / _key()
        if not (folder / _SINGLE_FILE).exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a time without pex
            for old in sorted(cache.glob("*/"), key=lambda path: path.stat().st_mtime)[:-_KEPT]:
                shutil.rmtree(old)
            _build(folder)
    (first,) = folder.glob("vip-speaker_*.deb")
    return Built(first, folder / "next.deb", folder / _SINGLE_FILE)


def _key() -> str:
    """Return what the build depends on, in short."""
    found = hashlib.sha256(sys.version.encode())
    for name in _FROM:
        top = SOURCE / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                found.update(str(path.relative_to(SOURCE)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]


def _build(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".part-") as name:
        part = Path(name) / "made"
        part.mkdir()
        argv = [sys.executable, str(SOURCE / "packaging/build.py")]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        for path in map(Path, done.stdout.split()):
            shutil.copy(path, part)
        assert (part / _SINGLE_FILE).exists(), f"{done.stderr}\nis pex installed?"
        (first,) = part.glob("*.deb")
        _next_version(first, Path(name) / "root", part / "next.deb")
        part.rename(folder)


def _next_version(first: Path, root: Path, second: Path) -> None:
    subprocess.run(["dpkg-deb", "--raw-extract", first, root], check=True)
    version = first.name.split("_")[1]
    for name in ("DEBIAN/control", "DEBIAN/postinst", "usr/lib/vip-speaker/unpacked/bin/*"):
        for path in root.glob(name):
            if not path.is_symlink():
                path.write_text(path.read_text().replace(version, f"{version}.1"))
    argv = ["dpkg-deb", "-z1", "--root-owner-group", "--build", f"{root}", f"{second}"]
    subprocess.run(argv, capture_output=True, check=True)
