"""`vip_watchdog --shadow` beside a live bgpd that somebody else writes to."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.lab.eventually import eventually
from tests.support.lab.frr_site import BIN, Bench
from tests.support.lab.history import TRACE, History
from tests.support.lab.requirements import require
from tests.support.lab.site import misses, sees, vip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.lab.netns import Network
    from tests.support.lab.process import Process

FIRST, SECOND = 8081, 8082
ONE, TWO = "192.0.2.1/32", "2001:db8::2/128"
VIPS = {
    "one.tld": vip("192.0.2.1", ports=[FIRST], prefer=["par1", "lyo1"]),
    "two.tld": vip("2001:db8::2", ports=[SECOND], prefer=["lyo1", "par1"]),
}
# As the shell toolkit has them: route-maps with names of its own.
MAPS = (
    "configure terminal",
    "route-map BGP1 permit 10",
    "set as-path prepend 64699",
    "route-map BGP2 permit 10",
    "set as-path prepend 64699 64699",
    "exit",
)


@pytest.fixture
def dc(network: Network) -> Iterator[Bench]:
    """A bgpd that announces both VIPs as vip.toml says, by hand; vip.toml is for ExaBGP already."""
    require("bird", "vtysh")
    tables = {"vip": VIPS, "node": {"backend": "exabgp"}}
    dc = Bench(network, tables, up=[FIRST, SECOND], options=TRACE)
    dc.bird.wait_for_sessions()
    dc.frr.ask(*MAPS)
    toolkit(dc, f"network {ONE} route-map BGP1", six=f"network {TWO} route-map BGP2")
    sees(dc.bird, ONE, TWO)
    yield dc
    assert not [*dc.site.state.iterdir()], "the state file, its lock or a socket were made"


def toolkit(dc: Bench, line: str, *, six: str = "") -> None:
    """Write to bgpd as what runs there now does."""
    more = ["address-family ipv6", six] if six else []
    dc.frr.ask("configure terminal", "router bgp 64699", line, *more)


def shadow(dc: Bench, *options: str) -> Process:
    command = [str(BIN / "vip_watchdog"), "--config", str(dc.site.file), "--shadow", *options]
    return dc.host.spawn(command, log="shadow.log")


def says(process: Process, *patterns: str) -> None:
    """Wait until its log has lines that match, in this order, and no others."""
    prefix = "vip_watchdog: shadow: "

    def lines() -> list[str]:
        return process.log().splitlines()

    def match(seen: list[str]) -> bool:
        return len(seen) == len(patterns) and all(
            re.fullmatch(re.escape(prefix) + pattern, line)
            for pattern, line in zip(patterns, seen, strict=True)
        )

    eventually(lines, until=match, within=20, what="\n".join(patterns))


START = r"started: dc par1, 2 prefixes; nothing is written"
DEAD = r"0 realservers available behind 192\.0\.2\.1 > delete route"
HAS = r"announces as-path \[ 64699 64699 \] origin igp med 0"
BEGINS = rf"192\.0\.2\.1/32: disagreement: bgpd {HAS}; vip_watchdog would delete the route: .*"
ENDS = r"{}: bgpd and vip_watchdog agree again, after \d+ s"


def test_says_where_it_disagrees_and_changes_nothing(dc: Bench) -> None:
    """A disagreement is said when it begins, changes and ends; what bgpd has stays what others wrote."""
    before = dc.frr.ask("show running-config")
    history = History(dc.bird)
    process = shadow(dc)
    said = [START]
    says(process, *said)

    dc.site.realservers.close(FIRST)
    said += [BEGINS, DEAD]
    says(process, *said)
    assert not history.events()
    assert dc.frr.ask("show running-config") == before

    toolkit(dc, f"no network {ONE}")
    said.append(ENDS.format(ONE))
    says(process, *said)

    # Somebody announces with another route-map, which is a disagreement that changes.
    toolkit(dc, "bgp bestpath compare-routerid", six=f"network {TWO} route-map BGP1")
    said.append(
        rf"{TWO}: disagreement: bgpd {HAS}; vip_watchdog would announce as-path \[ 64699 64699 64699 \] .*"
    )
    says(process, *said)
    toolkit(dc, "bgp bestpath compare-routerid", six=f"no network {TWO}")
    said.append(rf"{TWO}: disagreement: bgpd does not announce it; vip_watchdog would announce .*")
    says(process, *said)

    process.signal(signal.SIGHUP)
    summed_up = [
        (
            r"2 prefixes, bgpd and vip_watchdog disagree on 1; since the start: 2 disagreements on "
            r"2 prefixes, the longest for \d+ s"
        ),
        rf"{TWO}: disagrees for \d+ s: bgpd does not announce it; vip_watchdog would announce .*",
    ]
    said += [*summed_up, "configuration applied: 2 prefixes"]
    says(process, *said)
    assert process.terminate() == 0
    says(process, *said, *summed_up)
    misses(dc.bird, ONE, TWO)
    assert [event.verb for event in history.events(ONE)] == ["removed"]


def test_once(dc: Bench) -> None:
    """Exit status 0 where bgpd is as decided, 2 where it is not, 255 where that can't be told."""
    process = shadow(dc, "--once")
    assert process.wait() == 0
    dc.site.realservers.close(SECOND)
    process = shadow(dc, "--once")
    assert process.wait() == 2
    assert f"{TWO}: disagreement: bgpd announces" in process.log()
    sees(dc.bird, ONE, TWO)
    dc.frr.kill()
    process = shadow(dc, "--once")
    assert process.wait() == 255
