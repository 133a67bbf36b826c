"""An application behind a VIP says how it is, over TLS, and fails in every way: what the far peer has then."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Flavour
from tests.support.lab.history import TRACE, History
from tests.support.lab.installed import Installed
from tests.support.lab.netns import Network
from tests.support.lab.nginx import Nginx
from tests.support.lab.requirements import require
from tests.support.lab.site import Site, misses, sees

pytestmark = pytest.mark.one_exabgp
SHOP, FRONT = "192.0.2.1/32", "192.0.2.2/32"
ADDRESS = "192.0.2.1"


def tables(ca: str, **more: object) -> dict[str, object]:
    """The application must say that it is up; another VIP goes with it."""
    check = {
        "http": "https://{address}:8443/health",
        "host": "shop.tld",
        "json": {"path": "state", "equals": "up"},
        "ca": ca,
        "interval": "200ms",
        "timeout": "1s",
        **more,
    }
    return {
        "check": {"shop": check},
        "rule": {"web": {"all": ["check/shop"]}},
        "vip": {
            "shop.tld": {"addresses": [ADDRESS], "rule": "rule/web"},
            "front.tld": {"addresses": ["192.0.2.2"], "rule": {"not": {"not": "vip/shop.tld"}}},
        },
    }


@dataclass
class Lab:
    """A data centre with its application, and a far peer."""

    site: Site
    bird: Bird
    nginx: Nginx

    def reason(self) -> str:
        return str(self.site.routes("shop.tld")[SHOP]["reason"])

    def says(self, *words: str) -> None:
        """Wait until `status` gives a reason with some words in it."""
        eventually(
            self.reason,
            until=lambda reason: all(word in reason for word in words),
            within=5,
            what=f"{words} in the reason",
        )


@pytest.fixture(scope="module")
def shared(lab: Network, flavour: Flavour, installed: Installed) -> Lab:
    require("nginx", "openssl", "ss")
    host = lab.host("par1")
    link = lab.link(lab.host("bird"), host)
    session = link.session(64500, 64699)
    bird = Bird(link.a.namespace, [session], options=TRACE)
    host.run("ip", "address", "add", f"{ADDRESS}/32", "dev", "lo")
    nginx = Nginx(host, f"{ADDRESS}:8443", "good")
    site = Site(host, flavour, installed, [session.flipped()], tables(str(nginx.ca)))
    bird.wait_for_sessions()
    return Lab(site, bird, nginx)


@pytest.fixture
def at(shared: Lab) -> Iterator[Lab]:
    """The lab with everything announced."""
    sees(shared.bird, SHOP, FRONT)
    yield shared
    sees(shared.bird, SHOP, FRONT)


def test_it_says_that_it_is_down(at: Lab) -> None:
    """Another status, or another value in its JSON, withdraws, with a reason; and the VIP that goes with it, too."""
    at.nginx.say(None)
    misses(at.bird, SHOP, FRONT)
    at.says("down: check/shop is down (HTTP 503)")
    shown = at.site.routes("front.tld")[FRONT]
    assert shown["sources"] == {"vip/shop.tld": "down"}
    at.nginx.say("draining")
    at.says('state is "draining", not "up"')
    at.nginx.say("up")


def test_it_dies(at: Lab) -> None:
    """A dead server refuses connections: withdrawn; announced again when it is back."""
    at.nginx.stop()
    misses(at.bird, SHOP)
    at.says("connection refused")
    at.nginx.start()


@pytest.mark.parametrize("how", ["reload", "restart"])
def test_restored_before_it_was_asked(at: Lab, how: str) -> None:
    """What is dead is not announced for a moment by `-a` before its check has counted, after a reload or a start."""
    slowly = {"interval": "1s", "fall": 2}
    at.nginx.say(None)
    at.says("down: check/shop is down (HTTP 503)")
    misses(at.bird, SHOP)
    at.site.configure(tables(str(at.nginx.ca), **slowly))
    history = History(at.bird)
    history.start()
    if how == "reload":
        at.site.reload()
    else:
        at.site.end_watchdog(signal.SIGKILL)
    restored = at.site.mgmt("-a", ADDRESS)
    assert restored.returncode == 1
    assert f"{SHOP}: stays withdrawn" in restored.stderr
    at.says("down: check/shop is down (HTTP 503)")
    assert not history.events(SHOP)
    at.site.configure(tables(str(at.nginx.ca), fall=None))
    at.nginx.say("up")
    assert at.site.mgmt("reload").returncode == 0


def test_it_hangs(at: Lab) -> None:
    """A server that says nothing is unknown, and the VIP stays as it was; `on_timeout` may say otherwise."""
    at.nginx.freeze()
    at.says("health unknown, held announced", "no answer within 1 s")
    sees(at.bird, SHOP, FRONT)
    at.site.configure(tables(str(at.nginx.ca), on_timeout="down"))
    at.site.reload()
    misses(at.bird, SHOP, FRONT)
    at.nginx.thaw()
    sees(at.bird, SHOP, FRONT)
    at.site.configure(tables(str(at.nginx.ca), on_timeout=None))
    at.site.reload()


@pytest.mark.parametrize(
    ("name", "host", "days", "why"),
    [("old", "shop.tld", -1, "expired"), ("other", "other.tld", 30, "shop.tld")],
)
def test_certificates(at: Lab, name: str, host: str, days: int, why: str) -> None:
    """One that has expired, or is of another name, is not accepted."""
    at.nginx.certificates.make(name, host, days)
    at.nginx.show(name)
    misses(at.bird, SHOP)
    at.says("its certificate is not accepted", why)
    at.nginx.show("good")


def test_what_is_told(at: Lab) -> None:
    """`status --json` has the sources, `explain` what each says and the rule."""
    assert at.site.routes("shop.tld")[SHOP]["sources"] == {"check/shop": "up"}
    said = " ".join(at.site.mgmt("explain", "shop.tld").stdout.split())
    assert "up, by its rule all(check/shop): check/shop is up (HTTP 200)" in said
    assert "check/shop: up for" in said
    assert "it asks GET http" in said
    assert "withdrawn when all(check/shop) is down" in said


def test_a_restart(at: Lab) -> None:
    """A watchdog that starts knows nothing, and withdraws nothing for that; nor is it wrong for long."""
    at.says("up: check/shop is up")  # else it is killed before it recorded that
    at.nginx.freeze()
    at.site.end_watchdog(signal.SIGKILL)
    at.says("health unknown, held announced")
    sees(at.bird, SHOP)
    at.nginx.thaw()
    at.says("up: check/shop is up")
