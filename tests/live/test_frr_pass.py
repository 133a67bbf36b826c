"""`vip_watchdog` as cron runs it beside FRR, and what the far peer has then."""

import fcntl
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.support.lab.eventually import eventually
from tests.support.lab.fixtures import once
from tests.support.lab.frr_site import Bench
from tests.support.lab.history import TRACE, History
from tests.support.lab.netns import Network
from tests.support.lab.release import Release
from tests.support.lab.requirements import require
from tests.support.lab.session import SeenRoute
from tests.support.lab.site import misses, sees, steadily_misses, vip

ONE, TWO = 8081, 8082
V4, V6 = "192.0.2.1/32", "2001:db8::1/128"
W4, W6 = "192.0.2.2/32", "2001:db8::2/128"
ALL = {V4, V6, W4, W6}
TABLES: Mapping[str, Any] = {
    "vip": {
        "vip-1.tld": vip("192.0.2.1", "2001:db8::1", ports=[ONE]),
        "vip-2.tld": vip("192.0.2.2", "2001:db8::2", ports=[TWO]),
    }
}
ADDED = "vip_watchdog: more than 1 realservers available behind {} > add route\n"
DELETED = "vip_watchdog: 0 realservers available behind {} > delete route\n"
ADDED_ALL = "".join(map(ADDED.format, ("192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2")))


@pytest.fixture(scope="module")
def shared(release_network: Network, release: Release) -> Bench:
    require("bird")
    dc = Bench(release_network, TABLES, up=[ONE, TWO], options=TRACE, root=release.root)
    dc.frr.ask("configure terminal", "bgp route-map delay-timer 1")
    return dc


@pytest.fixture
def dc(shared: Bench) -> Iterator[Bench]:
    """A data centre that announces nothing yet."""
    shared.bird.wait_for_sessions()
    shared.reset()
    yield shared
    assert shared.bird.sessions()[shared.link.b.ipv4], "the session stayed up"


def at_peer(dc: Bench, prefix: str, **wanted: Any) -> SeenRoute:
    """Wait until the far peer has a prefix with some attributes, and return it."""

    def seen() -> SeenRoute:
        route = dc.bird.best(prefix)
        assert route is not None
        assert {key: getattr(route, key) for key in wanted} == wanted
        return route

    return eventually(seen, within=5, what=f"{prefix} with {wanted}")


def test_a_pass_announces_and_the_next_changes_nothing(dc: Bench) -> None:
    """Both families at once, with the toolkit's words, exit status 0. Then silence."""
    assert dc.site.cron() == (0, ADDED_ALL)
    sees(dc.bird, *ALL)
    before = dc.frr.ask("show running-config")
    assert dc.site.cron() == (0, "")
    assert dc.frr.ask("show running-config") == before
    assert set(dc.frr.networks()) == ALL


def test_a_pass_waits_for_no_orders_of_the_site(dc: Bench) -> None:
    """A pass never reads etcd: with `[site]` and a new state file, too, it announces what is well, and says so in `status` alone."""
    dc.site.configure({"site": {"etcd": ["http://127.0.0.1:2379"], "machine": "lb2"}})
    assert dc.site.cron() == (0, ADDED_ALL)
    sees(dc.bird, *ALL)
    assert dc.site.cron() == (0, "")
    (trouble,) = dc.site.status()["trouble"]
    assert trouble.startswith("orders: the orders of the whole site are unknown")
    assert "which a pass does not do" in trouble


def test_a_dead_vip_is_withdrawn_and_restored(dc: Bench) -> None:
    """Only the VIP whose realservers are gone; again when one is back. Nothing else moves."""
    dc.site.cron()
    sees(dc.bird, *ALL)
    history = History(dc.bird)
    dc.site.realservers.close(ONE)
    said = DELETED.format("192.0.2.1") + DELETED.format("2001:db8::1")
    assert dc.site.cron() == (0, said)
    misses(dc.bird, V4, V6)
    dc.site.realservers.open(ONE)
    assert dc.site.cron() == (0, ADDED.format("192.0.2.1") + ADDED.format("2001:db8::1"))
    sees(dc.bird, *ALL)
    assert {event.prefix for event in history.events()} == {V4, V6}


@pytest.mark.parametrize("prepends", [0, 1, 2, 3])
def test_prepends(dc: Bench, prepends: int) -> None:
    """The peer sees prepends + 1 copies of our AS, in both families, from our own address."""
    dc.site.configure({"policy": {"prepends": [prepends, prepends + 1]}})
    assert dc.site.cron() == (0, ADDED_ALL)
    path = (64699,) * (prepends + 1)
    assert at_peer(dc, V4, as_path=path, med=0, origin="igp").next_hop == dc.link.b.ipv4
    assert at_peer(dc, V6, as_path=path, med=0, origin="igp").next_hop == dc.link.b.ipv6
    assert dc.site.routes()[V4]["as_path"] == list(path)


NEAR = {
    "prepends": 2,
    "med": 50,
    "origin": "incomplete",
    "communities": ["65535:666", "64699:200", "64699:100"],
    "large_communities": ["64699:2:1", "64699:1:2"],
}


def test_a_profile_with_every_attribute(dc: Bench) -> None:
    """MED, ORIGIN, communities and large communities reach the peer, and a second pass is silent."""
    ranks = {"ranks": ["near", "far"], "prepends": None}
    near = {**NEAR, "communities": NEAR["communities"][1:]}  # type: ignore[index]
    dc.site.configure({"policy": ranks, "profile": {"near": near, "far": {"prepends": 3}}})
    assert dc.site.cron() == (0, ADDED_ALL)
    for prefix in (V4, V6):
        at_peer(
            dc,
            prefix,
            as_path=(64699,) * 3,
            med=50,
            origin="incomplete",
            communities=frozenset({"64699:100", "64699:200"}),
            large_communities=frozenset({"64699:2:1", "64699:1:2"}),
        )
    assert dc.site.cron() == (0, "")


def test_communities_that_bgpd_shows_by_name(dc: Bench) -> None:
    """BLACKHOLE in a profile, which bgpd shows by its name: it is ours, so nothing is written anew."""
    ranks = {"ranks": ["near", "far"], "prepends": None}
    dc.site.configure({"policy": ranks, "profile": {"near": NEAR, "far": {"prepends": 3}}})
    assert dc.site.cron() == (0, ADDED_ALL)
    at_peer(dc, V4, communities=frozenset({"65535:666", "64699:100", "64699:200"}))
    assert "blackhole" in dc.frr.ask("show running-config")
    assert dc.site.cron() == (0, "")


def test_a_change_of_prepends_withdraws_nothing(dc: Bench) -> None:
    """vip.toml has other prepends: the next pass sends the new AS_PATH, and the prefix never goes."""
    dc.site.cron()
    at_peer(dc, V4, as_path=(64699, 64699))
    history = History(dc.bird)
    dc.site.configure({"policy": {"prepends": [3, 4]}})
    assert dc.site.cron() == (0, "")
    for prefix in ALL:
        at_peer(dc, prefix, as_path=(64699,) * 4)
    assert history.flaps() == []


def test_a_change_of_a_profile_withdraws_nothing(dc: Bench) -> None:
    """A profile of the same name has other attributes: its route-map is made anew, without a gap."""
    ranks = {"ranks": ["near", "far"], "prepends": None}
    profiles = {"near": {"prepends": 1}, "far": {"prepends": 8}}
    dc.site.configure({"policy": ranks, "profile": profiles})
    dc.site.cron()
    at_peer(dc, V4, as_path=(64699, 64699))
    history = History(dc.bird)
    dc.site.configure({"profile": {"near": {"prepends": 4, "med": 7}}})
    assert dc.site.cron() == (0, "")
    for prefix in ALL:
        at_peer(dc, prefix, as_path=(64699,) * 5, med=7)
    assert dc.site.cron() == (0, "")
    assert history.flaps() == []


def test_a_prefix_that_left_the_configuration_is_withdrawn(dc: Bench) -> None:
    """What was ours and is not in vip.toml any more goes; what never was ours stays."""
    dc.frr.ask("configure terminal", "router bgp 64699", "network 192.0.2.77/32")
    dc.site.cron()
    sees(dc.bird, *ALL, "192.0.2.77/32")
    dc.site.configure({"vip": {"vip-2.tld": None}})
    status, said = dc.site.cron()
    assert (status, "not in the configuration any more > delete route" in said) == (0, True)
    misses(dc.bird, W4, W6)
    sees(dc.bird, V4, V6, "192.0.2.77/32")


def test_what_somebody_removed_or_changed_is_mended(dc: Bench) -> None:
    """A network line that was removed, stripped of its route-map, or given another one."""
    dc.site.cron()
    sees(dc.bird, *ALL)
    dc.frr.ask(
        *("configure terminal", "router bgp 64699"),
        *(f"no network {V4}", f"network {W4}", "address-family ipv6"),
        *(f"network {V6} route-map NOSUCH", f"no network {W6}"),
    )
    assert dc.site.cron()[0] == 0
    for prefix in ALL:
        at_peer(dc, prefix, as_path=(64699, 64699))


@pytest.mark.parametrize(
    "harm",
    [
        ["no route-map VIP-prepend-1"],
        ["route-map VIP-prepend-1 permit 10", "set as-path prepend 64699 64699 64699"],
        ["route-map VIP-prepend-1 permit 10", "set community 64699:666"],
        ["route-map VIP-prepend-1 permit 5", "set metric 4"],
        ["route-map VIP-prepend-1 deny 5"],
        ["route-map VIP-prepend-1 deny 10"],
        ["route-map VIP-prepend-1 permit 20"],
        ["route-map VIP-prepend-1 permit 10", "match as-path NONE", "no set as-path prepend 64699"],
    ],
)
def test_a_route_map_of_ours_is_kept_true(dc: Bench, harm: list[str]) -> None:
    """Removed, changed, or with a clause before ours: the next pass makes it anew."""
    dc.site.cron()
    sees(dc.bird, *ALL)
    dc.frr.ask("configure terminal", *harm)
    if harm[0].startswith("no"):
        # Before bgpd has let go of it, FRR 8.4 may crash at anything that names it.
        misses(dc.bird, *ALL)
    assert dc.site.mgmt("status") == (1, "")
    status, said = dc.site.cron()
    assert status == 0, said
    for prefix in ALL:
        at_peer(dc, prefix, as_path=(64699, 64699), med=0, communities=frozenset())
    assert dc.site.cron() == (0, "")


@once
def test_rise_and_fall_over_passes(dc: Bench) -> None:
    """How long a VIP has been bad or good is remembered from pass to pass."""
    health = {"fall": "600ms", "rise": "600ms"}
    dc.site.configure({"vip": {"vip-1.tld": {"health": health}}})
    eventually(
        dc.site.cron, until=lambda done: ADDED.format("192.0.2.1") in done[1], within=10, what="up"
    )
    sees(dc.bird, *ALL)
    dc.site.realservers.close(ONE)
    assert dc.site.cron() == (0, "")
    sees(dc.bird, V4)
    deleted = DELETED.format("192.0.2.1")
    eventually(dc.site.cron, until=lambda done: deleted in done[1], within=10, what="the fall")
    misses(dc.bird, V4, V6)
    dc.site.realservers.open(ONE)
    assert dc.site.cron() == (0, "")
    added = ADDED.format("192.0.2.1")
    eventually(dc.site.cron, until=lambda done: added in done[1], within=10, what="the rise")
    sees(dc.bird, *ALL)


@once
def test_the_guard_waits_within_the_pass(dc: Bench) -> None:
    """More VIPs than max_withdraw at once must stay bad for confirm: the pass waits, and then withdraws."""
    dc.site.configure({"policy": {"max_withdraw": "40%", "confirm": "1s"}})
    dc.site.cron()
    sees(dc.bird, *ALL)
    history, began = History(dc.bird), time.time()
    dc.site.realservers.close(ONE, TWO)
    process = dc.site.begin_cron()
    assert process.wait() == 0
    assert "2 of 2 VIPs would be withdrawn at once" in process.log()
    misses(dc.bird, *ALL)
    assert {event.verb for event in history.events()} == {"removed"}
    assert min(event.time for event in history.events()) - began >= 1


@once
def test_the_guard_forgets_what_recovers_in_time(dc: Bench) -> None:
    """Realservers that are back before confirm is over: nothing was withdrawn."""
    dc.site.configure({"policy": {"max_withdraw": "40%", "confirm": "6s"}})
    dc.site.cron()
    sees(dc.bird, *ALL)
    history = History(dc.bird)
    dc.site.realservers.close(ONE, TWO)
    process = dc.site.begin_cron()
    eventually(lambda: "held: " in process.log(), within=10, what="the guard's word")
    dc.site.realservers.open(ONE, TWO)
    assert process.wait() == 0
    assert history.events() == []


@once
def test_two_passes_that_overlap(dc: Bench) -> None:
    """They wait for each other; both succeed, and each route is announced once."""
    history = History(dc.bird)
    passes = [dc.site.begin_cron() for _ in range(3)]
    assert [process.wait() for process in passes] == [0, 0, 0]
    sees(dc.bird, *ALL)
    assert [history.verbs(prefix) for prefix in sorted(ALL)] == [["added"]] * 4


@once
def test_a_pass_waits_for_another_run(dc: Bench) -> None:
    """While one of ours writes, another one writes nothing; when that is over, it does its work."""
    with (dc.site.state / "state.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = dc.site.begin_cron()
        steadily_misses(dc.bird, *ALL, during=1.5)
        assert process.alive
    assert process.wait() == 0
    sees(dc.bird, *ALL)
