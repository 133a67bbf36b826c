"""Many changes in a short time: in the end the far peer has exactly what it must."""

import json
import random
import shutil
from functools import partial
from operator import eq
from pathlib import Path

import tests.support.lab
from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Config, ExaBgp, Flavour
from tests.support.lab.installed import Installed
from tests.support.lab.netns import Network
from tests.support.lab.site import Site, vip

SEED = 20260
CHANGES, WIDTH = 3000, 200
VIPS, FLIPS = 20, 300
FIRST_PORT = 8100


def test_the_driver(network: Network, flavour: Flavour, installed: Installed) -> None:
    """3,000 random changes over 200 prefixes, in lines of 1 to 100: the peer has the last of each."""
    host = network.host("par1")
    link = network.link(network.host("bird"), host)
    session = link.session(64500, 64699)
    bird = Bird(link.a.namespace, [session])
    script = host.directory / "burst.py"
    shutil.copyfile(Path(tests.support.lab.__file__).with_name("burst_script.py"), script)
    script.chmod(0o644)
    result = host.directory / "result.json"
    numbers = [str(number) for number in (SEED, CHANGES, WIDTH)]
    run = [installed.program("python"), str(script), str(result), *numbers, link.b.ipv6]
    ExaBgp(host, flavour, Config([session.flipped()], run))
    bird.wait_for_sessions()
    eventually(result.exists, within=30, what="the end of the burst")
    outcome = json.loads(result.read_text())
    assert (outcome["failures"], outcome["done"]) == ([], CHANGES)
    expected = {prefix: tuple(seen) for prefix, seen in outcome["state"].items()}
    assert len(expected) > WIDTH / 4
    eventually(
        lambda: {p: (len(route.as_path), route.med) for p, route in bird.routes().items()},
        until=partial(eq, expected),
        within=10,
        what=f"{expected} at the peer",
    )


def test_the_product(network: Network, flavour: Flavour, installed: Installed) -> None:
    """Realservers flap, operators drain and restore, a session drops: health and intents decide."""
    host = network.host("par1")
    link = network.link(network.host("bird"), host)
    session = link.session(64500, 64699)
    bird = Bird(link.a.namespace, [session])
    ports = range(FIRST_PORT, FIRST_PORT + VIPS)
    prefixes = {
        port: (f"192.0.2.{number}/32", f"2001:db8::{number:x}/128")
        for number, port in enumerate(ports, start=1)
    }
    tables = {
        "health": {"interval": "50ms"},
        "vip": {
            f"vip-{port}.tld": vip(*(prefix.split("/")[0] for prefix in both), ports=[port])
            for port, both in prefixes.items()
        },
        "backend": {"exabgp": {"next_hop": {"ipv6": link.b.ipv6}}},
    }
    site = Site(host, flavour, installed, [session.flipped()], tables, up=ports)
    bird.wait_for_sessions()
    site.ready()
    chance = random.Random(SEED)
    drained: set[int] = set()
    for flip in range(FLIPS):
        port = chance.choice(ports)
        (site.realservers.close if port in site.realservers.open_ports else site.realservers.open)(
            port
        )
        if flip % 25 == 0:
            some = set(chance.sample(ports, 5))
            names = [prefix for number in some for prefix in prefixes[number]]
            wish = chance.choice(("-d", "-a"))
            drained = drained | some if wish == "-d" else drained - some
            site.mgmt(wish, *names)
        if flip == FLIPS // 2:
            bird.restart_session(link.b.ipv4)
    expected = {
        prefix for port in site.realservers.open_ports - drained for prefix in prefixes[port]
    }
    assert 0 < len(expected) < 2 * VIPS
    eventually(
        lambda: set(bird.routes()),
        until=partial(eq, expected),
        within=20,
        what=f"{expected} at the peer",
    )
    eventually(
        lambda: {p for p, route in site.routes().items() if route["announced"]},
        until=partial(eq, expected),
        within=5,
        what=f"{expected} read back",
    )
