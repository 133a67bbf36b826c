"""Foreseen shortages of the process that ExaBGP spawns: one line each in its log, and it goes on."""

from __future__ import annotations

import asyncio
import errno
import gc
import resource
import socket
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speaker.control import client
from speaker.control.client import OutcomeUnknownError, RefusedError
from speaker.control.running import APPLY
from speaker.reconcile.alarms import Alarms
from speaker.runtime.shortage import Shortage
from speaker.state.store import StoreError
from tests.support.lab.eventually import eventually
from tests.unit.runtime.test_end import spawned

if TYPE_CHECKING:
    from tests.unit.runtime.test_end import Spawned

DRAIN = {"mode": "drained", "prefixes": ["192.0.2.1/32"]}


def open_now(it: Spawned) -> int:
    return len([*Path(f"/proc/{it.process.pid}/fd").iterdir()])


def answers(it: Spawned) -> bool:
    try:
        return bool(client.ask(it.socket, "GET", "/history") == [])
    except OutcomeUnknownError:  # it is busy
        return False


def test_no_descriptors(tmp_path: Path) -> None:
    """Connections that can't be accepted are one line, whatever their number; they are served when they can be."""
    with spawned(tmp_path) as it:
        limit = open_now(it) + 3
        resource.prlimit(it.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
        with ExitStack() as stack:
            for _ in range(10):
                waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
                waiting.connect(str(it.socket))
            eventually(lambda: "resources: " in it.log, within=5, what="the shortage in the log")
        eventually(lambda: answers(it), within=10, what="an answer")
        assert it.log.count("Too many open files") == 1
        assert "Traceback" not in it.log


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            BrokenPipeError(errno.EPIPE, "Broken pipe"),
            "an error that nobody waits for: Broken pipe",
        ),
        (StoreError("state: it is locked"), "an error that nobody waits for: state: it is locked"),
        (ValueError("of a bug"), "Future exception was never retrieved"),
    ],
)
def test_what_nobody_waits_for(
    error: Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An error that the loop is left with is in the log: one that is foreseen in one line."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(Shortage(Alarms()).met)
        loop.create_future().set_exception(error)
        gc.collect()

    asyncio.run(main())
    assert said in caplog.text
    assert (len(caplog.text.splitlines()) > 1) is isinstance(error, ValueError)


CHECKS = """
[health]
source = "tcp"
interval = "50ms"

[vip."vip-1.tld".services."tcp/80"]
realservers = ["127.0.0.1:PORT"]
[vip."vip-2.tld".services."tcp/80"]
realservers = ["127.0.0.1:PORT"]
"""


def test_a_look_has_its_descriptors(tmp_path: Path) -> None:
    """Idle connections, however many, leave what a look takes: realservers are looked at as before.

    And the one that is idle longest makes room for who asks.
    """
    with socket.create_server(("127.0.0.1", 0)) as realserver, ExitStack() as stack:
        more = CHECKS.replace("PORT", str(realserver.getsockname()[1]))
        it = stack.enter_context(spawned(tmp_path, more))
        realserver.settimeout(30)
        realserver.accept()[0].close()
        limit = open_now(it) + 80
        resource.prlimit(it.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
        for _ in range(100):
            idle = stack.enter_context(socket.socket(socket.AF_UNIX))
            idle.connect(str(it.socket))
        assert client.ask(it.socket, "GET", "/history") == []
        assert open_now(it) < limit - 30
        for _ in range(10):
            realserver.accept()[0].close()
        assert "Too many open files" not in it.log


def test_a_locked_file(tmp_path: Path) -> None:
    """An intent that can't be recorded, because another program holds the file, is one line; and it goes on."""
    with spawned(tmp_path) as it:
        with closing(sqlite3.connect(tmp_path / "state.sqlite3")) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(RefusedError, match="database is locked"):
                client.ask(it.socket, "POST", "/intents", DRAIN, timeout=APPLY)
        said = "POST /intents: state: "
        eventually(lambda: said in it.log, within=5, what="the refusal in the log")
        assert it.log.count(said) == 1
        assert "Traceback" not in it.log
        client.ask(it.socket, "GET", "/history")
