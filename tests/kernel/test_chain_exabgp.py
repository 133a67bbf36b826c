"""The whole chain on a real kernel, beside ExaBGP."""

from collections.abc import Iterator

import pytest

from tests.kernel.chain import Chain
from tests.kernel.lives import Lives, before_ip_vs
from tests.kernel.rows import SERVERS, TABLES, Realservers
from tests.support.lab.netns import Network

pytestmark = pytest.mark.guest("keepalived", "ipvsadm", "bird")


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    """A load balancer beside ExaBGP; keepalived does not run yet."""
    with Network() as network:
        yield Chain(network, "exabgp v5", SERVERS, TABLES)


def test_no_ip_vs_yet(chain: Chain) -> None:
    """A watchdog that starts before ip_vs is loaded knows nothing, says so, and announces nothing."""
    before_ip_vs(chain)


class TestRealservers(Realservers):
    """Every row, beside ExaBGP."""


class TestLives(Lives):
    """Every row, beside ExaBGP."""
