"""[peer] and [peer_group] beside FRR: what operators see, and ask for. One FRR is enough: all others say the same of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.live.frr_peers import ONE, SITE_MAP, TWO, Lab, made
from tests.support.lab.release import RELEASES
from tests.support.lab.requirements import require
from tests.support.lab.site import misses, sees

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.lab.netns import Network
    from tests.support.lab.release import Release


pytestmark = pytest.mark.parametrize("release", RELEASES[1:2], indirect=True, ids=["trixie"])


@pytest.fixture(scope="module")
def lasting(release_network: Network, release: Release) -> Lab:
    require("bird")
    return made(release_network, release)


@pytest.fixture
def at(lasting: Lab) -> Iterator[Lab]:
    """The lab as it is wanted, and nothing ever came to transit that is not for it."""
    with lasting.watched():
        yield lasting


def test_what_operators_see(at: Lab) -> None:
    """`plan --peers`, `explain`, `plan`, `status`, a dry run, `check` and `compare` agree."""
    done = at.site.asked("plan", "--peers", "--json")
    assert {route["prefix"]: route["peers"] for route in json.loads(done.stdout)} == {
        ONE: {at.transit.remote: [64699] * 4, at.peering.remote: [64699] * 2},
        TWO: {at.transit.remote: None, at.peering.remote: [64699] * 2},
    }
    assert f"{at.transit.remote} is to get nothing" in at.site.asked("explain", TWO).stdout
    assert at.site.asked("plan").returncode == 0
    assert at.site.asked("status").returncode == 0
    assert at.site.asked("-d", "192.0.2.2", "--dry-run").returncode == 0
    assert at.lines, "a dry run changes nothing at neighbours"
    assert "peer-policy" not in at.site.asked("check").stdout
    running = at.site.host.directory / "running.conf"
    running.write_text(at.site.frr.ask("show running-config"))
    done = at.site.asked("compare", str(running), "--json")
    differing = [
        (each["prefix"], each["neighbor"]) for each in json.loads(done.stdout)["differences"]
    ]
    assert [each for each in differing if each[0] in {ONE, TWO}] == []


def test_drain(at: Lab) -> None:
    """A drained VIP is gone from all, and comes back to those alone who are to get it."""
    before = at.lines
    assert at.site.mgmt("-d", "192.0.2.2")[0] == 0
    misses(at.bird, TWO, neighbor=at.peering.local)
    assert at.lines == before, "a drain changes nothing at neighbours"
    assert at.site.mgmt("-a", "192.0.2.2")[0] == 0
    sees(at.bird, TWO, neighbor=at.peering.local)


def test_the_sites_own_route_map(lasting: Lab) -> None:
    """It is not replaced; what is not for that neighbour is not announced, and both are named with the remedy."""
    site = lasting.site
    session = lasting.transit.remote
    site.mgmt("-d", "all")
    site.configure({"peer_group": {"transit": {"neighbors": {"par1": [lasting.peering.remote]}}}})
    site.passes()
    out = f"neighbor {session} route-map SITE out"
    site.frr.ask(*SITE_MAP, "router bgp 64699", out)
    site.configure({"peer_group": {"transit": {"neighbors": {"par1": [session]}}}})
    lasting.history.start()
    status, said = site.mgmt("-a", "all")
    assert status == 1
    assert (
        f"neighbor {session} has the site's own route-map SITE out, which is never replaced" in said
    )
    assert out in site.frr.ask("show running-config")
    assert not site.frr.networks().keys() & {ONE, TWO}
    assert any("SITE" in text for text in site.status()["trouble"])
    assert not lasting.to_transit(ONE)
    site.frr.ask("configure terminal", "router bgp 64699", f"no {out}", "exit", "no route-map SITE")
    site.passes()
    lasting.as_wanted()
    assert not lasting.to_transit(TWO)


def test_shadow(lasting: Lab) -> None:
    """Beside what something else sees to: it agrees where nobody has what is not for it, and finds who has."""
    site = lasting.site
    site.passes()
    command = [*site._command("vip_watchdog"), "--shadow", "--once"]
    done = site._run(command)
    assert done.returncode == 0, done.stderr
    site.configure({"peer_group": {"transit": {"except": ["vip-1.tld"]}}})
    done = site._run(command)
    site.configure({"peer_group": {"transit": {"except": ["vip-2.tld"]}}})
    assert done.returncode != 0
    assert f"not to be sent to, and sent to {lasting.transit.remote}" in done.stderr


def test_the_daemon(at: Lab) -> None:
    """A reload changes what neighbours get, in both directions; what a bgpd that restarts forgot is back by itself."""
    process = at.site.daemon()
    try:
        at.site.configure({"peer_group": {"transit": {"except": ["vip-1.tld", "vip-2.tld"]}}})
        assert at.site.mgmt("reload")[0] == 0
        misses(at.bird, ONE, TWO, neighbor=at.transit.local, within=15)
        sees(at.bird, ONE, TWO, neighbor=at.peering.local)
        at.site.configure({"peer_group": {"transit": {"except": ["vip-2.tld"]}}})
        assert at.site.mgmt("reload")[0] == 0
        sees(at.bird, ONE, neighbor=at.transit.local, within=15)
        at.site.frr.restart()
        at.bird.wait_for_sessions()
        sees(at.bird, ONE, neighbor=at.transit.local, within=30)
        at.as_wanted()
        assert f"bgpd: neighbor {at.transit.remote}: route-map VIP-OUT-" in process.log()
    finally:
        process.stop()
