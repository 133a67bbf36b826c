"""What a shadow tells of a daemon that somebody else changes."""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from policy.plan import Announce, Withdraw
from speaker import config, vip_watchdog
from speaker.backends.base import BackendError, Reading
from speaker.exit_status import ExitStatus
from speaker.runtime import shadow
from speaker.runtime.disagreements import Disagreements
from speaker.runtime.shadow import Shadow
from tests.support.fakes.site import write_config
from tests.support.lab.eventually import eventually
from tests.unit.backends.test_dry_run import FIRST, OTHER, ROUTE, SECOND, Daemon

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from policy.route import Prefix


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def steady(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now


def test_tells_what_differs_from_what_was_read() -> None:
    """A wish that the daemon fulfils already is no disagreement, whatever was wished between."""
    daemon, told = Daemon(), list[dict["Prefix", tuple[str, str]]]()
    shadow = Shadow(daemon, lambda found: told.append(dict(found)))
    daemon.reading = Reading({FIRST: ROUTE, SECOND: None})

    async def go() -> None:
        await shadow.read([FIRST, SECOND])
        await shadow.apply([Withdraw(FIRST)])
        await shadow.apply([Announce(ROUTE)])
        await shadow.apply([Announce(OTHER)])
        daemon.reading = Reading({FIRST: OTHER, SECOND: None})
        await shadow.read([FIRST, SECOND])

    asyncio.run(go())
    has = f"announces {ROUTE.attributes}"
    assert told == [
        {},
        {FIRST: (has, "would delete the route")},
        {},
        {FIRST: (has, f"would announce {OTHER.attributes}")},
        {},
    ]


def test_says_begin_change_and_end_once(caplog: pytest.LogCaptureFixture) -> None:
    """The same disagreement is said once, however often it is seen; the sum has the longest and the open."""
    clock = Clock()
    disagreements = Disagreements(clock, lambda _: "why")
    seen: Sequence[Mapping[Prefix, tuple[str, str]]] = [
        {FIRST: ("a", "b")},
        {FIRST: ("a", "b")},
        {FIRST: ("c", "b")},
        {},
        {},
        {FIRST: ("a", "b")},
    ]
    with caplog.at_level(logging.WARNING):
        for found in seen:
            disagreements.note(found)
            clock.now += 10
        disagreements.sum_up(7)
    assert [record.getMessage() for record in caplog.records] == [
        f"{FIRST}: disagreement: bgpd a; vip_watchdog b: why",
        f"{FIRST}: disagreement: bgpd c; vip_watchdog b: why",
        f"{FIRST}: bgpd and vip_watchdog agree again, after 30 s",
        f"{FIRST}: disagreement: bgpd a; vip_watchdog b: why",
        (
            "7 prefixes, bgpd and vip_watchdog disagree on 1; since the start: 2 disagreements on 1 prefix, "
            "the longest for 30 s"
        ),
        f"{FIRST}: disagrees for 10 s: bgpd a; vip_watchdog b",
    ]


@contextmanager
def shadowing(directory: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Have a shadow of a bgpd that does not answer, once it has started, and its log."""
    vtysh = directory / "vtysh"
    vtysh.write_text("#!/bin/sh\nexit 3\n")
    vtysh.chmod(0o755)
    many = "".join(f'[vip."v{n}"]\naddresses = ["2001:db8:1::{n}"]\n' for n in range(1, 401))
    more = f'[health]\nsource = "none"\n[backend.quagga]\nvtysh = "{vtysh}"\n{many}'
    words = ["-m", "speaker.vip_watchdog", "--config", str(write_config(directory, more))]
    written = directory / "log"
    with (
        written.open("wb") as file,
        subprocess.Popen([sys.executable, *words, "--shadow"], stderr=file) as process,
    ):
        try:
            eventually(lambda: "started: " in written.read_text(), within=10, what="its start")
            yield process, written
        finally:
            process.kill()


def test_it_ends_while_it_loads(tmp_path: Path) -> None:
    """A shadow that is told to end does, with its sum, though a new vip.toml is being loaded."""
    with shadowing(tmp_path) as (process, log):
        # It gets both at once, however busy the machine is: else it might have loaded all before the second.
        for each in (signal.SIGSTOP, signal.SIGHUP, signal.SIGTERM, signal.SIGCONT):
            process.send_signal(each)
        assert process.wait(60) == 0
        said = log.read_text()
    assert "bgpd and vip_watchdog disagree on" in said
    assert "configuration applied" not in said
    assert "Traceback" not in said


def test_it_loads(tmp_path: Path) -> None:
    """A shadow that is told to load vip.toml again says that it did, or why not, and goes on."""
    with shadowing(tmp_path) as (process, log):
        process.send_signal(signal.SIGHUP)
        eventually(
            lambda: "configuration applied: 403 prefixes" in log.read_text(),
            within=10,
            what="its word",
        )
        (tmp_path / "vip.toml").write_text("nonsense")
        process.send_signal(signal.SIGHUP)
        eventually(
            lambda: "the configuration stays as it was" in log.read_text(),
            within=10,
            what="its word",
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("options", [["--shadow", "--daemon"], ["--once"], ["--once", "--daemon"]])
def test_usage(options: Sequence[str]) -> None:
    """What makes no sense together is refused."""
    with pytest.raises(SystemExit) as caught:
        vip_watchdog.main(options)
    assert caught.value.code == ExitStatus.USAGE


@pytest.mark.parametrize("backend", ["exabgp", "quagga"])
def test_it_is_beside_bgpd_whatever_vip_toml_is_for(
    tmp_path: Path, backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A migration runs it with the vip.toml of ExaBGP: bgpd is asked, and where it can't be, the status is 255."""
    path = write_config(
        tmp_path,
        f'[health]\nsource = "none"\n[backend.quagga]\nvtysh = "{tmp_path}/no-vtysh"\n',
    )
    loaded = config.load(path, {"VIP_BACKEND": backend})
    assert loaded.settings.backend == backend
    with pytest.raises(BackendError, match="no-vtysh"):
        shadow.once(loaded)
    assert caplog.text == ""
    assert not (tmp_path / "state.sqlite3").exists()
