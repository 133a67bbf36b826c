"""Three data centres behind a route reflector that each hears: who announces what, what is gone, and the last one standing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.frr import Frr, config
from tests.support.lab.frr_site import FrrSite
from tests.support.lab.netns import Network
from tests.support.lab.requirements import require
from tests.support.lab.site import Site, misses, sees, vip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.lab.installed import Installed
    from tests.support.lab.session import Session

PORT, ASN = 8081, 64699
NAME, PREFIX = "192.0.2.1", "192.0.2.1/32"
INSISTED, INSISTED_PREFIX = "192.0.2.2", "192.0.2.2/32"
DCS = ("par1", "lyo1", "fra1")
TABLES: dict[str, Any] = {
    "dc": {name: {"asn": ASN, "mark": f"64699:{n}"} for n, name in enumerate(DCS, 1)},
    "policy": {"max_withdraw": "100%", "keep_last": True, "settle": "2s"},
    "drain": {"timeout": "1h"},
    "vip": {
        "vip-1.tld": vip(NAME, ports=[PORT], prefer=list(DCS)),
        "vip-2.tld": vip(INSISTED, ports=[PORT], prefer=list(DCS)),
    },
}
HEARS = ("capability { route-refresh enable; add-path receive; }",)


class Reflected:
    """par1 and lyo1 beside ExaBGP, each with a session that announces and one that hears; fra1 beside FRR, with one for both."""

    def __init__(self, network: Network, installed: Installed) -> None:
        """Start it all, and wait until each has announced."""
        router = network.host("router")
        hosts = {name: network.host(name) for name in DCS}
        own: dict[str, list[Session]] = {
            name: [
                network.link(router, hosts[name]).session(ASN, ASN, families=("ipv4",))
                for _ in range(1 if name == "fra1" else 2)
            ]
            for name in DCS
        }
        every = [session for sessions in own.values() for session in sessions]
        self.bird = Bird(router, every, options=["rr client;", "allow local as 9;"])
        self.bird.reflect()
        self.exabgps = [self._exabgp(hosts[n], n, own[n], installed) for n in ("par1", "lyo1")]
        (near,) = (session.flipped() for session in own["fra1"])
        allow = f"neighbor {near.remote} allowas-in 10"
        frr = Frr(hosts["fra1"], config([near], ipv4=[allow], router_id="203.0.113.3"))
        node = {"dc": "fra1", "witnesses": [near.remote]}
        self.fra1 = FrrSite(hosts["fra1"], frr, {**TABLES, "node": node}, up=[PORT])
        self.daemon = self.fra1.daemon()
        self.bird.wait_for_sessions()

    @staticmethod
    def _exabgp(host: Any, name: str, sessions: list[Session], installed: Installed) -> Site:
        hears = sessions[1].flipped()
        silent: dict[str, Any] = {hears.remote: {"announce": []}}
        node = {"dc": name, "witnesses": [hears.remote]}
        tables = {**TABLES, "node": node, "peer": silent}
        near = [session.flipped() for session in sessions]
        return Site(host, "v5", installed, near, tables, up=[PORT], options=HEARS, heard=True)


@pytest.fixture(scope="module")
def reflected(installed: Installed) -> Iterator[Reflected]:
    """All of it."""
    require("bird", flavours=("v5",))
    with Network() as network:
        yield Reflected(network, installed)


def seen(site: Site | FrrSite) -> set[str]:
    """Return the data centres whose path of the VIP a site's witnesses show, the best one with a star."""
    route = site.status()["routes"][0]
    return {path["dc"] + "*" * path["best"] for path in route.get("seen", ())}


def heard(site: Site | FrrSite, *dcs: str) -> None:
    """Wait until a site hears just these."""
    eventually(lambda: seen(site), until=lambda found: found == {*dcs}, within=30, what=f"{dcs}")


def drains(site: Site, prefix: str, *, insisted: bool) -> bool:
    """Whether a prefix drains softly, and goes on whoever takes over."""
    route = site.routes()[prefix]
    return route["intent"] == "draining" and route["drain"]["force"] is insisted


def restored(site: Site, prefix: str) -> None:
    """Wait until a site's drain ended by itself, because nobody takes over."""
    eventually(
        lambda: site.routes()[prefix]["intent"],
        until=lambda intent: intent == "auto",
        within=20,
        what=f"{prefix} is restored",
    )
    said = site.mgmt("history", prefix.removesuffix("/32")).stdout
    assert "no other data centre announces it any more, as far as witnesses tell" in said


def test_who_takes_over_dies(reflected: Reflected) -> None:
    """A soft drain ends where the data centre that took over is gone; with --force it goes on until that is taken back."""
    par1, lyo1 = reflected.exabgps
    fra1, bird = reflected.fra1, reflected.bird
    sees(bird, PREFIX, INSISTED_PREFIX, within=20)
    heard(par1, "par1*", "lyo1", "fra1")
    fra1.realservers.close(PORT)
    heard(par1, "par1*", "lyo1")

    said = par1.mgmt("-d", NAME, "--soft", "--dry-run").stderr
    assert "would go to lyo1; lyo1 announces it (seen at " in said
    for name, *more in ((NAME,), (INSISTED, "--force")):
        done = par1.mgmt("-d", name, "--soft", "--no-wait", *more)
        assert done.returncode == 0, done.stderr
    heard(par1, "par1", "lyo1*")
    assert drains(par1, PREFIX, insisted=False)
    assert drains(par1, INSISTED_PREFIX, insisted=True)

    lyo1.realservers.close(PORT)
    restored(par1, PREFIX)
    heard(par1, "par1*")
    assert drains(par1, INSISTED_PREFIX, insisted=True)
    done = par1.mgmt("-d", INSISTED, "--soft", "--no-wait", "--last")  # it was for --force alone
    assert done.returncode == 0, done.stderr
    restored(par1, INSISTED_PREFIX)

    for site in (lyo1, fra1):
        site.realservers.open(PORT)


def test_seen_gone_and_the_last_one(reflected: Reflected) -> None:
    """Each hears the others; a drain ends when the reflector has it no more; the last one is kept, and an operator asked."""
    par1, lyo1 = reflected.exabgps
    fra1, bird = reflected.fra1, reflected.bird
    sees(bird, PREFIX, within=20)
    heard(par1, "par1*", "lyo1", "fra1")
    heard(lyo1, "par1*", "lyo1", "fra1")
    heard(fra1, "par1*", "lyo1")  # it has one session, over which its own path does not come back

    done = par1.mgmt("-d", NAME, "--until-gone")
    assert done.returncode == 0, done.stderr
    assert "gone from witnesses: " in done.stderr
    assert seen(par1) == {"lyo1*", "fra1"}

    lyo1.realservers.close(PORT)
    heard(par1, "fra1*")
    heard(fra1)
    fra1.realservers.close(PORT)
    eventually(
        lambda: [text for text in fra1.status()["trouble"] if text.startswith("last: ")],
        until=bool,
        within=15,
        what="the last one is kept",
    )
    sees(bird, PREFIX)
    for _ in range(2):  # a watchdog says so, and vip_mgmt where none runs
        status, said = fra1.mgmt("-d", NAME)
        assert (status, "would be announced nowhere, so nothing was changed" in said) == (1, True)
        reflected.daemon.terminate(10)
    sees(bird, PREFIX)
    assert fra1.mgmt("-d", NAME, "--last")[0] == 0
    misses(bird, PREFIX)

    done = par1.mgmt("-a", NAME, "--until-seen")
    assert (done.returncode, "seen by witnesses: " in done.stderr) == (0, True), done.stderr
    heard(par1, "par1*")

    done = par1.mgmt("-d", NAME)
    assert (done.returncode, "--last drains it all the same" in done.stderr) == (1, True)
    assert par1.mgmt("-d", NAME, "--last").returncode == 0
    misses(bird, PREFIX)
