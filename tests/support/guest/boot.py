"""Owns the guest: boots a kernel as a process, runs a command in it, and gives back what came of it."""

import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
HIDDEN = tuple(map(Path, ("/tmp", "/run", "/var/tmp", "/var/log")))
"""Folders that are the guest's own. Every other is the host's, read-only."""
PROGRAMS = ("linux.uml", "gcc")
"""What the host must have."""


class GuestError(Exception):
    """The guest left no exit status: it died, or its time was over."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a command: the exit status that the guest itself wrote, and what was printed."""

    status: int
    stdout: str
    stderr: str
    kernel: str


@contextmanager
def preloads() -> Iterator[tuple[Path, Path]]:
    """Compile what is preloaded into the kernel's process: the remedy, and the host that needs it."""
    with tempfile.TemporaryDirectory(prefix="vip-preload-") as folder:
        names = ("xsave", "amx_host")
        made = [Path(folder) / f"{name}.so" for name in names]
        for name, path in zip(names, made, strict=True):
            options = ["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(path)]
            subprocess.run(["gcc", *options, str(HERE / f"{name}.c"), "-ldl"], check=True)
        yield made[0], made[1]


def run(
    argv: Sequence[str],
    *,
    within: float,
    writable: Sequence[Path] = (),
    env: Mapping[str, str] | None = None,
    megabytes: int = 512,
    preload: Sequence[Path] | None = None,
    heard: Callable[[str], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Boot a guest, run a command in it as root, and wait for the guest's end.

    It runs in this project's root folder, without stdin. Pipes and sockets between guest and host
    do not work; files do.

    Args:
        argv: the command.
        within: seconds until the guest is ended.
        writable: folders of the host that the guest may write to.
        env: environment; the guest has none of the host's but PATH.
        megabytes: the guest's memory.
        preload: what is preloaded into the kernel's process; None for the remedy alone.
        heard: is called with every line of stdout as it comes.
        stop: whether to end the guest early.

    Raises:
        GuestError: the guest left no exit status; says the ends of its logs.
    """
    if preload is None:
        with preloads() as (remedy, _):
            return run(
                argv, within=within, writable=writable, env=env, megabytes=megabytes,
                preload=[remedy], heard=heard, stop=stop,
            )  # fmt: skip
    folder = Path(tempfile.mkdtemp(prefix="vip-guest-"))
    try:
        _write_exchange(folder, argv, writable, env or {})
        stdout = _watched(folder, megabytes, preload, time.monotonic() + within, heard, stop)
        return _outcome(folder, stdout)
    finally:
        shutil.rmtree(folder)


def _write_exchange(
    folder: Path, argv: Sequence[str], writable: Sequence[Path], env: Mapping[str, str]
) -> None:
    shown = {ROOT, Path(sys.prefix), Path(sys.base_prefix)}
    folders = [
        f"ro {path}\n" for path in shown if any(path.is_relative_to(hidden) for hidden in HIDDEN)
    ]
    folders += [f"rw {path}\n" for path in writable]
    (folder / "folders").write_text("".join(folders))
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in env.items()]
    lines += [f"cd {shlex.quote(str(ROOT))}\n", f"exec {shlex.join(argv)}\n"]
    (folder / "command").write_text("".join(lines))
    for name in ("stderr", "kernel", "status"):
        (folder / name).touch()


def _watched(
    folder: Path,
    megabytes: int,
    preload: Sequence[Path],
    deadline: float,
    heard: Callable[[str], None] | None,
    stop: Callable[[], bool],
) -> str:
    """Boot; follow stdout until the kernel's process ends or has to be ended; return stdout."""
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as pipe:  # noqa: PTH123 - a descriptor
        with (folder / "stderr").open("wb") as stderr, (folder / "kernel").open("wb") as kernel:
            process = subprocess.Popen(
                _command(folder, megabytes, writing, stderr.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=kernel,
                stderr=kernel,
                pass_fds=(writing, stderr.fileno()),
                env={
                    "PATH": "/usr/bin:/bin",
                    "TMPDIR": _memory_folder(megabytes),
                    "LD_PRELOAD": ":".join(map(str, preload)),
                },
                start_new_session=True,
            )
        os.close(writing)
        try:
            return _followed(pipe.fileno(), process, deadline, heard, stop)
        finally:
            _end(folder, process)


def _command(folder: Path, megabytes: int, stdout: int, stderr: int) -> list[str]:
    return [
        "linux.uml",
        f"mem={megabytes}M",
        *("root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro"),
        *(f"init={HERE / 'init.sh'}", f"EXCHANGE={folder}"),
        *(f"uml_dir={folder}", "umid=uml", "noreboot", "panic=-1", "quiet"),
        *("con=null", "con0=null,fd:1", "ssl=null"),
        *(f"ssl0=null,fd:{stdout}", f"ssl1=null,fd:{stderr}"),
    ]


def _memory_folder(megabytes: int) -> str:
    """Return where the guest's memory is a file: where it has room, and code may be mapped."""
    for folder in ("/dev/shm", tempfile.gettempdir()):
        with suppress(OSError):
            found = os.statvfs(folder)
            room = found.f_bavail * found.f_frsize >= megabytes << 20
            if room and not found.f_flag & os.ST_NOEXEC:
                return folder
    raise GuestError(f"guest: no folder for {megabytes} MB of memory that code may run from")


def _followed(
    pipe: int,
    process: subprocess.Popen[bytes],
    deadline: float,
    heard: Callable[[str], None] | None,
    stop: Callable[[], bool],
) -> str:
    lines: list[str] = []
    rest = b""
    while time.monotonic() < deadline and not stop():
        if not select.select([pipe], [], [], 0.2)[0]:
            if process.poll() is not None:
                break
            continue
        data = os.read(pipe, 1 << 16)
        if not data:
            break
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            lines.append(line.decode("utf-8", "backslashreplace"))
            if heard is not None:
                heard(lines[-1])
    return "".join(f"{line}\n" for line in lines) + rest.decode("utf-8", "backslashreplace")


def _end(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """End the kernel's process and those that run its processes, which are of its group."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(5 if (folder / "status").stat().st_size else 0)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _outcome(folder: Path, stdout: str) -> Outcome:
    texts = {
        name: (folder / name).read_text("utf-8", "backslashreplace")
        for name in ("status", "stderr", "kernel")
    }
    if not texts["status"]:
        ends = "\n".join(
            f"--- {name}:\n{text[-3000:]}"
            for name, text in (("stdout", stdout), *texts.items())
            if name != "status"
        )
        raise GuestError(f"guest: it left no exit status: it died, or its time was over\n{ends}")
    return Outcome(int(texts["status"]), stdout, texts["stderr"], texts["kernel"])
