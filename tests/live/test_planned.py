"""A planned drain on a real ExaBGP: the far peer loses the route at its time, and has it again at its end."""

from __future__ import annotations

import json
import shlex
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.runbook import blocks
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


PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "take-a-machine-out-of-service.md"


def test_begins_ends_or_is_missed(lab: Network, flavour: Flavour, installed: Installed) -> None:
    """It begins although the watchdog died meanwhile, and ends by itself; one whose time passed while nothing ran is missed."""
    host = lab.host("par1")
    link = lab.link(lab.host("bird"), host)
    session = link.session(64500, 64699)
    bird = Bird(link.a.namespace, [session])
    tables: dict[str, Any] = {"drain": {"settle": "0s", "quiet": "0s", "timeout": "1s"}}
    tables["vip"] = {f"vip-{n}.tld": vip(f"192.0.2.{n}", ports=[PORT]) for n in (1, 2)}
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
    _page_is_followed(site, bird)


def _page_is_followed(site: Site, bird: Bird) -> None:
    """Type what the page has: each command does what stands beside it, at the router too."""
    (block,) = blocks(PAGE)[""]
    shown = []
    for line in block.splitlines():
        command, *words = shlex.split(line, comments=True)
        assert command == "vip_mgmt"
        done = site.mgmt(*words)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        shown.append(done.stdout)
        if words[0] == "-d" and "--dry-run" not in words:
            misses(bird, ONE, TWO)
        else:
            sees(bird, *((ONE, TWO) if words[0] == "-a" or len(shown) == 1 else ()))
    dry, _, drained, _, back, history = shown
    assert drained.count(": new kernel") == drained.count("drained by root") == 2, (dry, drained)
    assert back.count("returning") == 2, back
    assert {"draining", "drained", "returning"} <= {*history.split()}, history
