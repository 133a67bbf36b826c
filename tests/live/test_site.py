"""A whole site that shares what it is asked by etcd: two data centres of two load balancers each. The router's view decides."""

from __future__ import annotations

import json
import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from policy.site_intent import EVERYWHERE
from tests.support.lab.eventually import SLOW, eventually
from tests.support.lab.history import History
from tests.support.lab.netns import Network
from tests.support.lab.requirements import require
from tests.support.lab.site import Site
from tests.support.lab.site_run import Run, copy_of
from tests.support.lab.whole_site import NAMES, PLACES, PORTS, PREFIX, SKEWED, USER, WholeSite
from tests.support.site_checker import percentile, violations
from tests.support.site_steps import steps

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from policy.site_intent import SiteIntent
    from tests.support.lab.installed import Installed
    from tests.support.lab.whole_site import Balancer

FIRST, SECOND, THIRD = PORTS
ALL = ("par1", "lyo1")
WAKE_UP = 0.2
"""Seconds until the others obey a drain, on an idle machine, at the 99th percentile."""
SOON = "500ms"
"""For how long an operator waits for others who can't answer."""


SHORT = {"settle": "100ms", "quiet": "100ms", "timeout": "500ms"}
"""No kernel here counts connections: a soft drain lasts until its time is over."""


@pytest.fixture(scope="module")
def whole(installed: Installed) -> Iterator[WholeSite]:
    """All of it, started once."""
    require("bird", "etcd", "etcdctl", flavours=("v5",))
    with Network() as network:
        # by itself nothing ends within a test that waits for the orders of the site
        yield WholeSite(network, installed, {"drain": SHORT, "site": {"start_wait": "10m"}})


@pytest.fixture
def site(whole: WholeSite) -> Iterator[WholeSite]:
    """All of it, connected, with everything announced before a test and after it."""
    connected(whole)
    for prefix in PORTS:
        whole.has(prefix, *ALL, within=15)
    yield whole
    whole.heal()
    connected(whole)
    if any(set(whole.paths(prefix)) != {*NAMES} for prefix in PORTS):
        for name in NAMES:  # what was asked for one machine alone is for it alone to restore
            restored(whole, name, "all", "--here")
        for extent in (("--at", "par1"), ("--at", "lyo1"), ("--everywhere",)):
            restored(whole, "par1/lb1", "all", *extent)


def drained(site: WholeSite, at: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Drain from a machine, and expect that all confirm it."""
    done = site[at].mgmt("-d", *words)
    assert done.returncode == 0, done.stderr
    return done


def restored(site: WholeSite, at: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Restore from a machine, and expect that all confirm it."""
    done = site[at].mgmt("-a", *words)
    assert done.returncode == 0, done.stderr
    return done


def confirmed(done: subprocess.CompletedProcess[str]) -> set[str]:
    """Return the machines that a command named as having confirmed."""
    return {name for name in NAMES if f"{name}: confirmed" in done.stderr}


def says(site: WholeSite, name: str, text: str) -> None:
    """Wait until a machine has a text among its alarms."""
    eventually(
        lambda: site[name].trouble,
        until=lambda trouble: text in trouble,
        within=20,
        what=f"{name} says {text}",
        every=0.1,
    )


def shared(site: WholeSite, name: str, prefix: str) -> frozenset[SiteIntent]:
    """Return what a machine knows of a prefix that all are to know."""
    return frozenset(each for each in copy_of(site[name], prefix) if not each.extent.machine)


def connected(site: WholeSite, *names: str) -> None:
    """Wait until machines know what etcd has, and have handed on all that was asked of them."""
    for name in names or NAMES:
        eventually(
            lambda name=name: site_status(site, name),  # type: ignore[misc]  # of a lambda with a default
            until=lambda seen: (
                seen["connected"]
                and not seen["queued"]
                and all(m["live"] for m in seen["machines"])
            ),
            within=15,
            what=f"{name} is connected, as are all others",
            every=0.1,
        )


def site_status(site: WholeSite, name: str) -> dict[str, Any]:
    """Return `status --site --json` of a machine."""
    done = site[name].mgmt("status", "--site", "--json")
    assert done.returncode in {0, 1}, done.stderr
    return dict(json.loads(done.stdout))


def test_one_drain_for_both(site: WholeSite) -> None:
    """One `-d` drains both machines of a pair, and one far away those of another; each is named."""
    done = drained(site, "par1/lb2", FIRST)
    assert confirmed(done) == {"par1/lb1", "par1/lb2"}
    assert set(site.paths(FIRST)) == {"lyo1/lb1", "lyo1/lb2"}
    done = restored(site, "lyo1/lb1", FIRST, "--at", "par1")
    assert confirmed(done) == {"par1/lb1", "par1/lb2"}
    site.has(FIRST, *ALL)

    drained(site, "lyo1/lb1", FIRST, "--here")
    assert set(site.paths(FIRST)) == {"lyo1/lb2", "par1/lb1", "par1/lb2"}
    done = site["par1/lb1"].mgmt("-d", FIRST, "--everywhere")
    assert (done.returncode, "--last" in done.stderr) == (1, True), done.stderr
    assert len(site.paths(FIRST)) == 3
    done = drained(site, "par1/lb1", FIRST, "--everywhere", "--last")
    assert confirmed(done) == {*NAMES}
    assert site.paths(FIRST) == {}
    done = restored(site, "lyo1/lb2", FIRST, "--everywhere")
    assert f"lyo1/lb1: {FIRST}: still drained" in done.stderr
    site.has(FIRST, "par1", "lyo1/lb2")


def assert_queued(site: WholeSite, said: str, here: str, others: str) -> None:
    """Check what is said while etcd is away: what is so here first, then who has not got it, then each cause once, on short lines."""
    _, own, queued, *rest = said.splitlines()
    assert own == f"bgp_mgt: {here}: confirmed"
    assert queued.startswith(f"bgp_mgt: recorded on {here}, and queued for {others}, "), said
    assert all(len(line) <= 200 for line in said.splitlines()), said
    for member in site.etcd.members:
        assert "\n".join(rest).count(member.address) <= 1, said


def test_etcd_is_away(site: WholeSite) -> None:
    """Without etcd nothing changes that is in force; a drain is obeyed here, queued for the others, and lost to no restore.

    What each was asked meanwhile is merged when etcd is back.
    """
    drained(site, "lyo1/lb1", THIRD)
    for member in site.etcd.members:
        member.kill()
    done = site["par1/lb1"].mgmt("-d", FIRST, "--timeout", SOON)
    assert done.returncode == 1, done.stderr
    assert_queued(site, done.stderr, "par1/lb1", "the others of par1 (par1/lb2)")
    site.has(FIRST, "par1/lb2", "lyo1")
    done = site["par1/lb2"].mgmt("-a", FIRST, "--timeout", SOON)
    assert (done.returncode, "queued" in done.stderr) == (1, True), done.stderr
    done = site["lyo1/lb2"].mgmt("-d", SECOND, "--at", "par1", "--timeout", SOON)
    assert (done.returncode, "queued" in done.stderr) == (1, True), done.stderr
    site["lyo1/lb2"].crash()  # what is queued is durable, and so is what is in force
    site.has(SECOND, *ALL)
    site.has(THIRD, "par1")
    site.etcd.start()
    site.has(FIRST, "lyo1", within=15)
    site.has(SECOND, "lyo1", within=15)
    site.has(THIRD, "par1")
    connected(site)
    assert len({shared(site, name, FIRST) for name in NAMES}) == 1


def starting(site: WholeSite, name: str, *prefixes: str) -> None:
    """Wait until a machine says that just some prefixes wait for the orders of the site."""
    eventually(
        lambda: str(site[name].mgmt("status").stdout),
        until=lambda said: "STARTING: " in said and f"at most ({', '.join(prefixes)})" in said,
        within=15,
        what=f"at {name} {prefixes} wait for the orders of the site",
        every=0.1,
    )


def test_a_new_disk(site: WholeSite) -> None:
    """A machine whose state file is lost, with all that ExaBGP had, announces nothing before it has read etcd: what is drained never, all else then.

    What an operator asks for there does not wait.
    """
    name = "par1/lb1"
    drained(site, name, FIRST, "--everywhere", "--last")
    site.has(FIRST)
    history = History(site.bird, every=True)
    one = site[name]
    assert isinstance(one.site, Site)
    one.port.cut()
    one.site.exabgp.kill()
    lost(one)
    one.site.restart()
    site.bird.wait_for_sessions()
    starting(site, name, *PORTS)
    says(site, name, "orders: the orders of the whole site are unknown")
    for prefix in (SECOND, THIRD):
        site.has(prefix, "par1/lb2", "lyo1")
    explained = one.mgmt("explain", SECOND).stdout
    assert "withdraw, by site: what the site has drained is not known yet" in " ".join(
        explained.split()
    )
    done = one.mgmt("-a", THIRD, "--here")
    assert done.returncode == 0, done.stderr
    site.has(THIRD, *ALL)
    site.has(SECOND, "par1/lb2", "lyo1")
    one.port.restore()
    site.has(SECOND, *ALL, within=30)
    connected(site)
    assert not history.events(FIRST)
    assert "orders" not in one.trouble


@pytest.mark.nightly  # by day tests/unit/site proves it with an etcd in memory
def test_a_lost_file(site: WholeSite) -> None:
    """A watchdog that finds its file lost withdraws nothing of what bgpd kept; where etcd stays away it announces what is well in the end, and says that."""
    name = "lyo1/lb2"
    drained(site, name, FIRST, "--everywhere", "--last")
    site.has(FIRST)
    history = History(site.bird, every=True)
    one = site[name]
    one.port.cut()
    stop(one)
    lost(one)
    one.start()
    starting(site, name, FIRST)
    assert not history.events()
    one.site.configure({"site": {"start_wait": "1s"}})
    assert one.mgmt("reload").returncode == 0
    site.has(FIRST, name)
    says(site, name, "they were never read from etcd; what is well is announced")
    one.port.restore()
    site.has(FIRST, within=30)
    one.site.configure({"site": {"start_wait": "10m"}})
    assert one.mgmt("reload").returncode == 0
    connected(site)
    assert "orders" not in one.trouble
    assert not history.events(SECOND, THIRD)


def stop(one: Balancer) -> None:
    """End the watchdog of a machine beside FRR."""
    assert one.daemon is not None
    one.daemon.terminate(within=10)
    (one.site.state / "control.sock").unlink(missing_ok=True)


def lost(one: Balancer) -> None:
    """Have a machine, whose watchdog does not run, lose its state file."""
    for path in one.site.state.glob("state.*"):
        path.unlink()


def test_two_operators_at_once(site: WholeSite) -> None:
    """Of a drain and a restore that know nothing of each other the drain holds, on all machines, wherever each was typed."""
    ready = threading.Barrier(2)

    def asks(name: str, *words: str) -> subprocess.CompletedProcess[str]:
        ready.wait()
        return site[name].mgmt(*words, "--everywhere")

    with ThreadPoolExecutor(2) as both:
        one = both.submit(asks, "par1/lb1", "-d", FIRST, "--last")
        other = both.submit(asks, "lyo1/lb2", "-a", FIRST)
        drain, restore = one.result(), other.result()
    assert drain.returncode == 0, drain.stderr
    connected(site)
    (copy,) = {shared(site, name, FIRST) for name in NAMES}
    # Either one knew of the other, and overruled it, or both stand, and the drain holds.
    of_all = [each.intent.restores for each in copy if each.extent == EVERYWHERE]
    site.has(FIRST, *(ALL if all(of_all) else ()))
    assert restore.returncode == 0 or not all(of_all), restore.stderr


def test_the_last_one(site: WholeSite) -> None:
    """Where all realservers of a VIP die at once, one machine goes on announcing it, also when etcd goes away then."""
    history = History(site.bird, every=True)
    for name in NAMES:
        site[name].site.realservers.close(PORTS[FIRST])
    eventually(lambda: len(site.paths(FIRST)) == 1, within=10, what="one is left")
    (left,) = site.paths(FIRST)
    eventually(
        lambda: site[left].trouble, until=lambda t: "last: " in t, within=5, what="it says so"
    )
    for member in site.etcd.members:
        member.kill()
    eventually(lambda: site[left].trouble, until=lambda t: "site: " in t, within=15, what="no etcd")
    assert set(site.paths(FIRST)) == {left}
    assert len([event for event in history.events(FIRST) if event.verb == "removed"]) == 3


def test_rolling(site: WholeSite, tmp_path: Path) -> None:
    """One after the other, the machines of a data centre are drained, have the command run, and are back; it goes on where it stopped."""
    history = History(site.bird, every=True)
    ran = tmp_path / "ran"
    tmp_path.chmod(0o777)
    words = [
        "roll",
        "--at",
        "lyo1",
        "--timeout",
        "30s",
        "--",
        "sh",
        "-c",
        'echo {machine} >>"$0"; [ -e "$0.well" ]',
        str(ran),
    ]
    done = site["par1/lb1"].mgmt(*words)
    assert (done.returncode, ran.read_text()) == (1, "lb1\n"), done.stderr
    assert "lyo1/lb1: running" in done.stderr
    for prefix in PORTS:
        site.has(prefix, "par1", "lyo1/lb2")
    (tmp_path / "ran.well").touch()
    done = site["par1/lb1"].mgmt(*words)
    assert (done.returncode, ran.read_text()) == (0, "lb1\nlb1\nlb2\n"), done.stderr
    for prefix in PORTS:
        site.has(prefix, *ALL)
        seen = [(event.verb, site.of(event)) for event in history.events(prefix)]
        softly_away_and_back = ("added", "removed", "added")
        assert seen == [(verb, f"lyo1/lb{n}") for n in (1, 2) for verb in softly_away_and_back]


def test_rolling_beside_operators(site: WholeSite, tmp_path: Path) -> None:
    """What operators drain softly as a machine's turn comes, or drain while its command runs, stays drained after the roll, which says so.

    What one forced is forced again.
    """
    ran = tmp_path / "ran"
    tmp_path.chmod(0o777)
    script = 'touch "$0.{machine}"; until [ -e "$0.go" ]; do sleep 0.05; done'
    restored(site, "lyo1/lb2", THIRD, "--here", "--force")
    with ThreadPoolExecutor(2) as both:
        soft = both.submit(drained, site, "lyo1/lb1", FIRST, "--here", "--soft", "--reason", "disk")
        rolling = both.submit(
            site["par1/lb1"].mgmt,
            *("roll", "--at", "lyo1", "--timeout", "30s", "--", "sh", "-c", script, str(ran)),
        )
        eventually((tmp_path / "ran.lb1").exists, within=30, what="the first command runs")
        for prefix in PORTS:
            site.has(prefix, "par1", "lyo1/lb2")
        drained(site, "par1/lb2", SECOND, "--at", "lyo1")
        (tmp_path / "ran.go").touch()
        done = rolling.result()
        soft.result()
    assert done.returncode == 0, done.stderr
    for name, prefix in (("lb1", FIRST), ("lb1", SECOND), ("lb2", SECOND)):
        assert f"lyo1/{name}: stays drained, as asked: {prefix} (" in done.stderr, done.stderr
    site.has(FIRST, "par1", "lyo1/lb2")
    site.has(SECOND, "par1")
    site.has(THIRD, *ALL)
    (forced,) = (each for each in site["lyo1/lb2"].site.status(THIRD)["routes"])
    assert forced["intent"] == "forced"
    restored(site, "lyo1/lb2", THIRD, "--here")
    restored(site, "lyo1/lb1", FIRST, "--here")
    restored(site, "par1/lb1", SECOND, "--at", "lyo1")
    for prefix in PORTS:
        site.has(prefix, *ALL)


def test_rolling_twice_at_once(site: WholeSite, tmp_path: Path) -> None:
    """Of two rolls that are typed on two machines at once, one at most runs its command; who gave way is typed again, and ends."""
    tmp_path.chmod(0o777)
    script = 'mkdir "$0.busy" || touch "$0.twice"; sleep 1; rmdir "$0.busy"'
    words = ("roll", "--at", "lyo1", "--timeout", "30s", "--", "sh", "-c", script)
    places = ("par1/lb1", "par1/lb2")
    with ThreadPoolExecutor(2) as both:
        for _ in range(3):
            at_once = [both.submit(site[p].mgmt, *words, str(tmp_path / "ran")) for p in places]
            done = [each.result() for each in at_once]
            assert not (tmp_path / "ran.twice").exists(), [each.stderr for each in done]
            for place, first in zip(places, done, strict=True):
                if first.returncode:
                    assert "vip_mgmt roll on par1/lb" in first.stderr, first.stderr
                    again = site[place].mgmt(*words, str(tmp_path / "ran"))
                    assert again.returncode == 0, (first.stderr, again.stderr)
            for prefix in PORTS:
                site.has(prefix, *ALL)


def lost_after(site: WholeSite, history: History, prefix: str, first: str) -> list[float]:
    """Return how many seconds after one machine the router lost a prefix of each other one that it lost it of."""
    at = {site.of(event): event.time for event in history.events(prefix) if event.verb == "removed"}
    return [time - at[first] for name, time in at.items() if name != first]


def wake_up(site: WholeSite, times: int) -> None:
    """Drain again and again, and look how long after the machine where that is typed the others are gone at the router."""
    history, found = History(site.bird, every=True), list[float]()
    for _ in range(times):
        history.start()
        drained(site, "par1/lb1", FIRST, "--everywhere", "--last")
        eventually(lambda: not site.paths(FIRST), within=5, what="the router has lost all")
        found += lost_after(site, history, FIRST, "par1/lb1")
        restored(site, "lyo1/lb1", FIRST, "--everywhere")
        site.has(FIRST, *ALL)
    assert len(found) == 3 * times
    slowest, median = percentile(found, 0.99), percentile(found, 0.5)
    print(f"others after -d: median {1000 * median:.0f} ms, p99 {1000 * slowest:.0f} ms")  # noqa: T201
    assert slowest <= WAKE_UP * SLOW


def test_wake_up(site: WholeSite) -> None:
    """A drain is obeyed by the others within 200 ms after the machine where it is typed."""
    wake_up(site, 3)


# --- what can go wrong with etcd: by day the client's contract and the link's tests prove the kinds with fakes ------------


@pytest.mark.nightly  # by day tests/unit/site proves it with an etcd in memory
def test_a_wrong_clock(site: WholeSite) -> None:
    """A machine whose clock is a minute ahead is named to all others. A clock counts once it was told twice."""
    eventually(
        lambda: site["par1/lb1"].mgmt("status", "--site").stdout,
        until=lambda shown: f"{SKEWED}: its clock is " in shown,
        within=90,
        what=f"the clock of {SKEWED} is named",
        every=1,
    )
    says(site, "lyo1/lb1", f"the clock of {SKEWED} is ahead by more than 5 s")


@pytest.mark.nightly  # by day test_random_faults kills and stops members
@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_the_leader_is_gone(site: WholeSite, fault: str) -> None:
    """Where the leader of etcd dies, or says nothing any more, a drain waits for the next one, and is confirmed by all."""
    leader = site.etcd.leader()
    (leader.kill if fault == "kill" else leader.pause)()
    done = drained(site, "par1/lb1", FIRST, "--everywhere", "--last", "--timeout", "30s")
    assert confirmed(done) == {*NAMES}
    site.has(FIRST)


@pytest.mark.nightly  # by day tests/unit/site proves it with an etcd in memory
def test_the_disk_is_full(site: WholeSite) -> None:
    """Where etcd stores nothing more, a drain is obeyed here, and queued; the others obey when there is space again."""
    site.etcd.fill()
    try:
        done = site["par1/lb1"].mgmt("-d", FIRST, "--timeout", SOON)
        assert (done.returncode, "queued" in done.stderr) == (1, True), done.stderr
        site.has(FIRST, "par1/lb2", "lyo1")
        says(site, "par1/lb1", "database space exceeded")
    finally:
        site.etcd.free()
    site.has(FIRST, "lyo1", within=20)


@pytest.mark.nightly  # by day tests/unit/site proves it with an etcd in memory
@pytest.mark.parametrize("fault", ["certificate", "right"])
def test_nobody_may(site: WholeSite, fault: str) -> None:
    """A certificate that has expired, and a right that is gone, are alarms; nothing in force changes, and nothing is lost."""
    drained(site, "par1/lb1", SECOND, "--at", "lyo1")
    if fault == "certificate":
        site.certify(days=-1)
        for name in NAMES:  # who is connected shows no certificate again
            site[name].crash()
    else:
        site.etcd.ctl("role", "revoke-permission", USER, "--prefix=true", PREFIX)
    for name in NAMES:
        says(site, name, "site: ")
    done = site["par1/lb1"].mgmt("-d", FIRST, "--timeout", SOON)
    assert (done.returncode, "queued" in done.stderr) == (1, True), done.stderr
    site.has(FIRST, "par1/lb2", "lyo1")
    site.has(SECOND, "par1")
    if fault == "certificate":
        site.certify(days=2)
    else:
        site.etcd.ctl("role", "grant-permission", USER, "--prefix=true", "readwrite", PREFIX)
    site.has(FIRST, "lyo1", within=40)
    connected(site)


@pytest.mark.nightly  # by day test_random_faults compacts, and ends leases
def test_a_watcher_missed_it(site: WholeSite) -> None:
    """Who was away while etcd forgot what happened reads it all again; who lost its lease takes another."""
    away = site["par1/lb1"]
    away.port.cut()
    drained(site, "lyo1/lb1", FIRST)
    done = site["lyo1/lb1"].mgmt("-d", SECOND, "--at", "par1", "--timeout", "15s")
    assert confirmed(done) == {"par1/lb2"}
    site.etcd.compact()
    for lease in site.etcd.ctl("lease", "list").splitlines()[1:]:
        site.etcd.ctl("lease", "revoke", lease.strip())
    away.port.restore()
    site.has(SECOND, "lyo1", within=20)
    connected(site)


@pytest.mark.nightly  # by day tests/unit/site proves it with an etcd in memory
@pytest.mark.parametrize("new", [True, False])
def test_an_old_snapshot(site: WholeSite, new: bool) -> None:  # noqa: FBT001 - one of two
    """An etcd that was restored from an old copy, whether it has a new name or not, is told by the machines what it lacks."""
    copy = site.etcd.home / f"copy-{new}"
    site.etcd.snapshot(copy)
    drained(site, "par1/lb1", FIRST)
    drained(site, "par1/lb1", SECOND, "--at", "lyo1")
    known = site.etcd.get(f"{PREFIX}intent/")
    site.etcd.restore(copy, new_token=new)
    eventually(
        lambda: site.etcd.get(f"{PREFIX}intent/"),
        until=lambda found: found == known,
        within=30,
        what="etcd has what it lacked",
    )
    connected(site)
    site.has(FIRST, "lyo1")
    site.has(SECOND, "par1")


def seed(whole: WholeSite, number: int, faults: int) -> None:
    """Take the steps of a seed, and have them judged. What a run was is printed: with that, test_random_faults has it again."""
    print(f"VIP_SITE_SEED={number} VIP_SITE_FAULTS={faults}")  # noqa: T201 - pytest shows it where the test fails
    members = [member.name for member in whole.etcd.members]
    run = Run(whole)
    try:
        history = run.play(steps(number, faults, NAMES, PLACES, members, list(PORTS)))
    finally:
        print(*run.said, sep="\n")  # noqa: T201
        print(*run.operations, sep="\n")  # noqa: T201
    assert violations(history) == []


def test_random_faults(site: WholeSite) -> None:
    """Whatever befalls it: no intent is lost, nothing drained is announced, nothing is nowhere that is healthy."""
    number, faults = (os.environ.get(f"VIP_SITE_{name}") for name in ("SEED", "FAULTS"))
    seed(site, int(number or 1), int(faults or 50))


@pytest.mark.nightly  # by day test_random_faults proves it, with fewer
def test_many_random_faults(site: WholeSite) -> None:
    """The same, for longer, and otherwise each night."""
    seed(site, random.randrange(1 << 32), 1000)
