"""`par1=@running`, and `compare @running`, beside a real FRR and a real kernel: nothing but the command line is needed."""

from __future__ import annotations

import re
import subprocess
import tomllib
from typing import TYPE_CHECKING

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.frr import Frr, config
from tests.support.lab.frr_site import BIN
from tests.support.lab.requirements import require
from tests.support.lab.session import Session
from tests.support.lab.site import toml

if TYPE_CHECKING:
    from tests.support.lab.netns import Network

SESSION = Session("203.0.113.10", 64699, "203.0.113.1", 64500, families=("ipv4",))


def test_running(network: Network) -> None:
    """Addresses on `lo`, a network line, and the session's address: all as the machine has them, and no file.

    The session goes from where the kernel says, which is not the interface's first address.
    """
    require("vtysh", "bird")
    host, router = network.host("lb"), network.host("r1")
    here, there = network.wire(host, router)
    host.add(here, "203.0.113.9/24", "203.0.113.10/24")
    host.run("ip", "route", "replace", "203.0.113.0/24", "dev", here, "src", "203.0.113.10")
    router.add(there, "203.0.113.1/24")
    for address in ("192.0.2.1/32", "192.0.2.2/32"):
        host.run("ip", "address", "add", address, "dev", "lo")
    maps = ["ip prefix-list VIPS seq 5 permit 192.0.2.0/24 ge 32"]
    maps += ["route-map VIPS permit 10", " match ip address prefix-list VIPS", "exit"]
    family = ["redistribute connected route-map VIPS", "network 198.51.100.1/32"]
    bird = Bird(router, [SESSION.flipped()])
    frr = Frr(host, config([SESSION], ipv4=family, before=maps))
    out = host.directory / "out"
    words = (str(BIN / "vip_mgmt"), "import", "par1=@running", "--out", str(out))
    argv = host.command(*words, "--vtysh", str(frr.vtysh))
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "@running: read as FRR's: `show version` says so" in done.stderr
    tables = tomllib.loads((out / "vip.toml").read_text())
    assert sorted(address for vip in tables["vip"].values() for address in vip["addresses"]) == [
        "192.0.2.1",
        "192.0.2.2",
        "198.51.100.1",
    ]
    assert re.search(
        r"neighbor 203.0.113.1 .*local-address 203.0.113.10;",
        (out / "exabgp-par1.conf").read_text(),
        re.DOTALL,
    )
    file = out / "vip.toml"
    tables["backend"] = {"quagga": {"vtysh": str(frr.vtysh)}}
    file.write_text(toml(tables))
    eventually(
        bird.count, until=lambda count: count == 3, within=20, what="all three at the router"
    )
    question = ("compare", "@running", "--config", str(file))

    def compared() -> subprocess.CompletedProcess[str]:
        argv = host.command(str(BIN / "vip_mgmt"), *question)
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)

    done = compared()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all 3 UPDATEs are equal" in done.stdout
    # What bgpd has sent counts: a network that the machine has no route for is in its configuration, and not sent.
    frr.ask("configure terminal", "router bgp 64699", "bgp network import-check")
    eventually(bird.count, until=lambda count: count == 2, within=20, what="one less at the router")
    done = compared()
    assert done.returncode == 2, done.stdout + done.stderr
    assert (
        "203.0.113.1: 198.51.100.1/32: bgpd has sent nothing; its configuration says" in done.stdout
    )
    assert "1 of 3 UPDATEs differ" in done.stdout
