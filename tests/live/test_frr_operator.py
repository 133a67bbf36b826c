"""What an operator does with vip_mgmt beside FRR, with a daemon and without, and what the peer has."""

import signal
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.support.lab.eventually import eventually
from tests.support.lab.fixtures import once
from tests.support.lab.frr import config
from tests.support.lab.frr_site import Bench
from tests.support.lab.history import TRACE, History
from tests.support.lab.inside import hung
from tests.support.lab.netns import Network
from tests.support.lab.release import Release
from tests.support.lab.requirements import require
from tests.support.lab.site import misses, sees, steadily_misses, vip

pytestmark = pytest.mark.one_daemon  # a pass and a daemon read and write bgpd by the same driver
LIVE, DEAD = 8081, 8082
V4, V6 = "192.0.2.1/32", "2001:db8::1/128"
W4, DEAD4, UNKNOWN = "192.0.2.2/32", "192.0.2.3/32", "192.0.2.4/32"
ALL = {V4, V6, W4}
TABLES: Mapping[str, Any] = {
    "drain": {"settle": "0s", "quiet": "0s", "timeout": "2s", "return": "1s"},
    "vip": {
        "vip-1.tld": vip("192.0.2.1", "2001:db8::1", ports=[LIVE]),
        "vip-2.tld": vip("192.0.2.2", ports=[LIVE]),
        "dead.tld": vip("192.0.2.3", ports=[DEAD]),
        # No route leads there, which is this machine's fault: unknown, not down.
        "unknown.tld": {
            "addresses": ["192.0.2.4"],
            "services": {"tcp/80": {"realservers": ["198.51.100.1:80"]}},
        },
    },
}


@pytest.fixture(scope="module")
def bench(release_network: Network, release: Release) -> Bench:
    require("bird")
    return Bench(release_network, TABLES, up=[LIVE], options=TRACE, root=release.root)


@pytest.fixture(params=["cron", "daemon"])
def dc(bench: Bench, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A data centre that announces all that lives, after a pass of cron or with a daemon."""
    bench.bird.wait_for_sessions()
    bench.reset()
    daemons = [bench.site.daemon()] if request.param == "daemon" else []
    if not daemons:
        assert bench.site.cron()[0] == 0
    sees(bench.bird, *ALL)
    yield bench
    assert [process.terminate() for process in daemons] in ([], [0])


@pytest.fixture
def alone(bench: Bench) -> Bench:
    """A data centre after a pass of cron."""
    bench.bird.wait_for_sessions()
    bench.reset()
    assert bench.site.cron()[0] == 0
    sees(bench.bird, *ALL)
    return bench


def quiet(dc: Bench) -> bool:
    """Run a pass; return whether it changed nothing and found all as decided."""
    status, said = dc.site.cron()
    return status == 0 and "route" not in said


@once
def test_restored_right_after_a_reload(bench: Bench) -> None:
    """A dead VIP that is restored while a new vip.toml's first look lasts is not announced for a moment."""
    bench.bird.wait_for_sessions()
    bench.reset()
    daemon = bench.site.daemon()
    sees(bench.bird, *ALL)
    history = History(bench.bird)
    with hung(bench.host, DEAD):
        for fall in ("1ms", "2ms", "2ms"):  # looked at otherwise than before, and as before
            bench.site.configure({"health": {"fall": fall}})
            daemon.signal(signal.SIGHUP)
            status, said = bench.site.mgmt("-a", DEAD4)
            assert (status, f"{DEAD4}: stays withdrawn: down: " in said) == (1, True), said
    assert history.verbs(DEAD4) == []
    assert daemon.terminate() == 0


def test_leaves_gently(dc: Bench) -> None:
    """`-d --soft` has the peer prefer any other path, and is withdrawn at the time limit; `-a --soft` comes back so.

    Without a daemon, passes of cron look at its stages. No kernel with IPVS is here, so its connections are not known.
    """
    has_daemon = (dc.site.state / "control.sock").exists()
    usual, history = dc.bird.routes()[V4], History(dc.bird)
    said = f"bgp_mgt: Draining route to {V4}\n"
    status, told = dc.site.mgmt("-d", "192.0.2.1", "--soft", "--no-wait")
    assert (status, told.startswith(said)) == (0, True)
    assert "connections are not known" in told
    seen = dc.bird.routes()[V4]
    assert (len(seen.as_path), seen.communities) == (6, frozenset({"65535:0"}))

    def becomes(path: int | None) -> None:
        def found() -> int | None:
            if not has_daemon:
                dc.site.cron()
            route = dc.bird.routes().get(V4)
            return None if route is None else len(route.as_path)

        eventually(found, until=lambda now: now == path, within=15, what=f"a path of {path}")

    becomes(None)
    assert dc.site.routes(V4)[V4]["drain"]["left"] is None
    assert dc.site.mgmt("-a", "192.0.2.1", "--soft")[0] == 0
    assert len(dc.bird.routes()[V4].as_path) == 6
    becomes(len(usual.as_path))
    assert dc.bird.routes()[V4] == usual
    assert {event.prefix for event in history.events()} == {V4}


def test_drain_and_restore(dc: Bench) -> None:
    """`-d` withdraws, `-a` announces again; both may be said twice; nothing else moves."""
    history = History(dc.bird)
    both = ("192.0.2.1", "2001:db8::1")
    said = f"bgp_mgt: Deleting route to {V4}\nbgp_mgt: Deleting route to {V6}\n"
    assert dc.site.mgmt("-d", *both) == (0, said)
    misses(dc.bird, V4, V6)
    status, said = dc.site.mgmt("-d", *both)
    replaced, _, said = said.partition("\n")
    assert replaced.startswith(f"bgp_mgt: {V4}, {V6}: replaced: drained by root at ")
    assert (status, said) == (0, f"Route {V4} already removed\nRoute {V6} already removed\n")
    said = f"bgp_mgt: Adding route to {V4}\nbgp_mgt: Adding route to {V6}\n"
    assert dc.site.mgmt("-a", *both) == (0, said)
    sees(dc.bird, V4, V6)
    said = f"Route {V4} already exists\nRoute {V6} already exists\n"
    assert dc.site.mgmt("-a", *both) == (0, said)
    assert history.verbs(V4) == history.verbs(V6) == ["removed", "added"]
    assert {event.prefix for event in history.events()} == {V4, V6}


def test_status_tells_what_was_read_back(dc: Bench) -> None:
    """`status --json`: announced or not, with AS_PATH, health, intent, reason; and the neighbours."""
    dc.site.mgmt("-d", "192.0.2.2", "--reason", "kernel update")
    status = dc.site.status()
    assert (status["dc"], status["backend"]) == ("par1", "quagga")
    (peer,) = status["peers"]
    assert (peer["address"], peer["asn"], peer["up"]) == (dc.link.a.ipv4, 64500, True)
    routes = {route["prefix"]: route for route in status["routes"]}
    up, drained, dead, unknown = (routes[prefix] for prefix in (V4, W4, DEAD4, UNKNOWN))
    assert (up["announced"], up["as_path"], up["health"]) == (True, [64699, 64699], "up")
    assert (drained["announced"], drained["intent"]) == (False, "drained")
    assert drained["reason"].endswith(": kernel update")
    assert (dead["announced"], dead["health"], dead["realservers"]) == (False, "down", 0)
    assert (unknown["announced"], unknown["health"]) == (False, "unknown")


@once
def test_a_dead_vip_stays_withdrawn(dc: Bench) -> None:
    """`-a` says why and exits with 1; `--force` announces it, until `-a`."""
    status, said = dc.site.mgmt("-a", "192.0.2.3")
    assert (status, said.startswith(f"bgp_mgt: {DEAD4}: stays withdrawn: down: ")) == (1, True)
    assert dc.site.mgmt("-a", "--force", "192.0.2.3")[0] == 0
    sees(dc.bird, DEAD4)
    assert dc.site.mgmt("-a", "192.0.2.3")[0] == 1
    misses(dc.bird, DEAD4)


@once
def test_unknown_health(dc: Bench) -> None:
    """A VIP of unknown health: `-a` announces it, with a warning; it is held from then on."""
    status, said = dc.site.mgmt("-a", "192.0.2.4")
    assert (status, f"{UNKNOWN}: warning: health unknown" in said) == (0, True)
    sees(dc.bird, UNKNOWN)
    dc.site.mgmt("status")
    assert UNKNOWN in dc.bird.routes()


REHEARSED = [
    (("-d", "192.0.2.2"), 0, f"bgp_mgt: would be: Deleting route to {W4}"),
    (("-a", "192.0.2.2"), 0, f"would be: Route {W4} already exists"),
    (("-d", "192.0.2.3"), 0, f"would be: Route {DEAD4} already removed"),
    (("-a", "192.0.2.3"), 1, f"bgp_mgt: {DEAD4}: stays withdrawn: down: 0 realservers"),
    (("-a", "--force", "192.0.2.3"), 0, f"bgp_mgt: would be: Adding route to {DEAD4}"),
    (("-a", "192.0.2.4"), 0, f"bgp_mgt: would be: Adding route to {UNKNOWN}"),
]


def test_dry_run_changes_nothing(dc: Bench) -> None:
    """`--dry-run` says what would be done; bgpd, the intents, history and the peer are as before."""
    dc.site.status()  # what was done before is read back, and in history
    history, before = History(dc.bird), dc.frr.ask("show running-config")
    known = dc.site.asked("history").stdout
    for arguments, status, said in REHEARSED:
        found = dc.site.mgmt(*arguments, "--dry-run")
        assert (found[0], found[1].splitlines()[0][: len(said)]) == (status, said)
        assert dc.frr.ask("show running-config") == before
    assert {route["intent"] for route in dc.site.routes().values()} == {"auto"}
    assert dc.site.asked("history").stdout == known
    assert history.events() == []


@once
def test_dry_run_makes_no_file(alone: Bench) -> None:
    """Where no watchdog ever ran, `--dry-run` leaves nothing behind."""
    alone.site.fresh()
    assert alone.site.mgmt("-d", "192.0.2.2", "--dry-run")[0] == 0
    assert list(alone.site.state.iterdir()) == []


@once
def test_plan_and_explain(dc: Bench) -> None:
    """`plan` exits with 0 where all is as decided; `explain` has the decision and the profile."""
    assert dc.site.asked("plan").returncode == 0
    told = dc.site.asked("explain", "192.0.2.1").stdout
    assert "announce, by health" in told
    assert "as-path [ 64699 64699 ] origin igp med 0" in told


def test_a_drain_outlives_passes(alone: Bench) -> None:
    """A pass of cron honours the intent, pass after pass; the toolkit's watchdog undid it."""
    assert alone.site.mgmt("-d", "192.0.2.1")[0] == 0
    misses(alone.bird, V4)
    history = History(alone.bird)
    assert [quiet(alone), quiet(alone)] == [True, True]
    assert history.events() == []
    assert alone.site.mgmt("-a", "192.0.2.1")[0] == 0
    sees(alone.bird, V4)


@once
def test_a_drain_for_a_while(alone: Bench) -> None:
    """`--for` ends by itself: the next pass announces it again."""
    assert alone.site.mgmt("-d", "192.0.2.2", "--for", "4s")[0] == 0
    misses(alone.bird, W4)
    eventually(
        alone.site.cron, until=lambda done: "add route" in done[1], within=10, what="the end"
    )
    sees(alone.bird, W4)


def test_plan_finds_what_somebody_changed(alone: Bench) -> None:
    """A line that was removed by hand: `plan` exits with 2 and names it; `status` exits with 1."""
    alone.frr.ask("configure terminal", "router bgp 64699", f"no network {W4}")
    eventually(
        lambda: alone.site.asked("plan").returncode, until=lambda s: s == 2, within=5, what="2"
    )
    assert W4 in alone.site.asked("plan").stdout
    assert alone.site.mgmt("status")[0] == 1
    assert alone.site.routes()[W4]["announced"] is False


def test_everything_at_once(dc: Bench) -> None:
    """`-d all`: every VIP is withdrawn by one batch, and `-a all` restores those that live."""
    status, said = dc.site.mgmt("-d", "all")
    assert (status, said.count("Deleting route to")) == (0, len(ALL))
    misses(dc.bird, *ALL)
    assert dc.site.mgmt("-a", "192.0.2.1", "2001:db8::1", "192.0.2.2")[0] == 0
    sees(dc.bird, *ALL)


def test_a_drain_over_a_restart_of_bgpd(dc: Bench) -> None:
    """bgpd starts without network lines, which are in no file: what lives comes back, and the drained VIP does not."""
    assert dc.site.mgmt("-d", "192.0.2.1")[0] == 0
    dc.frr.restart()
    if not (dc.site.state / "control.sock").exists():
        assert dc.frr.networks() == {}, "only a pass enters them again: a restart has a gap"
        dc.site.passes()
    sees(dc.bird, V6, W4, within=15)
    steadily_misses(dc.bird, V4, during=0.5)
    assert dc.site.routes()[V4]["announced"] is False


def test_a_drain_over_a_restart_with_lines_in_the_file(dc: Bench) -> None:
    """bgpd's file announces the drained VIP again: only until the next cycle."""
    assert dc.site.mgmt("-d", "192.0.2.1")[0] == 0
    text = dc.text
    try:
        dc.frr.write(config([dc.session.flipped()], ipv4=[f"network {V4}", f"network {W4}"]))
        dc.frr.restart()
        if not (dc.site.state / "control.sock").exists():
            dc.site.passes()
        eventually(
            lambda: V4 in dc.frr.networks(), until=lambda back: not back, within=10, what="gone"
        )
        sees(dc.bird, V6, W4, within=15)
        misses(dc.bird, V4)
        assert dc.site.routes()[W4]["as_path"] == [64699, 64699]
    finally:
        dc.frr.write(text)


def test_the_daemon_withdraws_and_restores(bench: Bench) -> None:
    """`--daemon` sees realservers go and come by itself, within interval and moments."""
    bench.bird.wait_for_sessions()
    bench.reset()
    daemon = bench.site.daemon()
    sees(bench.bird, *ALL)
    bench.site.realservers.close(LIVE)
    misses(bench.bird, *ALL)
    bench.site.realservers.open(LIVE)
    sees(bench.bird, *ALL)
    assert "0 realservers available behind 192.0.2.2 > delete route" in daemon.log()
    assert daemon.terminate() == 0
    sees(bench.bird, *ALL)


def test_the_daemon_mends_within_its_reading(bench: Bench) -> None:
    """A line removed by hand is back within some 5 s, without anything else happening."""
    bench.bird.wait_for_sessions()
    bench.reset()
    daemon = bench.site.daemon()
    sees(bench.bird, *ALL)
    bench.frr.ask("configure terminal", "router bgp 64699", f"no network {W4}")
    eventually(
        lambda: W4 in bench.frr.networks(), within=8, what="the line that was removed by hand"
    )
    sees(bench.bird, W4)
    assert daemon.terminate() == 0


def test_the_daemon_bears_a_bgpd_that_is_down(bench: Bench) -> None:
    """It goes on, says so, records a drain meanwhile; when bgpd is back, all but the drained come back."""
    bench.bird.wait_for_sessions()
    bench.reset()
    daemon = bench.site.daemon()
    sees(bench.bird, *ALL)
    bench.frr.kill()
    status, said = bench.site.mgmt("-d", "192.0.2.1")
    assert status == 1
    assert f"{V4}: not confirmed as withdrawn" in said
    assert bench.site.routes()[V4]["announced"] is None
    bench.frr.start()
    # BIRD keeps the routes of a crashed neighbour until it is back and has said all.
    misses(bench.bird, V4, within=20)
    sees(bench.bird, V6, W4, within=20)
    steadily_misses(bench.bird, V4, during=0.5)
    assert daemon.terminate() == 0


@once
def test_cron_beside_a_daemon(dc: Bench) -> None:
    """A pass that runs although a daemon does harms nothing."""
    history = History(dc.bird)
    assert quiet(dc)
    dc.site.mgmt("-d", "192.0.2.2")
    assert quiet(dc)
    misses(dc.bird, W4)
    assert history.verbs(W4) == ["removed"]
