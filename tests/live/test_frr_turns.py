"""A daemon and passes of cron at one bgpd: one of them at a time, and none hangs for the other."""

import fcntl
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest

from policy.intent import Intent, Mode
from policy.route import parse_prefix
from speaker.state.store import Store
from tests.support.lab.eventually import eventually
from tests.support.lab.frr_site import Bench
from tests.support.lab.netns import Network
from tests.support.lab.requirements import require
from tests.support.lab.site import misses, sees, steadily_misses, vip

LIVE = 8081
V4, V6 = "192.0.2.1/32", "2001:db8::1/128"
TABLES: Mapping[str, Any] = {"vip": {"vip-1.tld": vip("192.0.2.1", "2001:db8::1", ports=[LIVE])}}
# Notes who runs vtysh, and when it ends; a batch of configuration waits for a file to be there.
NOTING = (
    'case "$*" in *configure*) kind=write;; *) kind=read;; esac',
    'echo "$PPID $kind begin" >> {log}',
    "while [ $kind = write ] && [ ! -e {go} ]; do sleep 0.05; done",
    '{vtysh} --vty_socket {folder} "$@"',
    "status=$?",
    'echo "$PPID $kind end" >> {log}',
    "exit $status",
)


@pytest.fixture(scope="module")
def shared(module_network: Network) -> Bench:
    require("bird", "vtysh")
    return Bench(module_network, TABLES, up=[LIVE])


class Turns:
    """A data centre with a daemon, whose vtysh notes each run."""

    def __init__(self, dc: Bench) -> None:
        self.dc = dc
        self._log, self._go = dc.host.directory / "vtysh.log", dc.host.directory / "go"
        self._go.unlink(missing_ok=True)
        self._log.write_text("")
        words = {"log": self._log, "go": self._go, "vtysh": dc.frr.program, "folder": dc.frr.folder}
        dc.frr.wrap(*(line.format(**words) for line in NOTING))
        self.daemon = dc.site.daemon()

    def go(self) -> None:
        """Let batches of configuration be written."""
        self._go.touch()

    def notes(self) -> list[tuple[int, str, str]]:
        """Return who began and ended what so far."""
        words = [line.split() for line in self._log.read_text().splitlines()]
        return [(int(pid), kind, edge) for pid, kind, edge in words]


@pytest.fixture
def turns(shared: Bench) -> Iterator[Turns]:
    shared.bird.wait_for_sessions()
    shared.reset()
    made = Turns(shared)
    yield made
    made.go()
    assert made.daemon.terminate() == 0


def test_a_pass_beside_a_daemon_that_writes(turns: Turns) -> None:
    """The pass neither reads nor writes until the daemon has written; then it finds all done."""
    eventually(
        lambda: [note[1:] for note in turns.notes()[-1:]] == [("write", "begin")],
        within=30,
        what="the daemon's batch",
    )
    begun = len(turns.notes())
    process = turns.dc.site.begin_cron()
    steadily_misses(turns.dc.bird, V4, V6, during=1.5)
    assert process.alive
    assert len(turns.notes()) == begun, "nobody else was at bgpd"
    assert turns.dc.site.status()["dc"] == "par1", "the daemon answers all the while"
    turns.go()
    assert process.wait() == 0
    sees(turns.dc.bird, V4, V6)
    notes = turns.notes()
    runs = [(pid, kind) for pid, kind, edge in notes if edge == "begin"]
    ended = notes[1::2]
    assert ended == [(*run, "end") for run in runs[: len(ended)]], "one at a time"
    assert [kind for pid, kind in runs].count("write") == 1, "the pass had nothing to write"
    assert len({pid for pid, _ in runs}) == 2


def test_a_daemon_beside_a_pass_that_writes(turns: Turns) -> None:
    """It waits for a bounded time, says so, answers meanwhile, and does it once the pass has ended."""
    turns.go()
    dc = turns.dc
    sees(dc.bird, V4, V6)
    with (dc.site.state / "state.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = len(turns.notes())
        dc.site.realservers.close(LIVE)
        eventually(
            lambda: " ".join(dc.site.status()["trouble"]),
            until=lambda text: "still locked by another vip_mgmt or vip_watchdog" in text,
            within=30,
            what="the alarm",
        )
        assert dc.bird.best(V4) is not None
        assert len(turns.notes()) == before
    misses(dc.bird, V4, V6, within=20)
    assert turns.daemon.alive


def test_drained_while_the_daemon_waits(turns: Turns) -> None:
    """What is drained under the lock stays withdrawn, although the daemon waits to announce it."""
    turns.go()
    dc = turns.dc
    sees(dc.bird, V4, V6)
    dc.site.realservers.close(LIVE)
    misses(dc.bird, V4, V6, within=20)
    with (dc.site.state / "state.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate()  # and with it the daemon's mark, as another run's mark would
        dc.site.realservers.open(LIVE)
        with closing(Store(dc.site.state / "state.sqlite3")) as store:
            store.set_intents({parse_prefix(V4): Intent(Mode.DRAINED, "alice", time.time())})
        eventually(
            lambda: " ".join(dc.site.status()["trouble"]),
            until=lambda text: "still locked by another vip_mgmt or vip_watchdog" in text,
            within=30,
            what="the daemon waiting",
        )
    sees(dc.bird, V6)
    steadily_misses(dc.bird, V4, during=2.0)
