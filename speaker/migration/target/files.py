"""The files of an import: validated in a folder beside, then put in place, or nothing is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from speaker.files import trusted
from speaker.migration.bgpd_conf.statement import MigrationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PRIVATE = 0o640
"""For what has passwords: the owner, and its group."""
PUBLIC = 0o644
_PATIENCE = 60


@contextmanager
def beside(out: Path, contents: Mapping[str, str], modes: Mapping[str, int]) -> Iterator[Path]:
    """Write files into a new folder on the file system of `out`, which is removed at the end.

    Raises:
        MigrationError: they can't be written.
    """
    # One folder is made at most: a mistyped path makes no tree. Not Path.is_dir(), which raises where it may not look.
    there = out if os.path.isdir(out) else out.parent  # noqa: PTH112
    try:
        if os.geteuid() == 0:
            trusted.check_folders(there / "vip.toml")
        folder = Path(tempfile.mkdtemp(prefix=".import-", dir=there))
    except trusted.UntrustedError as error:
        raise MigrationError(f"--out {out}: {error}") from error
    except FileNotFoundError as error:
        raise MigrationError(
            f"--out {out}: {there} is not there; nothing is written: make that folder, or correct the path"
        ) from error
    except OSError as error:
        why = f"no file can be made in {there}: {error.strerror}"
        raise MigrationError(f"--out {out}: {why}; {_REMEDY}") from error
    try:
        _fill(folder, contents, modes, out)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_REMEDY = "nothing is written: name a folder that can be written"


def _fill(folder: Path, contents: Mapping[str, str], modes: Mapping[str, int], out: Path) -> None:
    for name, text in contents.items():
        mode = modes.get(name, PUBLIC)
        path = folder / name
        try:
            path.touch(mode=mode, exist_ok=False)
            path.write_text(text, encoding="utf-8")
            path.chmod(mode)
        except OSError as error:
            raise MigrationError(f"--out {out}: {name}: {error.strerror}; {_REMEDY}") from error


def check_free(out: Path, names: Sequence[str]) -> None:
    """Refuse to overwrite.

    Raises:
        MigrationError: one of the files is there already.
    """
    there = [str(out / name) for name in names if os.path.lexists(out / name)]
    if there:
        raise MigrationError(f"{', '.join(there)}: there already; remove them, or use --force")


def put(folder: Path, out: Path, names: Sequence[str]) -> None:
    """Put finished files in place: all, or none.

    Raises:
        MigrationError: they can't be; what was there before is there again.
    """
    made = not os.path.lexists(out)
    done: list[Path] = []
    try:
        out.mkdir(mode=0o755, exist_ok=True)
        for name in names:
            if os.path.lexists(out / name):  # kept as it is, with its owner and mode
                os.link(out / name, _kept(folder, name), follow_symlinks=False)
        for name in names:
            (folder / name).replace(out / name)
            done.append(out / name)
    except OSError as error:
        for path in done:
            path.unlink()
            if os.path.lexists(_kept(folder, path.name)):
                _kept(folder, path.name).replace(path)
        if made:
            with suppress(OSError):
                out.rmdir()
        raise MigrationError(f"--out {error.filename}: {error.strerror}; {_REMEDY}") from error


def _kept(folder: Path, name: str) -> Path:
    return folder / f"{name}.old"


def exabgp() -> Path | None:
    """Return the ExaBGP that is installed beside this program, None where there is none."""
    program = Path(sys.executable).with_name("exabgp")
    return program if program.exists() else None


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "exabgp.api.cli": "false",
        "exabgp.log.destination": "stdout",
        "exabgp.daemon.drop": "false",
    }
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=_PATIENCE, check=False
    )


def validate(program: Path, path: Path, reconciler: str) -> str:
    """Have ExaBGP validate a file; return what it says against it, or nothing.

    It looks whether the process is there: a program that surely is stands in for vip_watchdog.

    Raises:
        MigrationError: ExaBGP can't be run, or root must not run it.
    """
    copy = path.with_name(f"{path.name}.check")
    text = path.read_text(encoding="utf-8").replace(reconciler, sys.executable)
    copy.touch(mode=0o600)
    copy.write_text(text, encoding="utf-8")
    command = [str(program), "--version"]
    try:
        if program != exabgp():
            trusted.check(program, os.geteuid())
        is_old = re.search(r"ExaBGP *: *4\.", _run(command).stdout) is not None
        command = [str(program), "--test" if is_old else "validate", str(copy)]
        done = _run(command)
    except trusted.UntrustedError as error:
        raise MigrationError(f"--exabgp: {error}") from error
    except OSError as error:
        why = "not there" if isinstance(error, FileNotFoundError) else error.strerror
        raise MigrationError(f"--exabgp: {program}: {why}; name the program") from error
    except subprocess.TimeoutExpired as error:
        raise MigrationError(
            f"--exabgp: {program}: no end after {error.timeout:g} s; is it installed whole?"
        ) from error
    finally:
        copy.unlink()
    if done.returncode == 0:
        return ""
    said = re.sub(r"md5-password \S+", "md5-password …", done.stdout + done.stderr)
    return f"exit status {done.returncode}: {said.strip()[-2000:]}"
