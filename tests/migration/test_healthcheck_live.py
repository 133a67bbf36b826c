"""ExaBGP's own healthcheck program, then vip_watchdog by what was imported of it: the far peer sees the same."""

from __future__ import annotations

import os
import subprocess
import tomllib
from typing import TYPE_CHECKING, Any

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import ExaBgp
from tests.support.lab.frr_site import BIN
from tests.support.lab.installed import NOBODY
from tests.support.lab.requirements import require
from tests.support.lab.session import SeenRoute, Session
from tests.support.lab.site import toml

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.lab.installed import Installed
    from tests.support.lab.netns import Network


SESSION = Session("203.0.113.10", 64699, "203.0.113.1", 64500, families=("ipv4",))
CONF = """\
process web {{
    run {python} -m exabgp healthcheck --cmd "/usr/bin/test -e {up}" --ip 192.0.2.1 --ip 192.0.2.2
        --up-metric 10 --increase 5 --community 64500:100 --as-path "64699 64699" --disable {off}
        --interval 0.2 --fast-interval 0.2 --rise 2 --fall 2 --withdraw-on-down --no-ip-setup;
    encoder text;
}}
neighbor 203.0.113.1 {{
    router-id 203.0.113.10; local-address 203.0.113.10; local-as 64699; peer-as 64500;
    family {{ ipv4 unicast; }}
    api {{ processes [ web ]; }}
}}
"""
OURS = """\
process vip-speaker {{ run {watchdog} --config {config}; encoder json; respawn true; }}
"""


def seen(bird: Bird, expected: int) -> dict[str, SeenRoute]:
    """Wait until the far peer has so many routes, and return them."""
    return eventually(
        bird.routes, until=lambda found: len(found) == expected, within=20, what="the routes"
    )


def states(bird: Bird, up: Path, off: Path) -> dict[str, SeenRoute]:
    """Go through up, down, up, disabled and up; return what is announced while up, which is the same each time."""
    found = seen(bird, 2)
    up.unlink()
    assert seen(bird, 0) == {}
    up.touch()
    assert seen(bird, 2) == found
    off.touch()
    assert seen(bird, 0) == {}
    off.unlink()
    assert seen(bird, 2) == found
    return found


def test_same_in_each_state(network: Network, installed: Installed) -> None:
    """Up, down and disabled: what healthcheck announces vip_watchdog announces, and withdraws what it withdraws."""
    require("bird", flavours=("v5",))
    host, router = network.host("lb"), network.host("r1")
    here, there = network.wire(host, router)
    host.add(here, "203.0.113.10/24")
    router.add(there, "203.0.113.1/24")
    bird = Bird(router, [SESSION.flipped()])
    folder = host.directory / "files"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    up, off, out = folder / "up", folder / "off", host.directory / "out"
    up.touch()
    python = installed.program("python")
    text = CONF.format(python=python, up=up, off=off).replace("\n        ", " \\\n        ")
    file = folder / "exabgp.conf"
    file.write_text(text)
    healthcheck = ExaBgp(host, "v5", text)
    before = states(bird, up, off)
    assert {prefix: route.med for prefix, route in before.items()} == {
        "192.0.2.1/32": 10,
        "192.0.2.2/32": 15,
    }
    words = ["import", "--healthcheck", f"par1={file}", "--out", str(out)]
    done = subprocess.run(
        [str(BIN / "vip_mgmt"), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr  # the only data centre: no backup
    assert "the UPDATEs are equal in every state" in done.stdout
    healthcheck.terminate()
    seen(bird, 0)
    tables: dict[str, Any] = tomllib.loads((out / "vip.toml").read_text())
    tables["node"] |= {"state": str(folder / "state.sqlite3"), "control": str(folder / "socket")}
    config = folder / "vip.toml"
    config.write_text(toml(tables))
    process = OURS.format(watchdog=installed.program("vip_watchdog"), config=config)
    neighbor = text[text.index("neighbor") :].replace(
        "processes [ web ];",
        "processes [ vip-speaker ]; neighbor-changes; send { parsed; update; }",
    )
    ExaBgp(host, "v5", process + neighbor)
    assert states(bird, up, off) == before
