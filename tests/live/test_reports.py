"""An application reports how it is, over HTTP: what the far peer has then, over reloads, restarts and silence."""

import hashlib
import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Flavour
from tests.support.lab.installed import Installed
from tests.support.lab.netns import Network
from tests.support.lab.requirements import require
from tests.support.lab.site import Site, misses, sees

pytestmark = pytest.mark.one_exabgp
SHOP = "192.0.2.1/32"
TOKEN = "a" * 64
WHERE = "127.0.0.1:9181"


@dataclass
class Lab:
    """A data centre where an application reports, and a far peer."""

    site: Site
    bird: Bird

    def report(self, state: str, ttl: str = "5m", reason: str = "") -> None:
        """Report, as soon as that can be done: by curl, with a token."""
        body = json.dumps({"state": state, "ttl": ttl, "reason": reason})
        head = f"Authorization: Bearer {TOKEN}"
        words = ("curl", "--fail", "--silent", "--retry", "20", "--retry-connrefused")
        again = ("--retry-delay", "1", "--max-time", "60", "-X", "PUT", "-H", head, "-d", body)
        self.site.host.run(*words, *again, f"http://{WHERE}/v1/reports/shop")

    def says(self, *words: str) -> None:
        """Wait until `status` gives a reason with some words in it."""
        eventually(
            lambda: str(self.site.routes("shop.tld")[SHOP]["reason"]),
            until=lambda reason: all(word in reason for word in words),
            within=5,
            what=f"{words} in the reason",
        )


@pytest.fixture(scope="module")
def shared(lab: Network, flavour: Flavour, installed: Installed) -> Lab:
    require("curl")
    host = lab.host("par1")
    link = lab.link(lab.host("bird"), host)
    session = link.session(64500, 64699)
    bird = Bird(link.a.namespace, [session])
    tokens = host.directory / "tokens"
    tokens.write_text(f"app sha256:{hashlib.sha256(TOKEN.encode()).hexdigest()}\n")
    tokens.chmod(0o644)
    tables = {
        "report": {"shop": {}},
        "api": {
            "listen": [WHERE],
            "tokens_file": str(tokens),
            "tokens": {"app": {"report": ["shop"]}},
        },
        "vip": {"shop.tld": {"addresses": ["192.0.2.1"], "rule": "report/shop"}},
    }
    site = Site(host, flavour, installed, [session.flipped()], tables)
    bird.wait_for_sessions()
    return Lab(site, bird)


@pytest.fixture
def at(shared: Lab) -> Iterator[Lab]:
    """The lab with the VIP announced."""
    shared.report("up")
    sees(shared.bird, SHOP)
    yield shared
    shared.report("up")
    sees(shared.bird, SHOP)


def test_down(at: Lab) -> None:
    """What is reported down is withdrawn, with the reason and who said it."""
    at.report("down", reason="disk full")
    misses(at.bird, SHOP)
    at.says("report/shop is down (by app: disk full)")
    assert "down by app for 5m: disk full" in at.site.mgmt("history").stdout


def test_a_restart(at: Lab) -> None:
    """A watchdog that is killed and starts again knows what was reported: nothing comes back by that, and nothing goes."""
    at.report("down")
    misses(at.bird, SHOP)
    at.site.end_watchdog(signal.SIGKILL)
    at.says("report/shop is down (by app)")
    misses(at.bird, SHOP)


def test_silence(at: Lab) -> None:
    """A report that expires is unknown, and the VIP stays; with `expired = "down"` it goes."""
    at.report("up", "1s")
    at.says("report/shop is unknown", "expired at")
    sees(at.bird, SHOP)
    at.site.configure({"report": {"shop": {"expired": "down"}}})
    at.site.reload()
    misses(at.bird, SHOP)
    at.site.configure({"report": {"shop": {"expired": "unknown"}}})
    at.site.reload()


def test_by_hand(at: Lab) -> None:
    """`vip_mgmt report` needs no token."""
    at.site.mgmt("report", "shop", "down", "--ttl", "5m")
    misses(at.bird, SHOP)
    assert "down" in at.site.mgmt("report").stdout
