"""vip_mgmt reload: the watchdog reads vip.toml again, and who asked is told what became of it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from typing import TYPE_CHECKING, Any

import pytest

from speaker import vip_mgmt
from speaker.control import client
from speaker.runtime.assemble import Driver
from speaker.runtime.reloads import ReloadError, Reloads
from speaker.runtime.service import _NOT_YET, ReconcilerService
from tests.support.fakes.site import write_config
from tests.support.lab.eventually import eventually
from tests.unit.runtime.test_service import NO_CHECKS, Daemon

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MORE = '[vip."vip-3.tld"]\naddresses = ["192.0.2.3"]\n'


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = write_config(tmp_path, NO_CHECKS)
    monkeypatch.setenv("VIP_CONFIG", str(path))
    return path


def served(path: Path, ask: Callable[[], Any]) -> Any:
    """Run a watchdog, and ask it from a thread."""

    async def on_shutdown(_: object) -> None: ...

    async def main() -> Any:
        service = ReconcilerService(path, "exabgp", Driver(Daemon(), lambda _: None), on_shutdown)
        end = asyncio.Event()
        running = asyncio.create_task(service.run(end))
        try:
            control = path.with_name("control.sock")
            await asyncio.to_thread(eventually, control.is_socket, within=10, what="the socket")
            return await asyncio.to_thread(ask)
        finally:
            end.set()
            await running

    return asyncio.run(main())


def add(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def test_it_is_taken_when_the_command_ends(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With exit status 0, the watchdog has the new file, and says how many prefixes that has."""

    def ask() -> int:
        add(file, MORE)
        assert vip_mgmt.main(["reload"]) == 0
        return len(client.ask(file.with_name("control.sock"), "GET", "/status")["routes"])

    assert served(file, ask) == 4
    assert capsys.readouterr().err == "bgp_mgt: configuration applied: 4 prefixes\n"


def test_a_faulty_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file with a fault is exit status 255 with the fault, and the watchdog keeps what it has."""

    def ask() -> int:
        add(file, MORE.replace("192.0.2.3", "192.0.2.300"))
        assert vip_mgmt.main(["reload"]) == 255
        return len(client.ask(file.with_name("control.sock"), "GET", "/status")["routes"])

    assert served(file, ask) == 3
    assert 'vip."vip-3.tld".addresses[0]' in capsys.readouterr().err


def test_a_file_that_only_the_watchdog_refuses(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the watchdog can't take, although its form is good, is exit status 1, in its words."""

    def ask() -> int:
        file.write_text(file.read_text().replace("[node]", '[node]\nbackend = "quagga"'))
        return vip_mgmt.main(["reload"])

    assert served(file, ask) == 1
    assert "this vip_watchdog runs 'exabgp'" in capsys.readouterr().err


@pytest.mark.parametrize("key", ['read_mode = "0666"', 'log = "json"'])
def test_places(file: Path, capsys: pytest.CaptureFixture[str], key: str) -> None:
    """What takes effect at the next start only is said to whoever asks, and in `status` while it is so."""
    text = file.read_text()

    def ask() -> list[list[str]]:
        troubles = []
        for line in (f"[node]\n{key}", f"[node]\n{key}\n#", "[node]"):
            file.write_text(text.replace("[node]", line))
            assert vip_mgmt.main(["reload"]) == 0
            status = client.ask(file.with_name("control.sock"), "GET", "/status")
            troubles.append([text for text in status["trouble"] if text.startswith("restart: ")])
        return troubles

    first, again, back = served(file, ask)
    assert first == again == [f"restart: {_NOT_YET}"]
    assert back == []
    assert capsys.readouterr().err.count("read… and log take effect at the next start only") == 2


@pytest.mark.parametrize("is_loaded", [False, True])
def test_check_finds_other_places(
    file: Path, capsys: pytest.CaptureFixture[str], *, is_loaded: bool
) -> None:
    """A state file and a socket that the watchdog which answers does not use, whether it has read that or not."""
    text = file.read_text()

    def checked() -> list[str]:
        vip_mgmt.main(["check"])
        lines = capsys.readouterr().out.splitlines()
        return [line for line in lines if line.endswith("[node-moved]")]

    def ask() -> list[list[str]]:
        found = [checked()]
        moved = text.replace("state.sqlite3", "other.sqlite3")
        other = f'[node]\nread = "{file.with_name("other.sock")}"'
        file.write_text(moved.replace("[node]", other))
        if is_loaded:
            assert vip_mgmt.main(["reload"]) == 0
        return [*found, checked()]

    before, after = served(file, ask)
    assert before == []
    folder = file.parent
    assert [line.partition(";")[0] for line in after] == [
        f"node.{key}: the watchdog that runs uses {folder}/{was}, and vip.toml has {folder}/{now}"
        for key, was, now in (
            ("state", "state.sqlite3", "other.sqlite3"),
            ("read", "read.sock", "other.sock"),
        )
    ]


def test_names(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It takes no NAME: nobody must believe that one VIP alone is read."""
    assert file.exists()
    assert vip_mgmt.main(["reload", "vip-1.tld"]) == 255
    assert "reload takes no NAME" in capsys.readouterr().err


# --- requests ----------------------------------------------------------------------------------------


def test_who_asks_meanwhile_waits_for_another_reading() -> None:
    """A reading answers those who asked before it began: it may have read the file before the others wrote it."""

    async def main() -> None:
        reloads = Reloads()
        first = asyncio.create_task(reloads.result())
        await reloads.wait()
        with reloads.reading() as outcome:
            second = asyncio.create_task(reloads.result())
            await asyncio.sleep(0)
            outcome.taken("old")
        assert await first == "old"
        assert not second.done()
        await reloads.wait()
        with reloads.reading() as outcome:
            outcome.taken("new")
        assert await second == "new"

    asyncio.run(main())


def test_callers_are_told_whatever_happens() -> None:
    """Who hung up is in nobody's way; a reading that ends by an error of its own is one for those who wait."""

    async def main() -> None:
        reloads = Reloads()
        gone, waiting = (asyncio.create_task(reloads.result()) for _ in range(2))
        await reloads.wait()
        gone.cancel()
        await asyncio.wait({gone})
        with pytest.raises(ZeroDivisionError), reloads.reading():
            raise ZeroDivisionError
        with pytest.raises(ReloadError, match="loading was interrupted"):
            await waiting

    asyncio.run(main())


def test_a_signal_asks_too(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A HUP has the file read as well; nobody is told but the log."""

    def ask() -> None:
        add(file, MORE)
        os.kill(os.getpid(), signal.SIGHUP)
        eventually(
            lambda: re.search("configuration applied: 4 prefixes", caplog.text),
            within=10,
            what="the new configuration",
        )

    served(file, ask)
