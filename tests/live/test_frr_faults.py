"""What the commands do and say where bgpd, vtysh, the machine or the configuration is not as it should be."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import run
from typing import Any

import pytest

from tests.support.lab.eventually import eventually
from tests.support.lab.fixtures import once
from tests.support.lab.frr import CURED, config
from tests.support.lab.frr_site import Bench
from tests.support.lab.installed import NOBODY
from tests.support.lab.netns import Network
from tests.support.lab.release import Release
from tests.support.lab.requirements import require
from tests.support.lab.site import misses, sees, vip

LIVE = 8081
V4, V6, W4 = "192.0.2.1/32", "2001:db8::1/128", "192.0.2.2/32"
ALL = {V4, V6, W4}
TABLES: Mapping[str, Any] = {
    "vip": {
        "vip-1.tld": vip("192.0.2.1", "2001:db8::1", ports=[LIVE]),
        "vip-2.tld": vip("192.0.2.2", ports=[LIVE]),
    }
}
NOT_RUNNING = "vip_watchdog: fatal error : quagga/bgpd not running !\n"
RECORDED = (
    f"bgp_mgt: {W4}: drained is recorded; takes effect with the next pass of vip_watchdog; now: "
)
LOCKED = 'echo "VTY configuration is locked by other VTY"; exit 0'
ONCE = 'case "$*" in *configure*) if [ -e {flag} ]; then rm {flag}; {then}; fi;; esac'
ALWAYS = 'case "$*" in *configure*) {then};; esac'
HALF = '{vtysh} --vty_socket {folder} "$1" "$2" "$3" "$4" "$5" "$6" "$7" "$8" "$9"; exit 1'


@pytest.fixture(scope="module")
def shared(release_network: Network, release: Release) -> Bench:
    require("bird")
    return Bench(release_network, TABLES, up=[LIVE], root=release.root)


@pytest.fixture
def dc(shared: Bench) -> Iterator[Bench]:
    """A data centre that announces nothing yet."""
    shared.bird.wait_for_sessions()
    shared.reset()
    yield shared
    if shared.frr.bgpd.alive and shared.frr.file.read_text() == shared.text:
        return
    shared.frr.stop()
    shared.frr.write(shared.text)
    shared.frr.start()


def restarted(dc: Bench, text: str) -> None:
    """Have bgpd start with another file."""
    dc.frr.stop()
    dc.frr.write(text)
    dc.frr.start()


# --- what the toolkit checked -----------------------------------------------------------------


def test_bgpd_down(dc: Bench) -> None:
    """The pass ends with 255 and the toolkit's words; vip_mgmt records the wish and exits with 1.

    When bgpd is back, the pass honours it.
    """
    dc.frr.stop()
    assert dc.site.cron() == (255, NOT_RUNNING)
    status, said = dc.site.mgmt("-d", "192.0.2.2")
    assert (status, said.startswith(RECORDED)) == (1, True)
    assert {r["announced"] for r in dc.site.status()["routes"]} == {None}
    assert dc.site.routes()[W4]["intent"] == "drained"
    assert dc.site.mgmt("plan")[0] == 1
    dc.frr.start()
    dc.site.passes()
    sees(dc.bird, V4, V6, within=15)
    misses(dc.bird, W4)


@once
def test_not_root(dc: Bench) -> None:
    """A pass by anybody else ends at once, with the toolkit's words."""
    assert dc.site.cron(uid=NOBODY) == (255, "vip_watchdog: Only run as root !\n")
    assert dc.frr.networks() == {}


@once
def test_keepalived_not_running(dc: Bench) -> None:
    """Where the table of IPVS says what lives, a pass without keepalived would trust a frozen one."""
    dc.site.configure({"health": {"source": "ipvs"}, "vip": {"vip-1.tld": {"services": None}}})
    dc.site.configure({"vip": {"vip-2.tld": {"services": None}}})
    said = "vip_watchdog: fatal error : keepalived not running !\n"
    alone = ["unshare", "--pid", "--mount-proc", "--fork"]  # one may run on this machine
    assert dc.site.cron(before=alone) == (255, said)
    assert dc.frr.networks() == {}


def test_not_in_the_vty_group(dc: Bench) -> None:
    """vip_mgmt of a user who may not talk to bgpd says so; the wish is recorded, and exits with 1."""
    os.chown(dc.site.state, NOBODY, NOBODY)
    try:
        status, said = dc.site.mgmt("-d", "192.0.2.2", uid=NOBODY)
        assert (status, said.startswith(RECORDED)) == (1, True)
        assert "this user is not in its vty group" in said
        assert dc.site.mgmt("status", uid=NOBODY)[0] == 1
    finally:
        os.chown(dc.site.state, 0, 0)
        dc.site.fresh()


@once
def test_vtysh_missing(dc: Bench) -> None:
    """Said with the key that names it: the pass could not begin, and vip_mgmt records the wish."""
    dc.site.configure({"backend": {"quagga": {"vtysh": "/nonexistent/vtysh"}}})
    status, said = dc.site.cron()
    assert status == 255
    assert (
        "vtysh: /nonexistent/vtysh: No such file or directory; backend.quagga.vtysh names it"
        in said
    )
    status, said = dc.site.mgmt("-d", "192.0.2.2")
    assert (status, said.startswith(RECORDED)) == (1, True)


@once
def test_vtysh_that_is_none(dc: Bench) -> None:
    """A program that answers anything else: no empty bgpd, and the pass could not begin."""
    for program in ("/bin/true", "/bin/false", "/bin/echo"):
        dc.site.configure({"backend": {"quagga": {"vtysh": program}}})
        status, said = dc.site.cron()
        assert (status, "vip_watchdog: bgpd: " in said) == (255, True), said
        assert "no router bgp" not in said


@once
def test_no_state(dc: Bench) -> None:
    """A state file in a directory that is not there: said with the key; the pass could not begin."""
    dc.site.configure({"node": {"state": "/nonexistent/state.sqlite3"}})
    status, said = dc.site.cron()
    assert (status, "node.state names it" in said) == (255, True)
    assert dc.frr.networks() == {}
    assert dc.site.mgmt("-d", "192.0.2.2")[0] == 1


@once
def test_a_bad_configuration_does_not_wait(dc: Bench) -> None:
    """Cron's pipes are like ExaBGP's; a pass with a faulty vip.toml still ends, with 255."""
    dc.site.configure({"policy": {"prepends": "many"}})
    status, said = dc.site.cron()
    assert (status, "policy.prepends" in said) == (255, True)


# --- before any write --------------------------------------------------------------------------


def test_wrong_as(dc: Bench) -> None:
    """bgpd's AS is not the data centre's: both are named, and nothing is written.

    vip.toml and bgpd disagree, so the pass could not begin; vip_mgmt has recorded the wish.
    """
    dc.site.configure({"dc": {"par1": {"asn": 64510}, "lyo1": {"asn": 64510}}})
    before = dc.frr.ask("show running-config")
    for wanted, (status, said) in ((255, dc.site.cron()), (1, dc.site.mgmt("-a", "192.0.2.2"))):
        assert status == wanted
        assert "bgpd: has 64699, and this data centre is AS 64510" in said
    assert dc.frr.ask("show running-config") == before


def test_no_instance_is_ever_created(dc: Bench) -> None:
    """A bgpd without `router bgp`: said, and it has none afterwards either."""
    restarted(dc, "")
    for wanted, (status, said) in (
        (255, dc.site.cron()),
        (1, dc.site.mgmt("-d", "192.0.2.2")),
        (1, dc.site.mgmt("-a", "all")),
    ):
        assert status == wanted
        assert "has no router bgp" in said
    running = dc.frr.ask("show running-config")
    assert "router bgp" not in running
    assert "route-map" not in running


# --- FRR's defaults ------------------------------------------------------------------------------


def test_import_check(dc: Bench) -> None:
    """FRR's default holds the routes invalid: exit status 1, each named, with the remedy."""
    restarted(dc, config([dc.session.flipped()], options=CURED[:1]))
    status, said = dc.site.cron()
    assert status == 1
    for prefix in ALL:
        assert f"{prefix}: not as decided" in said
    assert "no bgp network import-check" in said
    assert {route["announced"] for route in dc.site.status()["routes"]} == {False}
    assert dc.bird.count() == 0
    assert dc.site.mgmt("-a", "192.0.2.2")[0] == 1
    dc.frr.ask("configure terminal", "router bgp 64699", "no bgp network import-check")
    sees(dc.bird, *ALL, within=15)
    assert dc.site.cron() == (0, "")


def test_a_policy_is_required(dc: Bench) -> None:
    """FRR's default sends nothing: exit status 1, with the neighbour and the remedy."""
    restarted(dc, config([dc.session.flipped()], options=CURED[1:]))
    dc.bird.wait_for_sessions()
    status, said = dc.site.cron()
    assert status == 1
    assert f"FRR sends nothing to {dc.link.a.ipv4}" in said
    assert "no bgp ebgp-requires-policy, then clear bgp * soft out" in said
    misses(dc.bird, *ALL)
    dc.frr.ask("configure terminal", "router bgp 64699", "no bgp ebgp-requires-policy")
    dc.frr.ask("clear bgp * soft out")
    sees(dc.bird, *ALL, within=15)
    assert dc.site.cron()[0] == 0


def test_a_policy_for_what_is_sent_is_enough(dc: Bench) -> None:
    """FRR's summary says `(Policy)` of what is received: all is sent, and nothing is amiss."""
    out = f"neighbor {dc.link.a.ipv4} route-map ALL out"
    before = ["route-map ALL permit 10", "exit"]
    restarted(
        dc, config([dc.session.flipped()], options=CURED[1:], before=before, ipv4=[out], ipv6=[out])
    )
    dc.bird.wait_for_sessions()
    assert "(Policy)" in dc.frr.ask("show bgp summary")
    status, said = dc.site.cron()
    assert "policy" not in said
    assert status == 0
    sees(dc.bird, *ALL)


# --- others at the same bgpd ---------------------------------------------------------------------


def test_an_operator_in_configure_terminal(dc: Bench) -> None:
    """Somebody sits in `configure terminal` of FRR: the pass is not held up, nor are they."""
    shell = f"(echo configure terminal; echo router bgp 64699; read x) | {dc.frr.vtysh} -d bgpd"
    operator = dc.host.spawn(["sh", "-c", f"sleep 600 | {shell}"], log="operator.log")
    operator.ready(lambda: "(config-router)#" in operator.log(), "the prompt")
    try:
        assert dc.site.cron()[0] == 0
        sees(dc.bird, *ALL)
        assert operator.alive
    finally:
        operator.stop()


@once
def test_a_lock_is_waited_for(dc: Bench) -> None:
    """A Quagga that is locked by another VTY applies nothing: tried again until it does."""
    flag = dc.host.directory / "locked"
    flag.touch()
    dc.frr.wrap(ONCE.format(flag=flag, then=LOCKED))
    assert dc.site.cron()[0] == 0
    assert not flag.exists()
    sees(dc.bird, *ALL)


@once
def test_a_lock_that_stays(dc: Bench) -> None:
    """After some seconds it is an error that says who holds it up; nothing was changed."""
    dc.frr.wrap(ALWAYS.format(then=LOCKED))
    status, said = dc.site.cron()
    assert status == 1
    assert "locked by other VTY; another session is in configure terminal: end it" in said
    assert dc.frr.networks() == {}


# --- half a batch --------------------------------------------------------------------------------


@once
def test_a_batch_that_ends_half_way(dc: Bench) -> None:
    """vtysh dies after some commands of a batch: the rest is written in the same pass."""
    flag = dc.host.directory / "half"
    flag.touch()
    half = HALF.format(vtysh=dc.frr.program, folder=dc.frr.folder)
    dc.frr.wrap(ONCE.format(flag=flag, then=half))
    assert dc.site.cron()[0] == 0
    assert not flag.exists()
    sees(dc.bird, *ALL)


def test_what_bgpd_refuses_holds_up_nothing_else(dc: Bench) -> None:
    """One prefix that bgpd will not take: exit status 1, it is named, all others are announced."""
    more = {"bad.tld": vip("fe80::1", ports=[LIVE]), "late.tld": vip("2001:db8::3", ports=[LIVE])}
    dc.site.configure({"vip": more})
    status, said = dc.site.cron()
    assert status == 1
    assert "fe80::1/128: bgpd: refused: % Malformed prefix (link-local address)" in said
    sees(dc.bird, *ALL, "2001:db8::3/128")
    assert dc.site.cron()[0] == 1


# --- route-maps of the site ----------------------------------------------------------------------

NAMES = {"prepend-1": "BGP1", "prepend-2": "BGP2"}


def own_maps(dc: Bench, *commands: str) -> None:
    dc.site.configure({"backend": {"quagga": {"route_map": NAMES}}, "policy": {"prepends": [1, 2]}})
    if commands:
        dc.frr.ask("configure terminal", *commands)


def test_route_maps_of_the_site(dc: Bench) -> None:
    """Names from `route_map`, with what the profile wants: used as they are."""
    own_maps(dc, "route-map BGP1 permit 5", "set as-path prepend 64699")
    assert dc.site.cron()[0] == 0
    sees(dc.bird, *ALL)
    assert set(dc.frr.networks().values()) == {"BGP1"}
    assert dc.site.cron() == (0, "")


def test_a_route_map_of_the_site_is_missing(dc: Bench) -> None:
    """Said, and neither made nor used: bgpd would take the line and announce nothing."""
    own_maps(dc)
    status, said = dc.site.cron()
    assert (status, "route-map BGP1: does not exist" in said) == (1, True)
    assert dc.frr.networks() == {}
    assert "route-map" not in dc.frr.ask("show running-config")


def test_a_route_map_of_the_site_is_wrong(dc: Bench) -> None:
    """Said with what it has and what the profile wants, and never changed; what is announced stays."""
    own_maps(dc, "route-map BGP1 permit 10", "set as-path prepend 64699")
    assert dc.site.cron()[0] == 0
    sees(dc.bird, *ALL)
    dc.frr.ask("configure terminal", "route-map BGP1 permit 10", "set metric 5")
    before = dc.frr.ask("show running-config")
    status, said = dc.site.cron()
    assert status == 1
    assert "the profile wants one clause, permit 10, with ['set as-path prepend 64699']" in said
    assert dc.site.mgmt("status")[0] == 1
    assert dc.frr.ask("show running-config") == before
    assert dc.site.mgmt("-d", "192.0.2.2")[0] == 0
    misses(dc.bird, W4)
    assert dc.site.mgmt("-a", "192.0.2.2")[0] == 1


@once
def test_a_profile_without_a_route_map(dc: Bench) -> None:
    """`route_map` names none for a profile that is needed: said, with the key."""
    own_maps(dc)
    dc.site.configure({"backend": {"quagga": {"route_map": {"prepend-1": None}}}})
    status, said = dc.site.cron()
    assert status == 1
    assert "profile prepend-1: backend.quagga.route_map does not name a route-map for it" in said


# --- peers ---------------------------------------------------------------------------------------


@once
def test_check_names_the_peer_that_drops_prepends(dc: Bench) -> None:
    """`check` asks bgpd for its peers, and names an iBGP one: it would drop prepends as a loop."""
    dc.frr.ask("configure terminal", "router bgp 64699", "neighbor 203.0.113.99 remote-as 64699")
    done = dc.site.asked("check", "--json")
    answer = json.loads(done.stdout)
    found = [finding for finding in answer["findings"] if finding["code"] == "loop"]
    assert [finding["object"] for finding in found] == ["peer 203.0.113.99"]
    assert not [note for note in answer["notes"] if "peers:" in note]
    dc.frr.ask("configure terminal", "router bgp 64699", "no neighbor 203.0.113.99 remote-as 64699")
    answer = json.loads(dc.site.asked("check", "--json").stdout)
    assert "loop" not in {finding["code"] for finding in answer["findings"]}


# --- what comes back at a restart ----------------------------------------------------------------


@once
def test_check_warns_of_the_start_file(dc: Bench) -> None:
    """VIPs' network lines in the file that bgpd starts with: exit status 2, each with its place."""
    done = dc.site.asked("check", "--offline")
    assert (done.returncode, "no findings" in done.stdout) == (0, True)
    dc.frr.write(config([dc.session.flipped()], ipv4=[f"network {W4}", "network 198.51.100.0/24"]))
    done = dc.site.asked("check", "--offline")
    assert done.returncode == 2
    (line,) = [line for line in done.stdout.splitlines() if "network" in line]
    number = dc.frr.file.read_text().splitlines().index(f"  network {W4}") + 1
    assert line.startswith(f"{dc.frr.file}:{number}: network {W4}: ")


# --- a disk that is mounted read-only, as one with errors is --------------------------------------


@contextmanager
def read_only(directory: Path) -> Iterator[None]:
    """Mount a directory read-only, for everybody, root too."""
    mount = "/usr/bin/mount"
    run([mount, "--bind", str(directory), str(directory)], check=True)
    try:
        # A daemon may just be writing there.
        again = [mount, "-o", "remount,ro,bind", str(directory)]
        eventually(lambda: run(again, check=False).returncode == 0, within=5, what="read-only")
        yield
    finally:
        run(["/usr/bin/umount", "--lazy", str(directory)], check=True)


READ_ONLY = (
    "attempt to write a readonly database; it, its directory or its file system is read-only"
)


@once
@pytest.mark.parametrize("way", ["cron", "daemon"])
def test_a_state_that_is_read_only(dc: Bench, way: str) -> None:
    """What dies is withdrawn all the same, what was drained stays so, and no drain is promised."""
    assert dc.site.cron()[0] == 0
    assert dc.site.mgmt("-d", "192.0.2.2")[0] == 0
    sees(dc.bird, V4, V6)
    daemon = dc.site.daemon() if way == "daemon" else None
    with read_only(dc.site.state):
        dc.site.realservers.close(LIVE)
        if daemon is None:
            status, said = dc.site.cron()
            assert (status, READ_ONLY in said) == (0, True), said
        misses(dc.bird, *ALL, within=5)
        dc.site.realservers.open(LIVE)
        if daemon is None:
            dc.site.cron()
        sees(dc.bird, V4, V6, within=5)
        misses(dc.bird, W4)
        status, said = dc.site.mgmt("-d", "192.0.2.1")
        assert (status, said.startswith("bgp_mgt: state: ")) == (1, True), said
        assert dc.site.routes()[W4]["intent"] == "drained"
        sees(dc.bird, V4, V6)
    status, said = dc.site.mgmt("-d", "192.0.2.1")
    assert status == 0, said
    misses(dc.bird, V4)
    if daemon is not None:
        assert daemon.terminate() == 0
        assert "vip_watchdog: state: " in daemon.log()
        assert "Traceback" not in daemon.log()
