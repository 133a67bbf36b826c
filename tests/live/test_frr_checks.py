"""Checks beside FRR without a watchdog that stays, of which `test_same_rules.py` is: a pass of cron, and an operator."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.lab.fixtures import once
from tests.support.lab.frr_site import Bench
from tests.support.lab.netns import Network
from tests.support.lab.release import Release
from tests.support.lab.requirements import require
from tests.support.lab.site import misses, sees, vip

pytestmark = once
ONE = 8081
V4 = "192.0.2.1/32"


@pytest.fixture(scope="module")
def flag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file: while it is there, the application is well."""
    path = tmp_path_factory.mktemp("application") / "up"
    path.touch()
    return path


@pytest.fixture(scope="module")
def dc(release_network: Network, release: Release, flag: Path) -> Bench:
    require("bird")
    check = {"exec": ["/usr/bin/test", "-e", str(flag)], "interval": "200ms", "fall": 3}
    rule = {"all": ["tcp", "check/flag"]}
    tables: dict[str, Any] = {
        "check": {"flag": check},
        "vip": {"vip-1.tld": vip("192.0.2.1", ports=[ONE], rule=rule)},
    }
    made = Bench(release_network, tables, up=[ONE], root=release.root)
    made.bird.wait_for_sessions()
    return made


def test_it_goes_and_comes(dc: Bench, flag: Path) -> None:
    """A pass of cron asks until the answer is known: the peer has what the rule says."""
    flag.touch()
    dc.site.passes()
    sees(dc.bird, V4)
    flag.unlink()
    dc.site.passes()
    misses(dc.bird, V4)
    assert "check/flag is down (exit status 1)" in dc.site.routes("vip-1.tld")[V4]["reason"]
    flag.touch()
    dc.site.passes()
    sees(dc.bird, V4)


def test_an_operator_restores_by_what_a_check_says(dc: Bench, flag: Path) -> None:
    """Without a watchdog, `-a` asks the application: one that is down stays withdrawn; `-d` asks nobody."""
    flag.touch()
    dc.site.passes()
    sees(dc.bird, V4)
    assert dc.site.mgmt("-d", "vip-1.tld")[0] == 0
    misses(dc.bird, V4)
    flag.unlink()
    status, said = dc.site.mgmt("-a", "vip-1.tld")
    assert (status, "check/flag is down" in said) == (1, True)
    flag.touch()
    status, said = dc.site.mgmt("-a", "vip-1.tld")
    assert status == 0, said
    sees(dc.bird, V4)
