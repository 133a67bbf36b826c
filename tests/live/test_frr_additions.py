"""What sites run in or beside FRR: RPKI's states in its tables, and frr-reload.py over its files."""

import sys
from pathlib import Path

import pytest

from speaker.backends.quagga.version import TESTED
from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.frr import Frr, config
from tests.support.lab.frr_site import FrrSite
from tests.support.lab.netns import Network
from tests.support.lab.release import Release
from tests.support.lab.requirements import require
from tests.support.lab.site import misses, sees, steadily_misses, vip

LIVE, RTR = 8081, 3323
V4, W4, V6 = "192.0.2.1/32", "192.0.2.2/32", "2001:db8::1/128"
TABLES = {
    "vip": {
        "vip-1.tld": vip("192.0.2.1", "2001:db8::1", ports=[LIVE]),
        "vip-2.tld": vip("192.0.2.2", ports=[LIVE]),
    }
}
ROAS = (V4, "64699", W4, "64511")
"""So one of ours is valid, one is invalid, and of the third nothing is found."""
SERVER = Path(__file__).parents[1] / "support" / "lab" / "rtr_script.py"


class Dc:
    """A data centre whose bgpd validates origins, and its far peer."""

    def __init__(self, network: Network, release: Release) -> None:
        self.host = network.host("par1")
        link = network.link(network.host("far"), self.host)
        session = link.session(64500, 64699)
        self.bird = Bird(link.a.namespace, [session])
        self.host.spawn([sys.executable, str(SERVER), str(RTR), *ROAS], log="rtr.log")
        tcp = "" if release.suite == "bookworm" else "tcp "
        rpki = ["rpki", f" rpki cache {tcp}127.0.0.1 {RTR} preference 1", "exit"]
        text = config([session.flipped()], after=rpki)
        self.frr = Frr(self.host, text, root=release.root, modules=["bgpd_rpki"])
        self.site = FrrSite(self.host, self.frr, TABLES, up=[LIVE])
        self.bird.wait_for_sessions()

    def states(self) -> dict[str, str]:
        """Return what stands in front of each of our prefixes in bgpd's tables."""
        lines = self.frr.ask("show bgp ipv4 unicast", "show bgp ipv6 unicast").splitlines()
        found = {p: next((x for x in lines if p in x), "") for p in (V4, W4, V6)}
        return {p: line[:1] for p, line in found.items()}

    def validates(self) -> None:
        """Wait until bgpd shows a state of each."""
        wanted = {V4: "V", W4: "I", V6: "N"}
        eventually(self.states, until=lambda seen: seen == wanted, within=60, what=f"{wanted}")


@pytest.fixture(scope="module")
def shared(release_network: Network, release: Release) -> Dc:
    require("bird")
    return Dc(release_network, release)


@pytest.fixture
def dc(shared: Dc) -> Dc:
    """A data centre that announces all, and in whose tables RPKI's states are shown."""
    shared.site.fresh()
    shared.bird.wait_for_sessions()
    shared.site.passes()
    sees(shared.bird, V4, W4, V6, within=15)
    shared.validates()
    return shared


def test_with_rpki(dc: Dc) -> None:
    """Whatever RPKI says of our own routes, they are read as they are; over a restart of bgpd, too."""
    assert dc.site.cron() == (0, "")
    assert dc.site.mgmt("-d", W4)[0] == 0
    misses(dc.bird, W4)
    dc.frr.restart()
    dc.site.passes()
    sees(dc.bird, V4, V6, within=15)
    steadily_misses(dc.bird, W4, during=0.5)
    assert dc.site.mgmt("-a", W4)[0] == 0
    sees(dc.bird, W4)
    dc.validates()
    assert dc.site.cron() == (0, "")
    assert {route["announced"] for route in dc.site.routes().values()} == {True}


def test_check_knows_the_version(dc: Dc, release: Release) -> None:
    """A release that stands still has a version that is tested; of one that moves on, the next is named."""
    number = ".".join(release.version.split(".")[:2]).partition("-")[0]
    if not release.moves:
        assert number in TESTED["FRR"]
    done = dc.site.asked("check")
    assert ("daemon-version" in done.stdout) == (number not in TESTED["FRR"]), done.stdout
    assert "bgpd's version" not in done.stderr


def test_mgmtd_runs(dc: Dc, release: Release) -> None:
    """FRR from 8.5 on has mgmtd, and it runs beside bgpd in all that is tested here."""
    assert (dc.frr.mgmtd is None) == release.version.startswith("8.4")
    assert dc.frr.mgmtd is None or dc.frr.mgmtd.alive


@pytest.mark.parametrize("whole", [False, True], ids=["bgpd", "all daemons"])
def test_frr_reload(dc: Dc, *, whole: bool) -> None:
    """It removes what its file has not, which is all of ours: the next pass brings it back, and says so."""
    assert dc.site.mgmt("-d", W4)[0] == 0
    assert dc.site.cron() == (0, "")
    done = dc.frr.reload(whole=whole)
    assert set(dc.frr.networks()) == set(), done
    misses(dc.bird, V4, V6)
    status, said = dc.site.cron()
    assert status == 0
    for prefix in (V4, V6):
        assert prefix.partition("/")[0] in said
    assert "192.0.2.2" not in said
    sees(dc.bird, V4, V6)
    steadily_misses(dc.bird, W4, during=0.5)
    assert dc.site.cron() == (0, "")
