"""The lab's own faults are what they are called: each direction of a port or trunk can be cut alone, and a slow one delays."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.lab.etcd import EtcdCluster
from tests.support.lab.fabric import Fabric, Port, Trunk
from tests.support.lab.netns import Namespace, Network
from tests.support.lab.requirements import require
from tests.support.lab.slow_link_script import DELAY

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMES = 4


class Lan:
    """A host at the first place, which pings the member of etcd at the second."""

    def __init__(self, network: Network) -> None:
        cluster = EtcdCluster(network)
        self.host, self.far = network.host("host"), cluster.members[1]
        fabric = Fabric(network, cluster, ("par1", "lyo1", "tie1"))
        self.ways: dict[str, Port | Trunk] = {
            "port": fabric.join(self.host, "par1", 21),
            "trunk": fabric.trunks["par1"],
        }
        self.trunk = fabric.trunks["par1"]

    def ping(self) -> str:
        """Return what ping says; whether there are answers or not."""
        words = f"ping -c {TIMES} -i 0.05 -W 1 -w 2 {self.far.address} || true"
        return self.host.run("sh", "-c", words)

    def passed(self) -> tuple[bool, bool]:
        """Ping, and return whether that arrived, and whether an answer did."""
        before = echoes(self.far.host), answers(self.host)
        self.ping()
        return echoes(self.far.host) > before[0], answers(self.host) > before[1]


def counted(host: Namespace, name: str) -> int:
    """Return one of the kernel's counters of ICMP."""
    names, values = re.findall(r"^Icmp: (.*)$", host.run("cat", "/proc/net/snmp"), re.MULTILINE)
    return int(dict(zip(names.split(), values.split(), strict=True))[name])


def echoes(host: Namespace) -> int:
    """Return how many pings reached a host."""
    return counted(host, "InEchos")


def answers(host: Namespace) -> int:
    """Return how many answers to its pings reached a host."""
    return counted(host, "InEchoReps")


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    """One for all."""
    require("etcd", "ping")
    with Network() as network:
        yield Lan(network)


@pytest.mark.parametrize("where", ["port", "trunk"])
def test_one_direction(lan: Lan, where: str) -> None:
    """Who is deaf is heard, and who is mute is not; both are whole again afterwards."""
    way = lan.ways[where]
    assert lan.passed() == (True, True)
    way.deafen()
    assert lan.passed() == (True, False)
    way.restore()
    assert lan.passed() == (True, True)
    way.mute()
    assert lan.passed() == (False, False)
    way.restore()
    assert lan.passed() == (True, True)


def test_slow(lan: Lan) -> None:
    """On a slow trunk each way takes its time; it is as fast as before afterwards."""
    lan.trunk.slow()
    found = [float(each) for each in re.findall(r"time=([\d.]+) ms", lan.ping())]
    assert found
    assert min(found) >= 2000 * DELAY
    lan.trunk.restore()
    assert lan.passed() == (True, True)
