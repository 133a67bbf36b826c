"""Whether keepalived runs, and since when, from /proc."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from policy.health import Checker
from speaker.clock import SystemClock
from speaker.health.keepalived import MISSED, NAME, OVERLAP, RESCAN, Keepalived, is_running
from tests.lab.eventually import eventually

if TYPE_CHECKING:
    from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


class Machine:
    """A /proc of files, and the clocks of the machine: it booted when the steady clock was 1000."""

    def __init__(self, proc: Path) -> None:
        self.proc = proc
        self.now = 1500.0
        self.keepalived = Keepalived(lambda: self.now, proc=proc, uptime=lambda: self.now - 1000.0)

    def runs(
        self,
        pid: int,
        name: str = "keepalived",
        *,
        parent: int = 1,
        at: float = 1100.0,
        state: str = "S",
        arguments: str = "",
    ) -> None:
        """Have a process, started at that time."""
        place = self.proc / str(pid)
        place.mkdir(exist_ok=True)
        (place / "comm").write_text(f"{name[:15]}\n")
        (place / "cmdline").write_text("\0".join([name, *arguments.split(), ""]))
        zeros = " ".join("0" * 17)
        ticks = round((at - 1000.0) * TICKS)
        (place / "stat").write_text(f"{pid} ({name[:15]}) {state} {parent} {zeros} {ticks} 0 0\n")

    def ends(self, pid: int) -> None:
        """Have it no more."""
        shutil.rmtree(self.proc / str(pid))

    def started(self) -> float | None:
        """Look."""
        return self.keepalived.look().checker.started


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("names", "runs"),
    [
        ([], False),
        (["init", "keepalived"], True),
        (["keepalived-x", "xkeepalived", "keepalive) S 1"], False),
    ],
)
def test_by_name(machine: Machine, names: list[str], *, runs: bool) -> None:
    """It runs when a process has exactly its name."""
    for pid, name in enumerate(names, 1):
        machine.runs(pid, name, parent=0)
    (machine.proc / "net").mkdir()
    assert is_running(machine.proc) is runs
    assert machine.keepalived.look().checker.running is runs


def test_when_it_started(machine: Machine) -> None:
    """Its start is on the steady clock; while it is the same, so is the object."""
    machine.runs(10, at=1234.5)
    seen = machine.keepalived.look()
    assert seen.checker == Checker(1234.5)
    machine.now += 2 * RESCAN
    assert machine.keepalived.look().checker is seen.checker


def test_a_checker_that_was_replaced(machine: Machine) -> None:
    """keepalived started when its youngest child did: a checker that died begins without any check."""
    machine.runs(10, at=1100.0)
    machine.runs(11, parent=10, at=1100.2)
    assert machine.started() == 1100.2
    machine.ends(11)
    machine.runs(12, parent=10, at=1500.0)
    assert machine.started() == 1500.0


def test_children_that_come_later(machine: Machine) -> None:
    """A child that was not there at first is found at the next look for processes."""
    machine.runs(10, at=1500.0)
    assert machine.started() == 1500.0
    machine.runs(11, parent=10, at=1500.5)
    machine.now += MISSED
    assert machine.started() == 1500.5
    for _ in range(30):
        machine.now += MISSED
        assert machine.started() == 1500.5
    machine.runs(12, parent=10, at=1500.5, state="R")
    machine.now += RESCAN
    assert machine.keepalived.look().busy


def test_scripts_do_not_matter(machine: Machine) -> None:
    """A script of the checker has keepalived's name until it is executed, and is none."""
    machine.runs(10)
    machine.runs(11, parent=10)
    machine.runs(12, parent=11, at=1499.0)
    assert machine.started() == 1100.0


def test_its_number_taken_by_another(machine: Machine) -> None:
    """A process with its number is another one where its start or its name differs."""
    machine.runs(10)
    assert machine.started() == 1100.0
    machine.runs(10, at=1400.0)
    assert machine.started() == 1400.0
    machine.runs(10, "bash", at=1400.0)
    assert machine.started() is None


def test_ends_and_starts(machine: Machine) -> None:
    """Its end is seen at once; its start within a moment, which spares looks at all processes."""
    machine.runs(10)
    assert machine.started() == 1100.0
    machine.ends(10)
    assert machine.started() is None
    machine.runs(20, at=1500.1)
    machine.now += MISSED
    assert machine.started() == 1500.1


def test_the_main_process_was_killed(machine: Machine) -> None:
    """The checker alone, which its end outlives for a moment, keeps the table; what has ended does not."""
    machine.runs(10, state="Z")
    machine.runs(11, parent=1, at=1101.0)
    assert machine.started() == 1101.0
    machine.runs(11, parent=1, at=1101.0, state="Z")
    assert machine.started() is None


def test_one_ends_while_the_next_starts(machine: Machine) -> None:
    """What an orphaned checker still takes away is not the next one's: it counts from the orphan's end."""
    machine.runs(11, parent=1, at=1101.0)
    machine.runs(20, at=1499.0)
    machine.runs(21, parent=20, at=1499.1)
    for _ in range(3):
        machine.now += 0.5
        assert machine.started() == machine.now
    ended = machine.now
    machine.ends(11)
    machine.now += 0.5
    assert machine.started() == ended
    machine.now += 2 * RESCAN
    assert machine.started() == ended


def test_two_that_stay(machine: Machine) -> None:
    """Two with children of their own are none's end; one without any is not waited for for ever."""
    for pid in (10, 20):
        machine.runs(pid)
        machine.runs(pid + 1, parent=pid, at=1101.0)
    assert machine.started() == 1101.0
    machine.runs(30)
    machine.now += RESCAN
    first = machine.now
    assert machine.started() == first
    machine.now += OVERLAP
    assert machine.started() == machine.now
    for _ in range(3):
        machine.now += 1.0
        assert machine.started() == first + OVERLAP


@pytest.mark.parametrize(
    ("arguments", "counts"),
    [
        ("-P", False),
        ("-nlP", False),
        ("--vrrp -f /etc/k.conf", False),
        ("-C", True),
        ("-f /etc/Pair.conf -p /run/P.pid", True),
        ("--dont-fork", True),
    ],
)
def test_vrrp_only(machine: Machine, arguments: str, *, counts: bool) -> None:
    """One that was started for VRRP only checks no realserver."""
    machine.runs(10, arguments=arguments)
    machine.runs(11, parent=10, arguments=arguments)
    assert (machine.started() is not None) is counts


def test_another_network_namespace(machine: Machine) -> None:
    """One in another network namespace keeps another table; where that is not shown, it is ours."""
    machine.runs(10)
    for pid, space in (("self", "net:[1]"), ("10", "net:[2]")):
        (machine.proc / pid / "ns").mkdir(parents=True)
        (machine.proc / pid / "ns" / "net").symlink_to(space)
    assert machine.started() is None
    (machine.proc / "10" / "ns" / "net").unlink()
    machine.now += MISSED
    assert machine.started() == 1100.0


@pytest.mark.parametrize("state", ["R", "D", "T"])
def test_at_work(machine: Machine, state: str) -> None:
    """It is busy when any of its processes is not asleep."""
    machine.runs(10)
    machine.runs(11, parent=10)
    assert not machine.keepalived.look().busy
    machine.runs(11, parent=10, state=state)
    assert machine.keepalived.look().busy


def test_garbage(machine: Machine) -> None:
    """What /proc does not write is no process."""
    for pid, text in ((10, "10 (keepalived) S 1 0\n"), (11, ""), (12, "12 keepalived")):
        machine.runs(pid)
        (machine.proc / str(pid) / "stat").write_text(text)
    assert machine.started() is None


def test_a_real_process(tmp_path: Path) -> None:
    """A process of this machine is found by its name, with the time when it was started."""
    program = tmp_path / NAME.decode()
    shutil.copy("/bin/sleep", program)
    steady = SystemClock().steady
    keepalived = Keepalived(steady)
    before = keepalived.look().checker
    with subprocess.Popen([program, "60"]) as process:
        try:
            at = steady()

            def found() -> None:
                started = Keepalived(steady).look().checker.started
                assert started is not None
                assert abs(started - at) < 5.0

            eventually(found, within=10.0, what="it is found", until=lambda _: True)
        finally:
            process.kill()
    if not before.running:
        assert not is_running()
