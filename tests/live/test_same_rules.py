"""One vip.toml with checks and rules beside ExaBGP and beside FRR: the same decisions, in the same words, as soon at a far peer."""

import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import SLOW, eventually
from tests.support.lab.exabgp import Flavour
from tests.support.lab.fixtures import once
from tests.support.lab.frr import Frr, config
from tests.support.lab.frr_site import FrrSite
from tests.support.lab.history import TRACE, History
from tests.support.lab.installed import Installed
from tests.support.lab.netns import Network
from tests.support.lab.nginx import Nginx
from tests.support.lab.release import Release
from tests.support.lab.requirements import require
from tests.support.lab.site import Site, vip
from tests.support.profiles import NIGHTLY

log = logging.getLogger(__name__)
pytestmark = [once, pytest.mark.one_exabgp]
APPLICATION = "198.51.100.80"
ONE = 8081
INTERVAL, MORE = 0.2, 0.1
"""How often the application is asked, and how much later at most its fault is at the far peer, in seconds, on an idle machine."""
ROUNDS = 25 if NIGHTLY else 2
VIPS = {
    f"{name}.tld": f"192.0.2.{last}/32"
    for last, name in enumerate(("shop", "pair", "front", "back"), 1)
}
SHOP, PAIR, FRONT, BACK = VIPS.values()

_HISTORY = re.compile(r" *(history +)?[0-9-]+T[0-9:]+Z ")
_SPAN = re.compile(r"\b([0-9]+(\.[0-9]+)?(ms|s|m|h))+\b")
_NEIGHBOR = re.compile(r"\b203\.0\.113\.[0-9]+\b")


def tables(ca: Path, flags: Path) -> dict[str, Any]:
    """An application that is asked over TLS, files that programs look for, and VIPs that go by all of them."""

    def flag(name: str, **more: object) -> dict[str, object]:
        return {"exec": ["/usr/bin/test", "-e", str(flags / name)], "interval": "200ms", **more}

    addresses = {name: prefix.removesuffix("/32") for name, prefix in VIPS.items()}
    return {
        "check": {
            "shop": {
                "http": f"https://{APPLICATION}:8443/health",
                "host": "shop.tld",
                "json": {"path": "state", "equals": "up"},
                "ca": str(ca),
                "interval": f"{INTERVAL * 1000:g}ms",
                "timeout": "1s",
            },
            "spare": flag("spare", fall=2),
            "database": flag("database"),
            "maintenance": flag("maintenance"),
        },
        "rule": {
            "two": {"at_least": 2, "of": [f"check/{name}" for name in ("shop", "spare", "database")]},
            "open": {"not": "check/maintenance"},
        },
        "vip": {
            "shop.tld": {"addresses": [addresses["shop.tld"]], "rule": {"all": ["check/shop", "rule/open"]}},
            "pair.tld": {"addresses": [addresses["pair.tld"]], "rule": {"all": ["rule/open", "rule/two"]}},
            "front.tld": vip(
                addresses["front.tld"], ports=[ONE], rule={"all": ["tcp", {"any": ["check/shop", "check/spare"]}]}
            ),
            "back.tld": {
                "addresses": [addresses["back.tld"]],
                "rule": "vip/pair.tld",
                "health": {"fall": "300ms"},
            },
        },
    }  # fmt: skip


@dataclass
class Lab:
    """Two data centres with one vip.toml and one application, and the far peer of each."""

    exabgp: Site
    frr: FrrSite
    birds: tuple[Bird, Bird]
    nginx: Nginx
    flags: Path

    def set(self, **flags: bool) -> None:
        """Have files there, or not."""
        for name, there in flags.items():
            (self.flags / name).touch() if there else (self.flags / name).unlink(missing_ok=True)

    def has(self, *prefixes: str) -> None:
        """Wait until the far peer of each has just these."""
        eventually(
            lambda: [{*bird.routes()} for bird in self.birds],
            until=lambda seen: seen == [{*prefixes}] * 2,
            within=10,
            what=f"just {prefixes} at both peers",
        )

    def agree(self, **reasons: str) -> None:
        """Wait until both say the same of every VIP, and something of some."""
        wanted = {VIPS[f"{name}.tld"]: reason for name, reason in reasons.items()}
        eventually(
            lambda: [*self._differences(), *self._unsaid(wanted)],
            until=lambda found: not found,
            within=10,
            what="the same words",
        )

    def _unsaid(self, wanted: Mapping[str, str]) -> list[tuple[object, ...]]:
        """Return the reasons that are not given as they should be, after what is given."""
        found = self.frr.routes()
        pairs = [(found[prefix]["reason"], reason) for prefix, reason in wanted.items()]
        return [pair for pair in pairs if pair[0] != pair[1]]

    def _differences(self) -> list[tuple[object, ...]]:
        """Return what the two say, where it is not the same."""
        routes = (self._shown(self.exabgp.routes()), self._shown(self.frr.routes()))
        told = (self.exabgp.mgmt("explain", "all").stdout, self.frr.asked("explain", "all").stdout)
        words = [*zip_longest(*map(_words, told))]
        return [pair for pair in (routes, *words) if pair[0] != pair[1]]

    @staticmethod
    def _shown(routes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        keys = ("vip", "announced", "as_path", "health", "intent", "reason", "sources")
        return {prefix: {key: route[key] for key in keys} for prefix, route in routes.items()}


def _words(text: str) -> list[str]:
    """Return the words of an explanation, but for history, spans of time and neighbours' addresses: those are each site's own."""
    lines = [line for line in text.splitlines() if not _HISTORY.match(line)]
    return _NEIGHBOR.sub("NEIGHBOR", _SPAN.sub("SPAN", "\n".join(lines))).split()


@pytest.fixture(scope="module")
def lab_of_both(
    lab: Network,
    release: Release,
    flavour: Flavour,
    installed: Installed,
) -> Lab:
    require("bird", "nginx", "openssl", "ss")
    network = lab
    application = network.host("application")
    names = ("exabgp", "frr")
    hosts = [network.host(name) for name in names]
    links = [
        network.link(network.host(f"{name}-far"), host)
        for name, host in zip(names, hosts, strict=True)
    ]
    application.run("ip", "address", "add", f"{APPLICATION}/32", "dev", "lo")
    for host in hosts:
        link = network.link(application, host)
        host.run("ip", "route", "add", APPLICATION, "via", link.a.ipv4)
    sessions = [link.session(64500, 64699) for link in links]
    first, second = (
        Bird(link.a.namespace, [session], options=TRACE)
        for link, session in zip(links, sessions, strict=True)
    )
    nginx = Nginx(application, f"{APPLICATION}:8443", "good")
    flags = hosts[0].directory / "flags"  # where those may look that the watchdogs are
    flags.mkdir()
    wanted = tables(nginx.ca, flags)
    bgpd = Frr(hosts[1], config([sessions[1].flipped()]), root=release.root)
    frr = FrrSite(hosts[1], bgpd, wanted, up=[ONE])
    wanted["backend"] = frr.tables["backend"]
    exabgp = Site(hosts[0], flavour, installed, [sessions[0].flipped()], wanted, up=[ONE])
    frr.daemon()
    first.wait_for_sessions()
    second.wait_for_sessions()
    return Lab(exabgp, frr, (first, second), nginx, flags)


@pytest.fixture
def at(lab_of_both: Lab) -> Lab:
    """The lab with all well."""
    lab_of_both.set(spare=True, database=True, maintenance=False)
    lab_of_both.has(*VIPS.values())
    return lab_of_both


def test_one_file(at: Lab) -> None:
    """But for [node], both have the same file."""
    one, other = ({**site.tables, "node": None} for site in (at.exabgp, at.frr))
    assert one == other


def test_all_is_well(at: Lab) -> None:
    """All are announced, for the same reasons."""
    at.agree(
        shop="up: check/shop is up (HTTP 200) and check/maintenance is down (exit status 1)",
        front="up: tcp is up (1 realserver) and check/shop is up (HTTP 200)",
        back="up: vip/pair.tld is up (check/maintenance is down (exit status 1) and check/shop is up "
        "(HTTP 200) and check/spare is up (exit status 0), 2 of 3 are enough)",
    )


def test_what_fails(at: Lab) -> None:
    """An application that is down, another beside it, maintenance, silence: each is decided alike, and told alike."""
    at.nginx.say(None)
    at.has(PAIR, FRONT, BACK)
    at.agree(shop="down: check/shop is down (HTTP 503)")
    at.set(spare=False)
    at.has()
    at.agree(front="down: check/shop is down (HTTP 503) and check/spare is down (exit status 1)")
    at.nginx.say("up")
    at.has(*VIPS.values())
    at.set(spare=True, maintenance=True)
    at.has(FRONT)
    at.agree(pair="down: check/maintenance is up (exit status 0), which must not be")
    at.set(maintenance=False)
    at.has(*VIPS.values())
    at.nginx.freeze()
    at.agree(shop="health unknown, held announced: check/shop is unknown (no answer within 1 s)")
    at.has(*VIPS.values())
    at.nginx.thaw()
    at.agree()


def test_how_soon(at: Lab) -> None:
    """An application that says that it is down is withdrawn at the far peer within its check's interval, and a little more."""
    took: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        histories = [History(bird) for bird in at.birds]
        began = time.time()
        at.nginx.say(None)
        at.has(PAIR, FRONT, BACK)
        for history, found in zip(histories, took, strict=True):
            (event,) = history.events(SHOP)
            found.append(event.time - began)
        at.nginx.say("up")
        at.has(*VIPS.values())
    for found in took:  # of ExaBGP, and of FRR
        assert max(found) < SLOW * (INTERVAL + MORE)
        seconds = f"{min(found):.3f}, {median(found):.3f}, {max(found):.3f}"
        log.info("min, median, max of %d: %s s", len(found), seconds)
