"""Owns one speaker of a bgpd.conf and the router beside it: what the router gets, whoever speaks."""

from __future__ import annotations

import json
import re
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from tests.lab.bird import Bird
from tests.lab.eventually import eventually
from tests.lab.frr import Frr
from tests.lab.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.lab.netns import Network

Updates = dict[str, dict[str, dict[str, str]]]
"""By neighbour and prefix the attributes, in BIRD's words."""

OLD_DEFAULTS = "frr version 7.3\nfrr defaults traditional\n"
"""Has FRR treat a file of Quagga as Quagga did: no RFC 8212, no import-check."""

# BIRD is the active side too: a bgpd that found nobody waits for two minutes.
OPTIONS = (
    "passive no;",
    "connect delay time 1;",
    "connect retry time 1;",
    "allow local as 64;",
    "debug { states, packets };",
)
_SAID = re.compile(
    r"^\s*neighbor (\S+) (remote-as|peer-group|update-source|password|ttl-security)\b ?(.*?)\s*$",
    re.MULTILINE,
)


class Stage:
    """The host of a configuration, and the host of all its neighbours, on one wire.

    The neighbours' addresses are the file's. The speaker has those of update-source, and ends in .10
    and ::10 in the networks of the neighbours.
    """

    def __init__(self, network: Network, name: str, content: bytes) -> None:
        """Make the hosts and their addresses.

        Args:
            network: where they are.
            name: of the hosts, short.
            content: the configuration.
        """
        self.text = content.decode("latin-1")
        if not re.search(r"^frr version ", self.text, re.MULTILINE):
            self.text = OLD_DEFAULTS + self.text
        self._said: dict[str, dict[str, str]] = {}
        for neighbor, word, value in _SAID.findall(self.text):
            self._said.setdefault(neighbor, {}).setdefault(word, value)
        self.neighbors = [name for name in self._said if _is_address(name)]
        self.speaker, self.router = network.host(name), network.host(f"{name}-r")
        here, there = network.wire(self.speaker, self.router)
        self.speaker.add(here, *sorted({_wide(self.local(each)) for each in self.neighbors}))
        self.router.add(there, *map(_wide, self.neighbors))

    def local(self, neighbor: str) -> str:
        """Return the speaker's address towards a neighbour."""
        return self._setting(neighbor, "update-source") or str(
            ip_network(_wide(neighbor), strict=False)[0x10 if ":" in neighbor else 10]
        )

    def _setting(self, neighbor: str, word: str) -> str | None:
        own = self._said[neighbor]
        return own.get(word, self._said.get(own.get("peer-group", ""), {}).get(word))

    def begin_frr(self) -> None:
        """Start bgpd with the file as it is, and the neighbours that bgpd found in it."""
        self.frr = Frr(self.speaker, self.text)
        found = json.loads(self.frr.ask("show bgp neighbors json"))
        assert sorted(found) == sorted(self.neighbors), "bgpd found other neighbours than this test"
        sessions = [
            Session(address, peer["remoteAs"], self.local(address), peer["localAs"])
            for address, peer in found.items()
        ]
        self.bird = Bird(
            self.router,
            sessions,
            options=OPTIONS,
            own={address: self._options(address) for address in found},
            by="local",
        )

    def _options(self, neighbor: str) -> Sequence[str]:
        options = []
        if (password := self._setting(neighbor, "password")) is not None:
            options.append(f'password "{password}";')
        if self._setting(neighbor, "ttl-security") is not None:
            options.append("ttl security yes;")
        return options

    def frr_sent(self) -> Updates:
        """Return what the router has got from bgpd, once bgpd has said that this is all."""
        families = {
            address: peer["addressFamilyInfo"]
            for address, peer in json.loads(self.frr.ask("show bgp neighbors json")).items()
        }
        speaking = {address for address, of_it in families.items() if of_it}
        ends = sum(map(len, families.values()))
        eventually(
            lambda: {address for address, up in self.bird.sessions().items() if up},
            until=lambda up: up >= speaking,
            within=60,
            what=f"sessions with {speaking}",
        )
        eventually(
            lambda: self.bird.process.log().count("Got END-OF-RIB"),
            until=lambda count: count >= ends,
            within=60,
            what=f"{ends} times End-of-RIB",
        )
        return self.received()

    def received(self) -> Updates:
        """Return what the router has got from whoever speaks."""
        return {address: _plain(self.bird.attributes(address)) for address in self.neighbors}


def _plain(routes: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Return routes without what is BIRD's own, and without the link-local next hop.

    bgpd sends one beside the global next hop, ExaBGP none (RFC 2545 §3).
    """
    for attributes in routes.values():
        attributes["BGP.next_hop"] = attributes["BGP.next_hop"].split()[0]
    return {
        prefix: {name: value for name, value in attributes.items() if name.startswith("BGP.")}
        for prefix, attributes in routes.items()
    }


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _wide(address: str) -> str:
    return f"{address}/{64 if ':' in address else 24}"
