"""The program's files are replaced under a watchdog that runs, as apt does: it goes on until it is started again."""

import shutil
from pathlib import Path

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Flavour
from tests.support.lab.installed import Installed
from tests.support.lab.netns import Network
from tests.support.lab.site import Site, misses, sees, vip

pytestmark = pytest.mark.one_exabgp
PORT = 8081
ONE, TWO = "192.0.2.1/32", "192.0.2.2/32"
SOFTLY = {"settle": "100ms", "quiet": "100ms", "timeout": "500ms", "return": "100ms"}


def _copied(installed: Installed, to: Path) -> None:
    (packages,) = installed.directory.glob("lib/python3*/site-packages")
    for name in ("speaker", "policy"):
        shutil.copytree(packages / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))


def test_files_of_another_version(lab: Network, flavour: Flavour, installed: Installed) -> None:
    """What is asked of it for the first time works as it did: a soft drain, a reload with other parts, `explain`; what dies goes."""
    host = lab.host("par1")
    link = lab.link(lab.host("bird"), host)
    session = link.session(64500, 64699)
    bird = Bird(link.a.namespace, [session])
    program = host.directory / "program"
    _copied(installed, program)
    wrapper = ["/usr/bin/env", f"PYTHONPATH={program}", "PYTHONDONTWRITEBYTECODE=1"]
    vips = {
        name: vip(prefix[:-3], ports=[PORT])
        for name, prefix in (("one.tld", ONE), ("two.tld", TWO))
    }
    tables = {"vip": vips, "drain": SOFTLY}
    sessions = [session.flipped()]
    site = Site(host, flavour, installed, sessions, tables, up=[PORT], wrapper=wrapper)
    sees(bird, ONE, TWO, within=15)
    for file in program.rglob("*.py"):
        file.write_text("raise ImportError('of another version')\n")

    pid = site.reconciler
    drained = site.mgmt("-d", "one.tld", "--soft")
    assert drained.returncode == 0, drained.stderr
    misses(bird, ONE)
    site.configure(
        {
            "check": {"own": {"exec": ["/usr/bin/true"]}},
            "vip": {"two.tld": {"rule": {"all": ["tcp", "check/own"]}}},
            "metrics": {"listen": "127.0.0.1:9180"},
        }
    )
    reloaded = site.mgmt("reload")
    assert reloaded.returncode == 0, reloaded.stderr
    eventually(
        lambda: site.routes()[TWO]["reason"],
        until=lambda reason: "check/own is up" in reason,
        within=10,
        what="the new rule",
    )
    assert "check/own" in site.mgmt("explain", "two.tld").stdout
    site.realservers.close(PORT)
    misses(bird, TWO)
    assert site.reconciler == pid
    assert "another version" not in site.exabgp.log()
