"""Checks the guest itself: what it shows, what it gives back, and that it ends."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.guest.boot import PROGRAMS, GuestError, preloads, run
from tests.support.lab.eventually import eventually
from tests.support.lab.requirements import require


@pytest.fixture(scope="module")
def preload() -> Iterator[tuple[Path, Path]]:
    """The remedy for hosts with AMX, and a host that needs it."""
    require(*PROGRAMS)
    with preloads() as both:
        yield both


def stats() -> Iterator[list[str]]:
    """Yield what /proc says of each process, from its state on: state, parent, group, session, …"""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            yield path.read_text().rpartition(") ")[2].split()


def sessions_of_children() -> set[str]:
    """Return the sessions that children of the test run lead."""
    return {session for _, parent, _, session, *_ in stats() if parent == str(os.getpid())}


def living(sessions: set[str]) -> int:
    """Return how many processes of some sessions are alive."""
    return sum(fields[3] in sessions and fields[0] != "Z" for fields in stats())


def test_what_comes_back(preload: tuple[Path, Path]) -> None:
    """Exit status, stdout and stderr are the command's; files are written where it may, only there."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        lines = [
            f"echo 'from inside' > {folder}/file",
            "touch /etc/vip-was-here 2>/dev/null && echo 'wrote to the host'",
            'printf "%s|" "$GREETING" "$(uname -r)" "$(pwd)"; ls -A /var/tmp | wc -l',
            "echo 'a bad day' >&2",
            "exit 7",
        ]
        outcome = run(
            ["sh", "-c", "\n".join(lines)],
            within=300,
            writable=[path],
            env={"GREETING": 'it\'s "me" $HOME'},
            preload=preload[:1],
        )
        assert (path / "file").read_text() == "from inside\n"
    assert outcome.status == 7
    greeting, release, cwd, rest = outcome.stdout.split("|")
    assert greeting == 'it\'s "me" $HOME'
    assert release != Path("/proc/sys/kernel/osrelease").read_text().strip()
    assert (Path(cwd), rest) == (Path(__file__).parents[2], "0\n")
    assert outcome.stderr == "a bad day\n"
    assert not Path("/etc/vip-was-here").exists()


def test_a_guest_that_does_not_end_is_ended(preload: tuple[Path, Path]) -> None:
    """Ended before its time, the error has what was printed, and none of its processes is left."""
    before = sessions_of_children()
    begun: set[str] = set()

    def heard(_: str) -> None:
        begun.update(sessions_of_children() - before)
        assert living(begun) > 1

    script = ["sh", "-c", "echo so far; sleep 1000"]
    with pytest.raises(GuestError, match="its time was over\n--- stdout:\nso far\n"):
        run(script, within=300, preload=preload[:1], heard=heard, stop=lambda: bool(begun))
    eventually(lambda: living(begun), until=lambda n: n == 0, within=5, what="no process of it")


def test_a_host_with_amx(preload: tuple[Path, Path]) -> None:
    """Where the host takes XSAVE areas only whole, the guest runs with the remedy, and not without."""
    remedy, host = preload
    assert run(["true"], within=300, preload=[remedy, host]).status == 0
    with pytest.raises(GuestError, match=r"(?s)no exit status.*put_fp_registers"):
        run(["true"], within=300, preload=[host])
