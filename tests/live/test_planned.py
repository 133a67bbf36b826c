"""A planned drain on a real ExaBGP: the far peer loses the route at its time, and has it again at its end."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.site import Site, misses, sees, vip

if TYPE_CHECKING:
    from tests.support.lab.exabgp import Flavour
    from tests.support.lab.installed import Installed
    from tests.support.lab.netns import Network

PORT = 8081
ONE, TWO = "192.0.2.1/32", "192.0.2.2/32"

pytestmark = pytest.mark.one_exabgp


def test_begins_ends_or_is_missed(lab: Network, flavour: Flavour, installed: Installed) -> None:
    """It begins although the watchdog died meanwhile, and ends by itself; one whose time passed while nothing ran is missed."""
    host = lab.host("par1")
    link = lab.link(lab.host("bird"), host)
    session = link.session(64500, 64699)
    bird = Bird(link.a.namespace, [session])
    tables = {"vip": {f"vip-{n}.tld": vip(f"192.0.2.{n}", ports=[PORT]) for n in (1, 2)}}
    site = Site(host, flavour, installed, [session.flipped()], tables, up=[PORT])
    sees(bird, ONE, TWO, within=15)
    began = time.time()
    done = site.mgmt("-d", "vip-1.tld", "--at", "+4s", "--for", "6s", "--reason", "kernel")
    assert (done.returncode, "vip_mgmt cancel 1" in done.stderr) == (0, True), done.stderr
    site.end_watchdog(signal.SIGKILL)
    sees(bird, ONE)
    misses(bird, ONE, within=10)
    assert time.time() >= began + 4
    sees(bird, ONE, within=15)
    assert time.time() >= began + 10
    told = json.loads(site.mgmt("history", "--json", ONE).stdout)
    events = [entry["event"] for entry in told]
    assert [e for e in events if e in {"scheduled", "started", "drained", "expired"}] == [
        *("scheduled", "started", "drained", "expired")
    ]
    assert site.mgmt("-d", TWO, "--at", "+2s", "--late", "1s").returncode == 0
    site.exabgp.terminate()
    over = time.time() + 3.5
    eventually(time.time, until=lambda now: now > over, within=5, what="a window that is over")
    site.restart()
    sees(bird, ONE, TWO, within=15)
    eventually(
        lambda: site.mgmt("status").stdout,
        until=lambda said: "TROUBLE: windows: window 2 of root was missed" in said,
        within=5,
        what="that it was missed",
    )
    assert site.mgmt("cancel", "2").returncode == 0
    assert json.loads(site.mgmt("schedule", "--json").stdout) == []
    sees(bird, TWO)
