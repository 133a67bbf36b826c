"""[peer] and [peer_group] beside FRR: each far peer has just its own, whatever befalls bgpd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.live.frr_peers import ONE, TWO, Lab, made
from tests.support.lab.eventually import eventually
from tests.support.lab.requirements import require
from tests.support.lab.site import misses, sees

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.lab.netns import Network
    from tests.support.lab.release import Release


@pytest.fixture(scope="module")
def lasting(release_network: Network, release: Release) -> Lab:
    require("bird")
    return made(release_network, release)


@pytest.fixture
def at(lasting: Lab) -> Iterator[Lab]:
    """The lab as it is wanted, and nothing ever came to transit that is not for it."""
    with lasting.watched():
        yield lasting


def test_from_nothing(lasting: Lab) -> None:
    """The first pass makes it so; nothing of the second VIP ever comes to transit; the next one has nothing to do."""
    lasting.site.passes()
    lasting.as_wanted()
    assert not lasting.to_transit(TWO)
    assert lasting.site.cron() == (0, "")
    route = lasting.site.routes()[TWO]
    assert route["peers"] == {lasting.transit.remote: False, lasting.peering.remote: True}
    assert route["gets"][lasting.transit.remote] == ""


def test_a_drain_where_somebody_removed_it_all(at: Lab) -> None:
    """A withdrawal needs nothing of the neighbours."""
    name = at.lines[-1].split()[1]
    at.site.frr.ask(
        "configure terminal",
        "router bgp 64699",
        "no network 192.0.2.2/32",
        f"no neighbor {at.transit.remote} route-map {name} out",
    )
    assert at.site.mgmt("-d", "all")[0] == 0
    misses(at.bird, ONE, TWO)
    assert at.site.mgmt("-a", "all")[0] == 0
    at.as_wanted()


def test_frr_reload_and_restart(at: Lab) -> None:
    """What FRR forgets, the next pass brings back and says so: first at neighbours, then the VIPs."""
    for forget in (at.site.frr.reload, at.site.frr.restart):
        forget()
        assert at.lines == []
        at.bird.wait_for_sessions()
        status, said = at.site.cron()
        assert f"bgpd: neighbor {at.transit.remote}: route-map VIP-OUT-" in said, (status, said)
        at.site.passes()
        at.as_wanted()


def test_a_changed_route_map(at: Lab) -> None:
    """What somebody changed is replaced, and never taken for what it was."""
    name = next(line.split()[3] for line in at.lines if line.startswith("neighbor"))
    at.site.frr.ask("configure terminal", f"route-map {name} permit 20", "set metric 99")
    plan = at.site.asked("plan")
    assert (plan.returncode, ONE in plan.stdout) == (2, True), plan.stdout
    assert "bgpd: neighbor" in at.site.cron()[1]
    at.site.passes()
    at.as_wanted()
    assert at.bird.routes(at.transit.local)[ONE].med == 0
    assert not [line for line in at.lines if line.split()[1].startswith(f"{name} ")]


def test_a_rule_goes_and_comes_back(lasting: Lab) -> None:
    """A pass is all that it takes, and without a rule nothing of ours is left."""
    site = lasting.site
    group = site.tables["peer_group"]
    site.configure({"peer_group": None})
    site.passes()
    sees(lasting.bird, ONE, TWO, neighbor=lasting.transit.local, within=15)
    eventually(
        lambda: (site.cron(), lasting.lines)[1], until=lambda seen: not seen, within=15, what="none"
    )
    assert lasting.bird.routes(lasting.transit.local)[ONE].as_path == (64699,) * 2
    site.configure({"peer_group": group})
    site.passes()
    lasting.as_wanted()
