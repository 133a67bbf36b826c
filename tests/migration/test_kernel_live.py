"""`--local-from-kernel`: the real kernel of the machine says from where each session goes."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from tests.support.lab.frr_site import BIN

if TYPE_CHECKING:
    from tests.support.lab.netns import Namespace, Network

BGP = """\
router bgp 64699
 network 192.0.2.1/32
 neighbor 203.0.113.1 remote-as 64500
 neighbor 198.51.100.1 remote-as 64500
 neighbor 2001:db8:ffff:1::1 remote-as 64500
 no neighbor 2001:db8:ffff:1::1 activate
 neighbor {} remote-as 64500
 address-family ipv6
  network 2001:db8::1/128
  neighbor 2001:db8:ffff:1::1 activate
"""


def _run(host: Namespace, *words: str) -> tuple[int, str]:
    """Run a command in a namespace, and return its status and what it says on stderr."""
    done = subprocess.run(host.command(*words), capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def test_each_subnet(network: Network) -> None:
    """Each neighbour gets the address of its own subnet, by a gateway too; one without a route is an error."""
    host, *routers = (network.host(name) for name in ("lb", "r1", "r2"))
    nets = (("203.0.113.{}/24", "2001:db8:ffff:1::{}/64"), ("198.51.100.{}/24",))
    for router, addresses in zip(routers, nets, strict=True):
        here, there = network.wire(host, router)
        host.add(here, *(each.format(10) for each in addresses))
        router.add(there, *(each.format(1) for each in addresses))
    host.run("ip", "route", "add", "192.0.2.128/25", "via", "198.51.100.1")
    file, out = host.directory / "quagga.conf", host.directory / "out"
    words = (str(BIN / "vip_mgmt"), "import", f"lb={file}", "--out", str(out))
    options = ("--local-from-kernel", "lb")
    file.write_text(BGP.format("192.0.2.129"))
    _, said = _run(host, *words, *options)
    text = (out / "exabgp-lb.conf").read_text()
    found = dict(
        re.findall(r"^neighbor (\S+) .*?local-address (\S+);", text, re.DOTALL | re.MULTILINE)
    )
    assert found == {
        "203.0.113.1": "203.0.113.10",
        "198.51.100.1": "198.51.100.10",
        "2001:db8:ffff:1::1": "2001:db8:ffff:1::10",
        "192.0.2.129": "198.51.100.10",
    }
    assert "neighbor 192.0.2.129: the session goes from 198.51.100.10, as this machine" in said
    file.write_text(BGP.format("10.9.9.9"))
    status, said = _run(host, *words, *options, "--force")
    assert status == 255
    assert "neighbor 10.9.9.9 (line 7): this machine has no route to it" in said
