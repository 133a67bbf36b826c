"""Whether keepalived runs, and since when, from /proc."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from policy.health import Checker
from speaker.clock import SystemClock
from speaker.health.keepalived import process as keepalived
from speaker.health.keepalived.process import MISSED, NAME, OVERLAP, RESCAN, Keepalived, is_running
from tests.support.lab.eventually import eventually
from tests.support.lab.installed import NOBODY
from tests.support.lab.requirements import require
from tests.support.lab.user import nobody, reachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.lab.netns import Network

TICKS = os.sysconf("SC_CLK_TCK")


class Machine:
    """A /proc of files, and the clocks of the machine: it booted when the steady clock was 1000."""

    def __init__(self, proc: Path) -> None:
        self.proc = proc
        (proc / "self" / "net").mkdir(parents=True)
        (proc / "self" / "net" / "dev").touch()
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
        users: str = "0 0 0 0",
        program: str = "/usr/sbin/keepalived",
        here: bool = True,
    ) -> None:
        """Have a process, started at that time."""
        place = self.proc / str(pid)
        if place.exists():
            self.ends(pid)
        (place / "net").mkdir(parents=True)
        if here:
            (place / "net" / "dev").hardlink_to(self.proc / "self" / "net" / "dev")
        else:
            (place / "net" / "dev").touch()
        (place / "exe").symlink_to(program)
        (place / "status").write_text(f"Name:\t{name}\nUid:\t{users}\nGid:\t0\t0\t0\t0\n")
        (place / "comm").write_text(f"{name[:15]}\n")
        (place / "cmdline").write_text("\0".join([name, *arguments.split(), ""]))
        zeros = " ".join("0" * 17)
        ticks = round((at - 1000.0) * TICKS)
        (place / "task" / str(pid)).mkdir(parents=True, exist_ok=True)
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


def test_a_child_that_was_just_forked(machine: Machine) -> None:
    """A checker is seen at work at the very next look: its parent's children are looked at each time."""
    machine.runs(10, at=1500.0)
    assert not machine.keepalived.look().busy
    machine.runs(11, parent=10, at=1500.1, state="R")
    children = machine.proc / "10" / "task" / "10" / "children"
    children.write_text("11 ")
    machine.now += 0.2
    seen = machine.keepalived.look()
    assert (seen.busy, seen.checker.started) == (True, 1500.1)
    machine.runs(12, "script", parent=10)
    children.write_text("11 12 ")
    assert machine.keepalived.look().checker is seen.checker


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
    """One in another network namespace keeps another table."""
    machine.runs(10, here=False)
    assert machine.started() is None
    machine.runs(10)
    machine.now += MISSED
    assert machine.started() == 1100.0


@pytest.mark.parametrize(
    "users", ["1000 1000 1000 1000", "1000 0 0 0", "0 1000 0 0", "65534 " * 4, ""]
)
def test_of_another_user(machine: Machine, users: str) -> None:
    """A process of any user but root is none, whatever its name: anybody may choose that."""
    machine.runs(10, users=users)
    assert machine.started() is None
    machine.runs(20)
    machine.runs(30, users=users, at=1499.0)
    machine.now += RESCAN
    assert machine.started() == 1100.0


@pytest.mark.parametrize(
    ("program", "counts"),
    [
        ("/usr/sbin/keepalived", True),
        ("/usr/sbin/keepalived (deleted)", True),
        ("/usr/bin/perl", False),
        ("/tmp/keepalived-x", False),
        ("/tmp/keepalived/sh", False),
    ],
)
def test_of_another_program(machine: Machine, program: str, *, counts: bool) -> None:
    """A process of root's that only took the name is none; one whose file was upgraded still is."""
    machine.runs(10, program=program)
    assert (machine.started() is not None) is counts


def test_whose_program_is_not_shown(machine: Machine) -> None:
    """Where only root may see the program, its user decides."""
    machine.runs(10)
    (machine.proc / "10" / "exe").unlink()
    assert machine.started() is None


@pytest.mark.parametrize("state", ["R", "D", "T", "I"])
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


# --- the processes of this machine -----------------------------------------------------------------


@pytest.fixture
def program() -> Iterator[Path]:
    """A program of that name that only sleeps, and that any user may run."""
    require()
    with reachable(0o755) as folder:
        shutil.copy("/bin/sleep", folder / NAME.decode())
        yield folder / NAME.decode()


@contextmanager
def running(*argv: str | Path, user: int = 0) -> Iterator[int]:
    """Run a program, and give its process id once it is executed."""
    with subprocess.Popen(argv, user=user) as process:
        try:
            comm = Path(f"/proc/{process.pid}/comm")
            eventually(
                lambda: comm.read_text().strip(),
                until=lambda name: name == NAME.decode(),
                within=10.0,
                what="it is executed",
            )
            yield process.pid
        finally:
            process.kill()


def started() -> float | None:
    """When keepalived was started, by this machine's /proc."""
    return Keepalived(SystemClock().steady).look().checker.started


def found() -> set[int]:
    """The processes that are keepalived's here. Another test may run one at the same time."""
    return {process.pid for process in keepalived._scan(keepalived.PROC)}


def test_a_real_process(program: Path) -> None:
    """A process of root's is found by its name, with the time when it was started; by any user."""
    at = SystemClock().steady()
    with running(program, "60") as pid:
        for reader in (nullcontext, nobody):
            with reader():
                when = started()
                assert pid in found()
            assert when is not None
            assert abs(when - at) < 5.0


def test_a_real_process_of_another_user(program: Path) -> None:
    """Any local user may run a program of that name: it is none, whoever looks."""
    with running(program, "60", user=NOBODY) as pid:
        for reader in (nullcontext, nobody):
            with reader():
                assert pid not in found()


def test_a_real_process_elsewhere(program: Path, network: Network) -> None:
    """One of root's in another network namespace is none, whoever looks."""
    with running(*network.host("elsewhere").command(str(program), "60")) as pid:
        for reader in (nullcontext, nobody):
            with reader():
                assert pid not in found()


def test_arguments(machine: Machine) -> None:
    """The arguments of each keepalived are known, not those of its children."""
    machine.runs(10, arguments="-f /a.conf -i main")
    machine.runs(11, parent=10, arguments="-f /b.conf")
    assert keepalived.arguments(machine.proc) == [["-f", "/a.conf", "-i", "main"]]
    machine.runs(20, arguments="")
    assert len(keepalived.arguments(machine.proc)) == 2
