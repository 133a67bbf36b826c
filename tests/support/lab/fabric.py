"""Owns the places of a LAN of etcd: a switch for each, joined by trunks, of which every port and every trunk can be cut.

A port that is cut has no carrier at its host's end, as with a pulled cable. A trunk that is cut goes without a word: who is
behind it hears nothing any more, and what it sends is lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.lab.etcd import LAN, EtcdCluster
from tests.support.lab.netns import Namespace, Network


@dataclass(frozen=True, slots=True)
class Port:
    """A device of the switches that can be cut, and restored."""

    switches: Namespace
    device: str

    def cut(self) -> None:
        """Let nothing through."""
        self.switches.run("ip", "link", "set", self.device, "down")

    def restore(self) -> None:
        """Let all through again."""
        self.switches.run("ip", "link", "set", self.device, "up")


class Fabric:
    """The cluster's LAN, with a switch for each place, where one member is; its hub is between them."""

    def __init__(self, network: Network, cluster: EtcdCluster, places: Sequence[str]) -> None:
        """Make the switches, and move the members to them.

        Args:
            network: where they are.
            cluster: with one member for each place, and nobody else on its LAN.
            places: their names.
        """
        self._network, self._hub = network, cluster.hub
        self.trunks: dict[str, Port] = {}
        self.members: dict[str, Port] = {}
        for number, place in enumerate(places):
            self._hub.run("ip", "link", "add", place, "type", "bridge")
            self._hub.run("ip", "link", "set", place, "up")
            here, there = network.wire(self._hub, self._hub)
            self._plug(here, place)
            self._plug(there, "br0")
            self.trunks[place] = Port(self._hub, there)
            # Nobody else has been joined: a member's device has its number.
            self.members[place] = Port(self._hub, f"link{number}")
            self._plug(f"link{number}", place)

    def join(self, host: Namespace, place: str, number: int) -> Port:
        """Give a host a port at a place, and the address of a number on the LAN."""
        port, device = self._network.wire(self._hub, host)
        host.add(device, f"{LAN}.{number}/24")
        self._plug(port, place)
        return Port(self._hub, port)

    def _plug(self, device: str, switch: str) -> None:
        self._hub.run("ip", "link", "set", device, "master", switch)
