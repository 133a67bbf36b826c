"""Checks that run a program: what its exit status means, and that nothing of it outlives its time."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path

import pytest

from policy.health import Health
from speaker.config.settings_checks import CheckSettings, ExecCheck
from speaker.health.checks.asking import Askers
from speaker.health.checks.probe import Probe, ProbeAnswer
from speaker.health.checks.programs import MAX_OUTPUT, ExecAsker
from tests.support.lab.eventually import eventually

UP, DOWN, UNKNOWN = Health.UP, Health.DOWN, Health.UNKNOWN
PLUGINS = Path("/usr/lib/nagios/plugins")


def run(what: ExecCheck, timeout: float = 10.0) -> ProbeAnswer:
    async def ask() -> ProbeAnswer:
        asker = Askers()
        try:
            return await asker.ask(Probe(CheckSettings("x", what, timeout=timeout)))
        finally:
            await asker.close()

    return asyncio.run(ask())


def shell(text: str, *more: str, **keys: object) -> ExecCheck:
    return ExecCheck(("/bin/sh", "-c", text, *more), **keys)  # type: ignore[arg-type]  # as a test names them


@pytest.mark.parametrize(
    ("status", "health"), [(0, UP), (1, DOWN), (2, UNKNOWN), (3, UNKNOWN), (127, UNKNOWN)]
)
def test_exit_statuses(status: int, health: Health) -> None:
    """0 is up, 1 down, and anything else unknown; with what the program said first."""
    found = run(shell(f"echo so it is; echo more; exit {status}"))
    assert (found.health, found.reason) == (health, f"exit status {status}: so it is")


def test_other_statuses() -> None:
    """Which statuses mean what can be said."""
    assert run(shell("exit 1", up=(0, 1), down=(2,))).health is UP
    assert run(shell("exit 2", up=(0, 1), down=(2,))).health is DOWN
    found = run(shell("kill -TERM $$"))
    assert (found.health, found.reason) == (UNKNOWN, "ended by signal 15")


def test_how_it_runs() -> None:
    """It gets its words as they are, no shell's meaning in them, and nothing of our environment."""
    os.environ["SECRET"] = "x"
    found = run(shell('echo "$1|$SECRET|$PWD"', "-", "$(id) ; *", up=(0,)))
    assert found.reason == "exit status 0: $(id) ; *"
    assert run(shell('test -z "$SECRET" && test "$PWD" = /')).health is UP


def test_what_it_says_is_printable() -> None:
    """Text that would act on a terminal is escaped, and cut."""
    found = run(shell(r"printf '\033[31m%01000d\n' 1"))
    assert found.reason.startswith(r"exit status 0: \x1b[31m000")
    assert len(found.reason) < 300


def test_its_time(tmp_path: Path) -> None:
    """What does not end in time is killed with all that it started, and is unknown, or what `on_timeout` says."""
    pids = tmp_path / "pids"
    pids.touch()

    def started() -> list[str]:
        """On a busy machine its time may be over before it has said what it started."""
        found = run(shell(f"sleep 1000 & echo $! $$ > {pids}; wait"), timeout=0.5)
        assert (found.health, found.reason) == (UNKNOWN, "no answer within 0.5 s")
        return pids.read_text().split()

    for pid in eventually(started, within=5, what="the processes of a program"):
        eventually(
            lambda pid=pid: not Path(f"/proc/{pid}").exists() or "Z" in _state(pid),  # type: ignore[misc]
            within=5,
            what="its end",
        )


def _state(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2]
    except FileNotFoundError:
        return "Z"


def test_what_it_leaves_behind() -> None:
    """One that ends and leaves a child with its output open is not waited for, and the child is killed."""
    began = time.monotonic()
    assert run(shell("sleep 1000 & exit 0"), timeout=60).health is UP
    assert time.monotonic() - began < 50


def test_it_says_too_much() -> None:
    """One that says more than is read is killed at once."""
    found = run(ExecCheck(("/usr/bin/yes",)), timeout=60)
    assert (found.health, found.reason) == (
        UNKNOWN,
        f"killed: it said more than {MAX_OUTPUT} bytes",
    )


def test_limits() -> None:
    """What it may use is bounded."""
    text = "ulimit -n; ulimit -v; ulimit -t; ulimit -c"
    found = run(shell(f"echo $({text})"))
    assert found.reason == "exit status 0: 256 1048576 11 0"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_as_a_user() -> None:
    """It runs as the user that it is to run as, with no group of ours."""
    found = run(shell("echo $(id -un) $(id -Gn)", user="nobody"))
    assert found.reason == "exit status 0: nobody nogroup"
    missing = run(shell("exit 0", user="nosuchuser"))
    assert (missing.health, "there is none" in missing.reason) == (UNKNOWN, True)


def test_a_directory_that_hangs() -> None:
    """Nothing else waits while it is looked how to run a program, and however often it is asked, one thread does so."""
    answers, looks = threading.Event(), list[str]()

    def look(program: str, _: str | None) -> dict[str, object]:
        looks.append(program)
        assert answers.wait(60)
        return {}

    async def main() -> None:
        asker, what = ExecAsker(look), ExecCheck(("/bin/true",))
        probe = Probe(CheckSettings("x", what))
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await asker.ask(probe, what)
        assert len(looks) == 1
        answers.set()
        assert (await asker.ask(probe, what)).health is UP

    asyncio.run(main())


def test_what_can_not_be_run(tmp_path: Path) -> None:
    """No program, or one that others may change, is unknown."""
    assert run(ExecCheck(("/nowhere",))).health is UNKNOWN
    program = tmp_path / "check"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o777)
    found = run(ExecCheck((str(program),)))
    assert (found.health, "chmod go-w" in found.reason) == (UNKNOWN, True)


@pytest.mark.parametrize(
    ("words", "health", "why"),
    [
        (("check_dummy", "0", "fine"), UP, "exit status 0: OK: fine"),
        (("check_dummy", "1", "hm"), UP, "exit status 1: WARNING: hm"),
        (("check_dummy", "2", "no"), DOWN, "exit status 2: CRITICAL: no"),
        (("check_dummy", "3", "what"), UNKNOWN, "exit status 3: UNKNOWN: what"),
        (("check_tcp", "-H", "127.0.0.1", "-p", "1"), DOWN, "exit status 2: connect to address"),
    ],
)
def test_nagios_plugins(words: tuple[str, ...], health: Health, why: str) -> None:
    """Plugins of Nagios run as they are, with what their statuses mean."""
    if not PLUGINS.exists():
        assert os.environ.get("CI") != "true", "monitoring-plugins-basic is missing"
        pytest.skip("needs monitoring-plugins-basic")
    found = run(ExecCheck((str(PLUGINS / words[0]), *words[1:]), None, (0, 1), (2,)))
    assert found.health is health
    assert found.reason.startswith(why)
