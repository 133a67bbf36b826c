"""Owns the stage for ExaBGP's behaviour: one ExaBGP, a BIRD with sessions of every kind, a puppet between."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Config, ExaBgp, Flavour
from tests.support.lab.netns import Network
from tests.support.lab.puppet import Helper, Puppet
from tests.support.lab.requirements import require
from tests.support.lab.session import Family, SeenRoute, Session

ASN = 64699
V4, V6 = "192.0.2.1/32", "2001:db8::1/128"
THEIRS = ("198.51.100.0/24", "2001:db8:f::/48")
ENVIRONMENT = {"VIP_CONFIG": "/etc/vip-speaker/vip.toml"}
_MARKERS: dict[Family, str] = {"ipv4": "192.0.2.255/32", "ipv6": "2001:db8::ffff/128"}


class Stage:
    """Sessions as ExaBGP's side sees them, and what the far end has of them.

    Attributes:
        ebgp: both families over IPv4.
        only4: IPv4 over IPv4, to the same AS as `only6`.
        only6: IPv6 over IPv6.
        ibgp: both families over IPv4, inside AS 64699.
        wide: both families over IPv4, both AS numbers of four bytes.
        hop6: an IPv6 next hop that every neighbour accepts.
    """

    def __init__(
        self,
        network: Network,
        flavour: Flavour,
        *,
        told: bool = False,
        options: Sequence[str] = (),
    ) -> None:
        """Start it all, and wait until every session is established.

        Args:
            network: where.
            flavour: which ExaBGP.
            told: whether the helper is told of every UPDATE, from and to the peers.
            options: more statements for every neighbour of ExaBGP.
        """
        require("bird", flavours=(flavour,))
        self.peer, self.speaker = network.host("peer"), network.host("speaker")
        links = [network.link(self.speaker, self.peer) for _ in range(4)]
        self.ebgp = links[0].session(ASN, 64500)
        self.only4, self.only6 = links[1].session_per_family(ASN, 64501)
        self.ibgp = links[2].session(ASN, ASN)
        self.wide = links[3].session(65536, 65551)
        self.hop6 = links[0].a.ipv6
        self.sessions = (self.ebgp, self.only4, self.only6, self.ibgp, self.wide)
        # A path that ExaBGP sends literally has the peer's own AS in it on the iBGP session.
        own = ["allow local as 9;"]
        far = [session.flipped() for session in self.sessions]
        self.bird = Bird(self.peer, far, originate=THEIRS, options=own)
        self.puppet = Puppet(self.speaker)
        self.config = Config(
            self.sessions, self.puppet.run, options=options, receive=told, send=told
        )
        self.exabgp = ExaBgp(self.speaker, flavour, self.config, env=ENVIRONMENT)
        self.helper: Helper = self.puppet.helper()
        self.bird.wait_for_sessions()
        eventually(
            lambda: [self.helper.states(session.remote)[-1:] for session in self.sessions],
            until=lambda seen: all(states == ["up"] for states in seen),
            within=5,
            what="the helper told of every session",
        )
        self._serial = itertools.count(1)

    def of(self, session: Session, prefix: str) -> SeenRoute | None:
        """Return what the far end of a session has of a prefix."""
        return self.bird.routes(session.local).get(prefix)

    def everywhere(self, prefix: str) -> dict[Session, SeenRoute]:
        """Return what each far end has of a prefix, once all that was said so far has arrived."""
        self.settle()
        seen = {session: self.of(session, prefix) for session in self.sessions}
        return {session: route for session, route in seen.items() if route is not None}

    def settle(self, sessions: Sequence[Session] | None = None) -> None:
        """Wait until all that the helper has said so far has arrived at the far ends.

        A MED that is new makes the marker the last UPDATE of what ExaBGP still has to send.
        """
        med = next(self._serial)
        self.say(f"announce route {_MARKERS['ipv4']} next-hop self med {med}")
        self.say(f"announce route {_MARKERS['ipv6']} next-hop {self.hop6} med {med}")
        expected = [
            (session, family)
            for session in sessions or self.sessions
            for family in session.families
        ]

        def missing() -> list[tuple[str, Family]]:
            routes = [
                (session, family, self.of(session, _MARKERS[family]))
                for session, family in expected
            ]
            return [
                (s.remote, family)
                for s, family, route in routes
                if route is None or route.med != med
            ]

        eventually(
            missing, until=lambda absent: not absent, within=10, what=f"marker {med} everywhere"
        )

    @contextmanager
    def held_down(self, session: Session) -> Iterator[None]:
        """Keep a session down, ExaBGP waiting for the answer to its connection, and wait for it to be up again."""
        self.peer.run("ip", "route", "add", "blackhole", session.local)
        before = len(self.helper.states(session.remote))
        self.say(f"neighbor {session.remote} teardown 2")
        try:
            eventually(
                lambda: self.helper.states(session.remote)[before:],
                until=lambda states: "down" in states,
                within=5,
                what=f"session with {session.remote} down",
            )
            yield
        finally:
            self.peer.run("ip", "route", "delete", "blackhole", session.local)
        self.bird.wait_for_sessions()

    def say(self, *lines: str) -> None:
        """Give ExaBGP commands, one in flight, each of which it must answer with `done`."""
        for line in lines:
            reply = self.helper.ask(line)
            assert reply.status == "done", f"{line}: {reply}\n{self.exabgp.log()[-2000:]}"
