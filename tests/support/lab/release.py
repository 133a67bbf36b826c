"""Owns root file systems of Debian's releases, made by mmdebstrap and kept: FRR's, and those that boot.

`python -m tests.support.lab.release` makes those that lack or are old, and says so; tests make what lacks.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

CACHE = Path(__file__).parents[3] / ".cache"
PACKAGES = ("frr", "frr-pythontools", "frr-rpki-rtrlib")
BOOTS = (
    "systemd",
    "systemd-sysv",
    "python3-venv",
    "python3-apt",
    "frr",
    "frr-pythontools",
    "exabgp",
    "iproute2",
    "bird2",
)
"""What a machine has that boots, and runs either daemon; BIRD is the tutorial's router."""
KEPT = 2
"""So many roots of a release stay: a run that began before a new one was made goes on with the old."""
NOT_AGAIN = 3600.0
"""Seconds for which a release that could not be had is not asked for again."""
DAY = 86400.0


class UnavailableError(RuntimeError):
    """A release can't be had now."""


@dataclass(frozen=True)
class Release:
    """A root file system of one of Debian's releases.

    Attributes:
        suite: its name.
        recorded: the folder of its FRR's goldens, which names a version.
        lasts: seconds until its root is made again.
        moves: whether it changes from day to day, and may be missing for one.
        packages: what is installed in it.
        folder: where it is kept, under .cache.
    """

    suite: str
    recorded: str
    lasts: float
    moves: bool = False
    packages: tuple[str, ...] = PACKAGES
    folder: str = "frr"

    @property
    def _cache(self) -> Path:
        return CACHE / self.folder

    @property
    def _failed(self) -> Path:
        """Why the last one could not be made, where it could not."""
        return self._cache / f"{self.suite}.failed"

    @property
    def _options(self) -> tuple[str, ...]:
        # What unstable says of itself is out of date where a mirror stands still; its signature counts.
        return (
            "--quiet",
            "--variant=apt",
            f"--include={','.join(self.packages)}",
            '--aptopt=Acquire::Check-Valid-Until "false"',
        )

    @property
    def _recipe(self) -> str:
        return hashlib.sha256(repr(self._options).encode()).hexdigest()[:8]

    @cached_property
    def root(self) -> Path:
        """Its root file system, which is made where it lacks.

        Raises:
            UnavailableError: it lacks, and can't be made.
        """
        kept = self._kept()
        return kept[-1] if kept else self.renew()

    @property
    def version(self) -> str:
        """The version of its package."""
        argv = ["dpkg-query", f"--admindir={self.root}/var/lib/dpkg", "-W", "-f=${Version}", "frr"]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    @property
    def overdue(self) -> str:
        """Why its root is older than it should be, or nothing."""
        if time.time() - self.root.stat().st_mtime < self.lasts:
            return ""
        made = time.strftime("%Y-%m-%d", time.gmtime(self.root.stat().st_mtime))
        return f"it is of {made}, and no newer one could be had: {self._failed.read_text()}"

    def renew(self) -> Path:
        """Return a root that is not old, or an old one where no new one can be had.

        Raises:
            UnavailableError: there is none.
        """
        self._cache.mkdir(parents=True, exist_ok=True)
        with _alone(self._cache / f"{self.suite}.lock"):
            kept = self._kept()
            if kept and time.time() - kept[-1].stat().st_mtime < self.lasts:
                return kept[-1]
            failed = self._failed
            if failed.exists() and time.time() - failed.stat().st_mtime < NOT_AGAIN:
                reason = failed.read_text()
            else:
                reason = self._make()
                failed.write_text(reason) if reason else failed.unlink(missing_ok=True)
            kept = self._kept()
            if not kept:
                message = f"{self.folder} of Debian {self.suite} could not be had: {reason}"
                raise UnavailableError(message)
            for old in kept[:-KEPT]:
                shutil.rmtree(old)
            return kept[-1]

    def _kept(self) -> list[Path]:
        """Return what there is, the newest last. What has its final name is complete."""
        return sorted(self._cache.glob(f"{self.suite}-{self._recipe}-*[0-9]"))

    def _make(self) -> str:
        """Make a new one; return why that failed, or nothing."""
        final = self._cache / f"{self.suite}-{self._recipe}-{int(time.time())}"
        made = final.with_suffix(".part")
        for part in self._cache.glob(f"{self.suite}-*.part"):
            shutil.rmtree(part)
        program = shutil.which("mmdebstrap")
        if program is None:
            return "no mmdebstrap here; on Debian: apt-get install mmdebstrap"
        # In mounts of its own: where it is killed, none of /proc or /sys stays in what is removed next.
        argv = ["unshare", "--mount", "--propagation=private", program]
        argv += [*self._options, self.suite, str(made)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(made, ignore_errors=True)
            said = [line for line in done.stderr.splitlines() if line.startswith("E: ")]
            return "; ".join(said[:3]) or f"mmdebstrap: exit status {done.returncode}"
        # Users that tests become run what is in it; and its age is that of its making.
        made.chmod(0o755)
        os.utime(made)
        made.rename(final)
        return ""


RELEASES = (
    Release("bookworm", "frr-8.4.4", 30 * DAY),
    Release("trixie", "frr-10.3", 30 * DAY),
    Release("unstable", "frr-10.7.1", DAY, moves=True),
)
MACHINES = tuple(
    Release(suite, recorded, 30 * DAY, packages=BOOTS, folder="systemd")
    for suite, recorded in (("bookworm", "frr-8.4.4"), ("trixie", "frr-10.3"))
)
"""Those that boot."""
PYTHON = Release("trixie", "", 30 * DAY, packages=("python3",), folder="python")
"""The newest Python of a stable Debian."""


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait for other processes that make the same."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def inside(root: Path, argv: Sequence[str]) -> list[str]:
    """Return a command that runs in a root file system, with this machine's /tmp: its process id is the command's."""
    script = 'mount --bind /tmp "$0/tmp" && exec chroot "$0" "$@"'
    return ["unshare", "--mount", "--propagation=private", "sh", "-c", script, str(root), *argv]


def outside(root: Path, program: str) -> list[str]:
    """Return a command that runs a program of a root file system with its own libraries, and is not in it.

    So it is what any user may run.
    """
    (libraries,) = root.glob("usr/lib/*-linux-gnu")
    loader = next(path for path in root.glob("lib*/ld-linux-*.so.*"))
    return [str(loader), "--library-path", f"{libraries}:{libraries}/frr", f"{root}{program}"]


def usual() -> tuple[Release, ...]:
    """Return the releases that tests use: of those that boot, by day, the first alone."""
    return RELEASES + (MACHINES if os.environ.get("HYPOTHESIS_PROFILE") else MACHINES[:1])


def main(releases: Sequence[Release], say: Callable[[str], object]) -> int:
    """Make what lacks or is old, all at the same time; return 1 where one that has to be there is not.

    Args:
        releases: those.
        say: takes what came of it, in lines.
    """

    def renewed(release: Release) -> bool:
        try:
            release.renew()
        except UnavailableError as error:
            say(f"dev: {error}\n")
            return release.moves
        why = f": {release.overdue}" if release.overdue else ""
        say(f"dev: {release.folder} of Debian {release.suite}, with FRR {release.version}{why}\n")
        return True

    with ThreadPoolExecutor() as pool:
        return 0 if all(list(pool.map(renewed, releases))) else 1


if __name__ == "__main__":
    sys.exit(main(usual(), sys.stderr.write))
