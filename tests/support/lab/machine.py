"""Owns a machine of the lab with a systemd of its own: a root file system, booted by systemd-nspawn.

It has the network of a namespace of the lab, and its files go over a root that stays as it is.
"""

import itertools
import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from tests.support.lab.eventually import eventually
from tests.support.lab.netns import Namespace
from tests.support.lab.process import Process

CGROUPS = Path("/sys/fs/cgroup")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_serial = itertools.count()

# Its processes have a cgroup of their own: without one, machines of other test runs would share it.
_BOOT = """
for procs in $3; do echo $$ > "$procs"; done
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
shift 3
exec systemd-nspawn --quiet --register=no --keep-unit --boot --console=pipe \
  --link-journal=no --capability=CAP_NET_ADMIN "$@"
"""


class Machine:
    """A machine that runs until its namespace is stopped."""

    def __init__(
        self, host: Namespace, root: Path, *, masked: Sequence[str] = (), binds: Sequence[Path] = ()
    ) -> None:
        """Make it; it is not started yet, and files may be written.

        Args:
            host: its network, and where its files are kept.
            root: what it has besides them.
            masked: units that are not to be started.
            binds: folders that it sees as well, to be read, by the same path.
        """
        self.host, self._root, self._binds = host, root, binds
        self._name = f"vip-machine-{os.getpid()}-{next(_serial)}"
        self._folder = host.directory / "machine"
        for name in ("upper", "work", "root"):
            (self._folder / name).mkdir(parents=True)
        for unit in masked:
            path = self.path(f"/etc/systemd/system/{unit}")
            path.symlink_to("/dev/null")
        self._leader = 0

    def path(self, name: str) -> Path:
        """Return where a file of it is written before it starts."""
        path = self._folder / "upper" / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, name: str, text: str) -> None:
        """Write a file, before the start or while it runs."""
        if self._leader:
            done = self.run("sh", "-c", 'cat > "$1"', "sh", name, given=text)
            assert done.returncode == 0, done.stderr
        else:
            self.path(name).write_text(text)

    # --- its life --------------------------------------------------------------------------

    def start(self) -> None:
        """Boot it, and wait until all is started that is to be.

        Raises:
            RuntimeError: it can't be booted here; says what systemd-nspawn said.
        """
        cgroups = [each / self._name for each in _hierarchies()]
        for each in cgroups:
            each.mkdir()
        self.host.cleanup.callback(_remove, cgroups)
        argv = ["unshare", "--mount", "--propagation=private", "sh", "-e", "-c", _BOOT, "boot"]
        argv += [str(self._root), str(self._folder)]
        argv += [" ".join(f"{each}/cgroup.procs" for each in cgroups)]
        argv += [f"--network-namespace-path=/run/netns/{self.host.name}"]
        argv += [f"--directory={self._folder}/root", f"--machine={self._name}"]
        argv += [f"--bind-ro={each}" for each in self._binds]
        # Not in the namespace, which nspawn enters itself.
        self._process = Process(argv, self.host.directory / "boot.log")
        self.host.cleanup.callback(self.stop)
        self._process.ready(self._has_systemd, "systemd", within=20)
        self._process.ready(self._has_started, "the end of its start", within=60)

    def _has_systemd(self) -> bool:
        """Look for its first process; nspawn has others for a moment before."""
        for pid in self._process.children():
            with suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text() == "systemd\n":
                    self._leader = pid
        return bool(self._leader)

    def _has_started(self) -> bool:
        state = self.run("systemctl", "is-system-running").stdout.strip()
        return state in {"running", "degraded"}

    def stop(self) -> None:
        """Switch it off, as when the power fails."""
        if self._leader and self._process.alive:
            os.kill(self._leader, signal.SIGKILL)
            self._process.wait()
        self._process.stop()

    # --- what is done in it ----------------------------------------------------------------

    def run(
        self, *argv: str, user: str = "", given: str = "", env: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in it to its end.

        Args:
            argv: the command and its arguments.
            user: who runs it; nothing for root.
            given: its stdin.
            env: more environment, as NAME=VALUE.
        """
        enter = ["nsenter", f"--target={self._leader}", "--mount", "--uts", "--ipc", "--net"]
        enter += [
            "--pid",
            "--cgroup",
            "--root",
            "--wd",
            "env",
            "-i",
            f"PATH={PATH}",
            "LANG=C.UTF-8",
        ]
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        return subprocess.run(
            [*enter, *env, *become, *argv],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def sh(self, text: str, *, user: str = "") -> str:
        """Run lines of a shell and return what they print; none may fail."""
        done = self.run("sh", "-e", "-c", text, user=user)
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}{self.journal()}"
        return done.stdout

    def journal(self, unit: str = "") -> str:
        """Return the end of its journal, or of what one unit said."""
        of = [f"--unit={unit}"] if unit else []
        return self.run("journalctl", "--no-pager", "--lines=60", "--output=cat", *of).stdout

    def shown(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.sh(f"systemctl show --value --property={name} {shlex.quote(unit)}").strip()

    def exposure(self, unit: str) -> tuple[float, set[str]]:
        """Return how exposed a unit is, as systemd judges it (10 is as bad as can be), and by what."""
        said = self.sh(f"systemd-analyze security --no-pager {shlex.quote(unit)}")
        found = re.search(r"Overall exposure level for \S+: ([0-9.]+) ", said)
        assert found, said
        told = self.sh(f"systemd-analyze security --no-pager --json=short {shlex.quote(unit)}")
        return float(found[1]), {
            each["json_field"] for each in json.loads(told) if each["exposure"]
        }

    def wait_for(self, unit: str) -> None:
        """Wait until a unit is active."""
        eventually(
            lambda: self.run("systemctl", "is-active", unit).stdout,
            until=lambda state: state == "active\n",
            within=20,
            what=f"{unit} is active",
        )


def _hierarchies() -> list[Path]:
    """Return where cgroups are made that hold processes alone: systemd's own, of either version."""
    every = (CGROUPS, CGROUPS / "unified", CGROUPS / "systemd")
    return [each for each in every if (each / "cgroup.procs").exists()]


def _remove(cgroups: Sequence[Path]) -> None:
    """Remove cgroups without processes."""
    for each in cgroups:
        eventually(partial(_is_removed, each), within=10, what=f"no {each}")


def _is_removed(cgroup: Path) -> bool:
    try:
        for folder, _, _ in os.walk(cgroup, topdown=False):
            Path(folder).rmdir()
    except OSError:  # a process that was killed is not gone yet
        return False
    return not cgroup.exists()
