"""What systemd is told, over the socket that it names."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from speaker.supervision.manager import Manager

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("is_abstract", [False, True])
def test_words(tmp_path: Path, *, is_abstract: bool) -> None:
    """Each word arrives as sd_notify(3) has it; a fault of many lines is one line of status."""
    path = f"{tmp_path}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{path}" if is_abstract else path)
        listener.settimeout(10)
        manager = Manager({"NOTIFY_SOCKET": f"@{path}" if is_abstract else path})
        manager.ready("waits: vip.toml: a fault\nanother")
        manager.alive()
        manager.ending()
        said = [listener.recv(1000) for _ in range(3)]
    assert said == [b"READY=1\nSTATUS=waits: vip.toml: a fault", b"WATCHDOG=1", b"STOPPING=1"]


def test_nobody_asked(tmp_path: Path) -> None:
    """Without systemd, and while it does not listen, nothing happens, and nothing waits."""
    Manager({}).alive()
    Manager({"NOTIFY_SOCKET": f"{tmp_path}/none"}).alive()


def test_it_listens_to_nothing(tmp_path: Path) -> None:
    """A socket that takes no more does not hold up the one who tells."""
    path = f"{tmp_path}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        manager = Manager({"NOTIFY_SOCKET": path})
        for _ in range(10_000):
            manager.alive()
        listener.settimeout(0)
        taken = 0
        while True:
            try:
                listener.recv(100)
            except BlockingIOError:
                break
            taken += 1
    assert 0 < taken < 10_000
