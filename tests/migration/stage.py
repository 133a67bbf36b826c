"""Owns one speaker of a bgpd.conf and the routers beside it: what they get, whoever speaks."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.frr import Frr
from tests.support.lab.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.lab.netns import Network

Updates = dict[str, dict[str, dict[str, str]]]
"""By neighbour and prefix the attributes, in BIRD's words."""

OLD_DEFAULTS = "frr version 7.3\nfrr defaults traditional\n"
"""Has FRR treat a file of Quagga as Quagga did: no RFC 8212, no import-check."""

SOONER = "bgp route-map delay-timer 1\n"
"""FRR waits for 5 s before it applies a route-map that stands behind its network line."""

# BIRD is the active side too: a bgpd that found nobody waits for two minutes.
OPTIONS = (
    "passive no;",
    "strict bind yes;",
    "connect delay time 1;",
    "connect retry time 1;",
    "allow local as 64;",
    "debug { states, packets };",
)
UNSAID = frozenset({"BGP.atomic_aggr", "BGP.aggregator"})
"""What bgpd adds to an aggregate, ExaBGP does not, and no decision looks at (RFC 4271 §9.1.2.2)."""
_SAID = re.compile(
    r"^\s*neighbor (\S+) (remote-as|peer-group|update-source|password|ttl-security)\b ?(.*?)\s*$",
    re.MULTILINE,
)

_LOOPBACK = re.compile(r"^interface lo\n((?: .*\n)*)", re.MULTILINE)
_ADDRESS = re.compile(r"^ ip(?:v6)? address (\S+)", re.MULTILINE)


class Stage:
    """The host of a configuration, and the host of all its neighbours, on one wire.

    The neighbours' addresses are the file's, and those of its `interface lo`. The speaker has those of update-source, and ends in .10
    and ::10 in the networks of the neighbours.
    """

    def __init__(self, network: Network, name: str, content: bytes) -> None:
        """Make the hosts and their addresses.

        Args:
            network: where they are.
            name: of the hosts, short.
            content: the configuration.
        """
        text = content.decode("latin-1")
        head = "" if re.search(r"^frr version ", text, re.MULTILINE) else OLD_DEFAULTS
        self._text = head + SOONER + text
        self._said: dict[str, dict[str, str]] = {}
        for neighbor, word, value in _SAID.findall(text):
            self._said.setdefault(neighbor, {}).setdefault(word, value)
        self.neighbors = [name for name in self._said if _is_address(name)]
        self.speaker, self._routers = network.host(name), network.host(f"{name}-r")
        here, there = network.wire(self.speaker, self._routers)
        addresses = {_wide(self.local(neighbor)) for neighbor in self.neighbors}
        theirs = {_wide(neighbor) for neighbor in self.neighbors}
        if not any(":" in address for address in addresses):
            addresses.add("2001:db8:ffff:ffff::10/64")
            theirs.add("2001:db8:ffff:ffff::1/64")
        self._addresses = sorted(addresses)
        self.speaker.add(here, *self._addresses)
        for block in _LOOPBACK.findall(text):
            for address in _ADDRESS.findall(block):
                self.speaker.run("ip", "address", "add", address, "dev", "lo")
        self._routers.add(there, *sorted(theirs))
        self.birds: Mapping[str, Bird] = {}

    def local(self, neighbor: str) -> str:
        """Return the speaker's address towards a neighbour."""
        return self._setting(neighbor, "update-source") or str(
            ip_network(_wide(neighbor), strict=False)[0x10 if ":" in neighbor else 10]
        )

    def address(self, version: int) -> str:
        """Return the speaker's address of a family, of which it has one."""
        (address,) = self._of(version)
        return address

    def has(self, version: int) -> bool:
        """Tell whether the speaker has an address of a family."""
        return bool(self._of(version))

    def _of(self, version: int) -> list[str]:
        found = [text.partition("/")[0] for text in self._addresses]
        return [text for text in found if (":" in text) == (version == 6)]

    def _setting(self, neighbor: str, word: str) -> str | None:
        own = self._said[neighbor]
        return own.get(word, self._said.get(own.get("peer-group", ""), {}).get(word))

    def begin_frr(self, root: Path | None = None) -> None:
        """Start bgpd with the file as it is; this machine's own, or that of a root file system."""
        self.frr = Frr(self.speaker, self._text, root=root)

    def begin_routers(self) -> None:
        """Start a router for each neighbour that bgpd has found in its file, once bgpd is ready.

        Its End-of-RIB would be said before all is sent otherwise.
        """
        eventually(self._is_ready, within=60, what="all networks in bgpd's table")
        peers = json.loads(self.frr.ask("show bgp neighbors json"))
        assert sorted(peers) == sorted(self.neighbors), "bgpd found other neighbours than this test"
        self._families = {
            address: 0 if peer.get("adminShutDown") else len(peer["addressFamilyInfo"])
            for address, peer in peers.items()
        }
        self.birds = {
            address: self._bird(
                number,
                Session(address, peer["remoteAs"], self.local(address), peer["localAs"]),
            )
            for number, (address, peer) in enumerate(peers.items())
        }

    def _is_ready(self) -> bool:
        if "Processed Change: true" in self.frr.ask("show route-map"):
            return False
        tables = [
            json.loads(self.frr.ask(f"show bgp {family} unicast json"))
            for family in ("ipv4", "ipv6")
        ]
        prefixes = [paths for table in tables for paths in table["routes"].values()]
        return all(
            any(path.get("bestpath") for path in paths)
            or not any(path.get("valid") for path in paths)
            for paths in prefixes
        )

    def _bird(self, number: int, session: Session) -> Bird:
        # A BIRD for each: one alone would speak to an address once only.
        directory = self._routers.directory / str(number)
        directory.mkdir()
        options = [*OPTIONS]
        if (password := self._setting(session.local, "password")) is not None:
            options.append(f'password "{password}";')
        if self._setting(session.local, "ttl-security") is not None:
            options.append("ttl security yes;")
        host = replace(self._routers, directory=directory)
        return Bird(host, [session], router_id=f"198.51.100.{200 + number}", options=options)

    def frr_sent(self) -> Updates:
        """Return what the routers have got from bgpd, once it has said that this is all."""
        for address, bird in self.birds.items():
            eventually(
                lambda bird=bird: bird.process.log().count("Got END-OF-RIB"),  # type: ignore[misc]
                until=lambda count, ends=self._families[address]: count >= ends,  # type: ignore[misc]
                within=60,
                what=f"{self._families[address]} times End-of-RIB from bgpd at {address}",
            )
        return self.received()

    def end_frr(self) -> None:
        """Stop bgpd, and wait until the routers have lost it."""
        self.frr.stop()
        self.frr.zebra.stop()
        self.wait_for_end()

    def wait_for_end(self) -> None:
        """Wait until no router has a session or a route, of graceful restart neither."""
        for neighbor, bird in self.birds.items():
            bird.restart_session(self.local(neighbor))
        eventually(
            lambda: [a for a, b in self.birds.items() if any(b.sessions().values()) or b.count()],
            until=lambda left: not left,
            within=20,
            what="the end of all sessions",
        )

    def received(self) -> Updates:
        """Return what the routers have got from whoever speaks."""
        for neighbor, bird in self.birds.items():
            said = [line for line in bird.process.log().splitlines() if "<RMT>" in line]
            # Of two connections that are opened at once one is closed so (RFC 4271 §6.8).
            refused = [line for line in said if "Connection collision resolution" not in line]
            assert not refused, f"{neighbor} was sent what it refuses"
        return {
            neighbor: {
                prefix: _plain(attributes)
                for prefix, attributes in self.birds[neighbor]
                .attributes(self.local(neighbor))
                .items()
            }
            for neighbor in self.neighbors
        }


def _plain(attributes: dict[str, str]) -> dict[str, str]:
    """Return attributes without what is BIRD's own, UNSAID, and the link-local next hop.

    bgpd sends one beside the global next hop, ExaBGP none (RFC 2545 §3).
    """
    # BIRD's line of an empty AS_PATH ends with the colon.
    found = {
        name.rstrip(":"): value for name, value in attributes.items() if name.startswith("BGP.")
    }
    found = {name: value for name, value in found.items() if name not in UNSAID}
    if extended := found.get("BGP.ext_community"):
        # Each once, in any order: bgpd sends them as its route-maps came.
        found["BGP.ext_community"] = " ".join(sorted({*re.findall(r"\([^)]*\)", extended)}))
    return {**found, "BGP.next_hop": found["BGP.next_hop"].split()[0]}


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _wide(address: str) -> str:
    return f"{address}/{64 if ':' in address else 24}"
