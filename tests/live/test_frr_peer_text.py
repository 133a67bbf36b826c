"""A peer that writes into bgpd's answers, by the name or the software version that it gives, is not believed."""

import struct

from tests.support.lab.bird import Bird
from tests.support.lab.frr import CURED, Frr, config
from tests.support.lab.frr_site import FrrSite
from tests.support.lab.netns import Network
from tests.support.lab.release import Release
from tests.support.lab.requirements import require
from tests.support.lab.rogue import Rogue
from tests.support.lab.site import sees, vip

SHOWN = ("bgp default show-hostname", "bgp default show-nexthop-hostname")
LIVE, DEAD = 8081, 8082
V4, DOWN = "192.0.2.1/32", "192.0.2.2/32"
VERSION = b"x\n% Unknown command\n\n"
SAID = {"-d": "Deleting route to", "-a": "Adding route to"}
NAMES = (
    b"a b\n198.51.100.9 4 64500 1 1 1 1 1 1 1 1 x\n",
    b"\n*> 192.0.2.2/32 0.0.0.0  32768 i\n",
    b"\n *>  192.0.2.2/32 0.0.0.0  32768 i\n",
    b"\n\n% Unknown command\nTotal\n",
    b'\xff\\xfe"\\\n}\n{\n\x1b[2J)',
)


def texts(name: bytes) -> bytes:
    """Return the capabilities of a host's name, and of a version."""
    named, version = (bytes([len(each)]) + each for each in (name, VERSION))
    return bytes([73, len(named) + 1]) + named + b"\0" + bytes([75, len(version)]) + version


def announcement(asn: int, hop: str, number: int) -> bytes:
    """Return an UPDATE with a route, so that its next hop is shown, and with the one that parts our questions."""
    path = struct.pack("!BBBBBI", 0x40, 2, 6, 2, 1, asn)
    attributes = b"\x40\x01\x01\x00" + path + b"\x40\x03\x04" + bytes(map(int, hop.split(".")))
    prefixes = bytes([32, 198, 51, 100, number, 32, 255, 255, 255, 255])
    return struct.pack("!HH", 0, len(attributes)) + attributes + prefixes


def test_names_of_peers(network: Network, release: Release) -> None:
    """No session, no path, no error of theirs: all is as without them; also where names are not shown."""
    require("bird")
    host, far = network.host("par1"), network.host("bird")
    honest = network.link(host, far).session(64699, 64500, families=("ipv4",))
    bird = Bird(far, [honest.flipped()])
    sessions, rogues = [honest], []
    for number, name in enumerate(NAMES):
        there = network.host(f"rogue{number}")
        session = network.link(host, there).session(64699, 64501 + number, families=("ipv4",))
        sessions.append(session)
        rogues.append(Rogue(there, session.flipped(), texts(name)))
    frr = Frr(host, config(sessions, options=(*CURED, *SHOWN)), root=release.root)
    tables = {"one.tld": vip("192.0.2.1", ports=[LIVE]), "two.tld": vip("192.0.2.2", ports=[DEAD])}
    site = FrrSite(host, frr, {"vip": tables}, up=[LIVE])
    for number, (session, rogue) in enumerate(zip(sessions[1:], rogues, strict=True)):
        rogue.wait_until_up()
        rogue.say(2, announcement(session.remote_asn, session.remote, number))
    sees(bird, *(f"198.51.100.{number}/32" for number in range(len(NAMES))), within=20)
    site.cron()
    seen = site.status()
    assert {peer["address"]: peer["up"] for peer in seen["peers"]} == {
        session.remote: True for session in sessions
    }
    assert seen["trouble"] == []
    routes = {route["prefix"]: route for route in seen["routes"]}
    assert (routes[V4]["announced"], routes[DOWN]["announced"]) == (True, False)
    assert set(routes[V4]["peers"].values()) == {True}
    assert site.cron()[0] == 0
    frr.ask("configure terminal", "router bgp 64699", *(f"no {line}" for line in SHOWN))
    site.daemon()
    for what, announced in (("-d", False), ("-a", True)):
        assert site.mgmt(what, V4) == (0, f"bgp_mgt: {SAID[what]} {V4}\n")
        assert site.routes()[V4]["announced"] is announced
    assert site.status()["trouble"] == []
