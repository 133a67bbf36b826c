"""Runs the tests that need no daemon, and lint, on a newer Python: `./dev newest`.

That Python is Debian's, in a root file system of its own, without a network. What the project depends on
comes in wheels, which this machine's pip fetches for it; the project itself is seen read-only. Without
root or mmdebstrap it is one on PATH, in an environment of its own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.support.lab.release import CACHE, PYTHON, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parents[2]
TESTS = (
    *"-m pytest -q -n 2 -p no:cacheprovider tests/unit tests/property tests/golden".split(),
    # What is recorded of FRR depends on no Python, and needs each release's root.
    *"--ignore tests/golden/test_frr_goldens.py".split(),
)
NEEDS = (
    # They need iproute2, openssl, a user nobody, or ExaBGP as a program. Each is about the kernel's permissions, or
    # a daemon's words; the same tests run with this machine's Python.
    "tests/unit/files/test_directory_owner.py",
    "tests/unit/files/test_trusted.py",
    "tests/unit/health/test_addresses.py",
    "tests/unit/health/checks/test_faults.py",
    "tests/unit/health/checks/test_programs.py",
    "tests/unit/health/checks/test_grpc.py",
    "tests/unit/health/keepalived/test_process.py",
    "tests/unit/test_examples.py",
    "tests/unit/supervision/test_threads.py::test_no_thread_can_be_started",
    "tests/unit/migration/test_import_command.py",
    "tests/unit/control/test_reports_page.py",
    "tests/unit/control/test_callers.py::test_by_certificate",
    "tests/unit/control/test_callers.py::test_the_servers_certificate_has_expired",
    "tests/unit/control/test_api_server.py::test_tls",
    "tests/unit/control/test_api_server.py::test_who_does_not_shake_hands",
    "tests/unit/control/test_client.py::test_a_stranger_serves_it",
    "tests/unit/telemetry/test_hooks.py::test_a_certificate_of_nobody",
    "tests/unit/migration/bgpd_conf/test_dialect.py::test_import_of_both",
    # What makes man pages comes as sources alone.
    "tests/unit/test_pages.py",
)
SOURCES = ("argparse-manpage", "grpcio")
"""What has no wheel, or none for a new Python, and only packaging needs, or tests that are not run there."""
IN_ROOT = """
root=$0 tmp=$1 here=$2 site=$3; shift 3
mount --bind "$tmp" "$root/tmp"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind "$here" "$root/srv"
mount -o remount,bind,ro "$root/srv"
mount --bind "$site" "$root/opt"
mount -o remount,bind,ro "$root/opt"
exec chroot "$root" env -i HOME=/tmp PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 CI="$CI" \\
    PYTHONPATH=/opt PYTHONDONTWRITEBYTECODE=1 HYPOTHESIS_PROFILE=quick \\
    sh -c 'cd /srv && exec "$@"' sh "$@"
"""


def main() -> int:
    """Return 0 where all that was run passed."""
    if os.geteuid() == 0 and shutil.which("mmdebstrap"):
        try:
            root = PYTHON.renew()
        except UnavailableError as error:
            sys.stderr.write(f"dev: {error}\n")
        else:
            return _in_root(root)
    for minor in range(20, 12, -1):
        if python := shutil.which(f"python3.{minor}"):
            return _beside(python, f"3.{minor}")
    sys.stderr.write(
        "dev: NOT RUN on a newer Python: needs root and mmdebstrap, or python3.13 or newer on PATH\n"
    )
    return 1 if os.environ.get("CI") == "true" else 0


def _in_root(root: Path) -> int:
    asked = "import sys; print('%d.%d' % sys.version_info[:2])"
    said = subprocess.run(
        ["chroot", root, "python3", "-c", asked], capture_output=True, text=True, check=True
    )
    version = said.stdout.strip()
    sys.stderr.write(f"dev: Python {version} of Debian {PYTHON.suite}\n")
    site = _wheels(version)
    left_out = [word for path in NEEDS for word in ("--deselect", path)]
    with TemporaryDirectory(prefix="newest-") as tmp:
        Path(tmp).chmod(0o1777)
        mounted = ["unshare", "--mount", "--propagation=private", "sh", "-euc", IN_ROOT]
        places = [str(root), tmp, str(HERE), str(site)]
        done = subprocess.run(
            [*mounted, *places, "python3", *TESTS, *left_out],
            env={**os.environ, "CI": os.environ.get("CI", "")},
            check=False,
        )
    return done.returncode or _lint(version)


def _beside(python: str, version: str) -> int:
    environment = HERE / ".venv-newest"
    inner = environment / "bin" / "python"
    subprocess.run([python, "-m", "venv", environment], check=True)
    quiet = ["--quiet", "--disable-pip-version-check"]
    subprocess.run([inner, "-m", "pip", "install", *quiet, *_wanted()], check=True, cwd=HERE)
    done = subprocess.run(
        [inner, *TESTS],
        env={**os.environ, "HYPOTHESIS_PROFILE": "quick"},
        cwd=HERE,
        check=False,
    )
    return done.returncode or _lint(version)


def _wanted() -> list[str]:
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["test"]]


def _wheels(version: str) -> Path:
    """Return the folder of what the project depends on, for a version of Python."""
    wanted = _wanted()
    key = hashlib.sha256(repr((version, wanted)).encode()).hexdigest()[:8]
    final = CACHE / "python" / f"wheels-{version}-{key}"
    if not final.exists():
        made = final.with_name(f"{final.name}.{os.getpid()}.part")
        quiet = ["--quiet", "--disable-pip-version-check"]
        target = ["--target", str(made), "--python-version", version, "--only-binary=:all:"]
        pip = [sys.executable, "-m", "pip", "install"]
        as_wheels = [each for each in wanted if not each.startswith(SOURCES)]
        subprocess.run([*pip, *quiet, *target, *as_wheels], check=True)
        made.chmod(0o755)
        made.rename(final)
    return final


def _lint(version: str) -> int:
    """Check types and style as of a version of Python."""
    words = version.replace(".", "")
    commands: Sequence[Sequence[str]] = (
        # Not "write it as newer Pythons can": the oldest that is supported can't read that.
        ("ruff", "check", "--target-version", f"py{words}", "--ignore", "UP"),
        ("mypy", "--python-version", version),
    )
    tools = Path(sys.executable).parent
    done = [
        subprocess.run([tools / name, *more], cwd=HERE, check=False) for name, *more in commands
    ]
    return max(one.returncode for one in done)


if __name__ == "__main__":
    sys.exit(main())
