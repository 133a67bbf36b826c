"""Owns the places of a LAN of etcd: a switch for each, joined by trunks, of which every port and every trunk can be cut.

A port that is cut has no carrier at its host's end, as with a pulled cable. A trunk that is cut goes without a word: who is
behind it hears nothing any more, and what it sends is lost.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.lab.etcd import LAN, EtcdCluster
from tests.support.lab.netns import Namespace, Network
from tests.support.lab.process import Process

_LEARN, _FORGET = ("learning", "on"), ("learning", "off", "fdb_flush")
_FLOODS = ("flood", "bcast_flood", "mcast_flood")


@dataclass(frozen=True, slots=True)
class Port:
    """A device of the switches that can be cut, wholly or in one direction, and restored."""

    switches: Namespace
    device: str

    def cut(self) -> None:
        """Let nothing through."""
        self._set("down")

    def deafen(self) -> None:
        """Let nothing through to who is behind it, who is still heard."""
        self._set("type", "bridge_slave", *_floods("off"), *_FORGET)

    def mute(self) -> None:
        """Let nothing through from who is behind it, who still hears."""
        self._set("type", "bridge_slave", "locked", "on", *_FORGET)

    def restore(self) -> None:
        """Let all through again."""
        self._set("up", "type", "bridge_slave", "locked", "off", *_floods("on"), *_LEARN)

    def _set(self, *words: str) -> None:
        self.switches.run("ip", "link", "set", self.device, *words)


def _floods(state: str) -> list[str]:
    """Return words that have a switch send what is for nobody it knows out of a port as well, or not."""
    return [word for each in _FLOODS for word in (each, state)]


@dataclass(eq=False, slots=True)
class Trunk:
    """What joins a place to the hub: a port, and beside it a slow way, which takes turns with it."""

    port: Port
    taps: tuple[str, str]
    _slow: Process | None = field(default=None, init=False)

    def cut(self) -> None:
        """Let nothing through."""
        self.port.cut()

    def deafen(self) -> None:
        """Let nothing through to the place."""
        self.port.deafen()

    def mute(self) -> None:
        """Let nothing through from the place."""
        self.port.mute()

    def slow(self) -> None:
        """Have each packet take its time, and lose some: by a process, as not every kernel has netem."""
        self.port.cut()  # first, for two ways at once would be a loop
        script = Path(__file__).with_name("slow_link_script.py")
        argv = [sys.executable, str(script), *self.taps]
        self._slow = self.port.switches.spawn(argv, log=f"slow-{self.taps[0]}.log")
        self._set_taps("up")

    def restore(self) -> None:
        """Let all through again, at once."""
        if self._slow is not None:
            assert self._slow.alive, self._slow.log()
            self._set_taps("down")
            self._slow.stop()
            self._slow = None
        self.port.restore()

    def _set_taps(self, state: str) -> None:
        for each in self.taps:
            self.port.switches.run("ip", "link", "set", each, state)


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
        self.trunks: dict[str, Trunk] = {}
        self.members: dict[str, Port] = {}
        for number, place in enumerate(places):
            self._hub.run("ip", "link", "add", place, "type", "bridge")
            self._hub.run("ip", "link", "set", place, "up")
            here, there = network.wire(self._hub, self._hub)
            self._plug(here, place)
            self._plug(there, "br0")
            taps = f"near{number}", f"far{number}"
            for tap, switch in zip(taps, (place, "br0"), strict=True):
                self._hub.run("ip", "tuntap", "add", tap, "mode", "tap")
                self._plug(tap, switch)
            self.trunks[place] = Trunk(Port(self._hub, there), taps)
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
