"""A real ExaBGP that says it is of a version which is not known: named in `status`, `check` and the log; and one that gives no answers."""

import pytest

from speaker.backends.exabgp.version import UNTESTED
from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Flavour
from tests.support.lab.installed import Installed
from tests.support.lab.netns import Network
from tests.support.lab.site import Site, sees, vip

PORT, V4 = 8081, "192.0.2.1/32"
SAID = {"exabgp_version": "6.0.0rc1", "EXABGP_VERSION": "unknown-20260101+uncontrolled"}
"""What it says of itself, by the name that 5.0 reads, and by that of 4.2: each a form that 6 may have."""


def test_a_version_that_is_not_known(
    network: Network, flavour: Flavour, installed: Installed
) -> None:
    """What it understands is done; what it is, and what to install, is said wherever an operator looks."""
    here, there = network.host("par1"), network.host("bird")
    session = network.link(here, there).session(64699, 64500)
    bird = Bird(there, [session.flipped()])
    tables = {"vip": {"vip-1.tld": vip("192.0.2.1", ports=[PORT])}}
    site = Site(here, flavour, installed, [session], tables, up=[PORT], env=SAID)
    site.ready()
    sees(bird, V4, within=15)
    name = "ExaBGP 6.0.0" if flavour == "v5" else f"ExaBGP {SAID['EXABGP_VERSION']}"
    assert site.status()["daemon"] == {"name": name, "untested": UNTESTED, "known": False}
    status = site.mgmt("status").stdout
    assert f"TROUBLE: backend: {name}: {UNTESTED}" in status.splitlines()
    check = site.mgmt("check")
    assert (check.returncode, f"{name}: it is not of a version that is tested" in check.stdout) == (
        2,
        True,
    ), check.stdout
    assert f"backend: {name}: {UNTESTED}" in site.exabgp.log()
    assert "api.ack" not in status + check.stdout + site.exabgp.log()


@pytest.mark.nightly  # its answers are those of `tests/unit/backends/exabgp/test_pipe.py`
def test_without_acknowledgements(network: Network, flavour: Flavour, installed: Installed) -> None:
    """With `exabgp.api.ack=false` that setting is named, and no other version is guessed at."""
    here, there = network.host("par1"), network.host("bird")
    session = network.link(here, there).session(64699, 64500)
    tables = {"vip": {"vip-1.tld": vip("192.0.2.1", ports=[PORT])}}
    env = {"exabgp.api.ack": "false"}
    site = Site(here, flavour, installed, [session], tables, up=[PORT], env=env)
    site.ready()
    said = "backend: ExaBGP: does not answer; is exabgp.api.ack=true, and is ExaBGP not stopped?"
    eventually(site.exabgp.log, until=lambda log: said in log, within=30, what=said)
    status = site.mgmt("status").stdout
    assert f"TROUBLE: {said}" in status.splitlines()
    assert UNTESTED not in status + site.exabgp.log()
