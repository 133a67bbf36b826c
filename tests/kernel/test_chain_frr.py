"""The whole chain on a real kernel, beside FRR."""

from collections.abc import Iterator

import pytest

from tests.kernel.chain import Chain
from tests.kernel.lives import Lives, before_ip_vs
from tests.kernel.rows import EVERY, SERVERS, TABLES, Realservers
from tests.support.lab.frr_site import FrrSite
from tests.support.lab.netns import Network

pytestmark = pytest.mark.guest("keepalived", "ipvsadm", "bird", "vtysh")


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    """A load balancer beside FRR; keepalived does not run yet."""
    with Network() as network:
        yield Chain(network, "frr", SERVERS, TABLES)


def test_no_ip_vs_yet(chain: Chain) -> None:
    """A watchdog that starts before ip_vs is loaded knows nothing, says so, and announces nothing."""
    before_ip_vs(chain)


class TestRealservers(Realservers):
    """Every row, beside FRR."""


class TestLives(Lives):
    """What keepalived does to IPVS does not depend on the daemon: all of it is beside ExaBGP each day."""

    by_day = frozenset(
        {
            "test_restart",
            "test_killed",
            "test_killed_and_flushed",
            "test_hup_with_changes",
            "test_the_watchdog_restarts_while_keepalived_does",
        }
    )


def test_a_pass(chain: Chain) -> None:
    """A pass beside bgpd needs keepalived, in the shell toolkit's words; with it, nothing is to do."""
    site = chain.site
    assert isinstance(site, FrrSite)
    assert site.cron() == (0, "")
    chain.keepalived.stop()
    assert site.cron() == (255, "vip_watchdog: fatal error : keepalived not running !\n")
    assert set(chain.bird.routes()) == set(EVERY)
