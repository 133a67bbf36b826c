"""FRR with GoBGP as the far peer: another implementation's view of the same."""

from tests.support.lab.eventually import eventually
from tests.support.lab.frr import Frr, config
from tests.support.lab.frr_site import FrrSite
from tests.support.lab.gobgp import GoBgp
from tests.support.lab.netns import Network
from tests.support.lab.release import Release
from tests.support.lab.requirements import require
from tests.support.lab.session import SeenRoute
from tests.support.lab.site import misses, sees, vip

LIVE = 8081
V4, V6 = "192.0.2.1/32", "2001:db8::1/128"
NEAR = {"prepends": 2, "med": 50, "communities": ["64699:100"], "large_communities": ["64699:1:2"]}


def test_gobgp_sees_what_was_decided(network: Network, release: Release) -> None:
    """Announced with every attribute by a pass, withdrawn by vip_mgmt, restored; both families."""
    require("gobgpd", "gobgp")
    host = network.host("par1")
    link = network.link(network.host("far"), host)
    session = link.session(64500, 64699)
    peer = GoBgp(link.a.namespace, [session])
    tables = {
        "policy": {"ranks": ["near", "far"]},
        "profile": {"near": NEAR, "far": {"prepends": 5}},
        "vip": {"vip-1.tld": vip("192.0.2.1", "2001:db8::1", ports=[LIVE])},
    }
    frr = Frr(host, config([session.flipped()]), root=release.root)
    site = FrrSite(host, frr, tables, up=[LIVE])
    peer.wait_for_sessions()
    assert site.cron()[0] == 0
    sees(peer, V4, V6)
    for prefix, address in ((V4, link.b.ipv4), (V6, link.b.ipv6)):
        eventually(
            lambda: peer.best(prefix),  # noqa: B023 - called at once
            until=lambda seen: (
                seen
                == SeenRoute(
                    prefix,  # noqa: B023 - likewise
                    (64699,) * 3,
                    address,  # noqa: B023 - likewise
                    50,
                    "igp",
                    frozenset({"64699:100"}),
                    frozenset({"64699:1:2"}),
                )
            ),
            within=5,
            what=f"{prefix} as decided",
        )
    assert site.mgmt("-d", "192.0.2.1", "2001:db8::1")[0] == 0
    misses(peer, V4, V6)
    assert site.mgmt("-a", "192.0.2.1", "2001:db8::1")[0] == 0
    sees(peer, V4, V6)
