"""Owns the kernel's table in the guest: services and realservers in ipvsadm's words, many at once."""

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_MODPROBE = Path("/proc/sys/kernel/modprobe")


def load() -> None:
    """Have ip_vs in the kernel, as keepalived's start would."""
    subprocess.run(["modprobe", "-d", "/run", "ip_vs"], check=True)


def change(*lines: str) -> None:
    """Change the table by commands such as `-A -t 192.0.2.1:80 -s rr`, all in one process.

    Raises:
        RuntimeError: ipvsadm refused one.
    """
    text = "".join(f"{line}\n" for line in lines)
    argv = ["ipvsadm", "-R"]
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        message = f"ipvsadm: {done.returncode}: {done.stderr.strip()}"
        raise RuntimeError(message)


def clear() -> None:
    """Empty the table."""
    subprocess.run(["ipvsadm", "-C"], check=True)


def service(where: str, *realservers: str, flags: str = "-s rr") -> list[str]:
    """Return the commands that add a service.

    Args:
        where: the service, such as `-t 192.0.2.1:80`.
        realservers: each with its options, such as `198.51.100.1:8080 -m -w 1`.
        flags: options of the service.
    """
    return [f"-A {where} {flags}", *(f"-a {where} -r {realserver}" for realserver in realservers)]


def address(number: int) -> str:
    """Return the address of a numbered service."""
    return f"198.51.{number // 250}.{number % 250 + 1}"


def numbered(numbers: Iterable[int], *realservers: str) -> list[str]:
    """Return the commands that add numbered services with the same realservers, on port 80."""
    return [
        line for number in numbers for line in service(f"-t {address(number)}:80", *realservers)
    ]


@contextmanager
def without_modprobe() -> Iterator[None]:
    """Have the kernel load no module by itself."""
    before = _MODPROBE.read_text()
    _MODPROBE.write_text("/bin/false")
    try:
        yield
    finally:
        _MODPROBE.write_text(before)
