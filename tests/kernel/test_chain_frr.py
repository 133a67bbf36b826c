"""The whole chain on a real kernel, beside FRR."""

from collections.abc import Iterator

import pytest

from tests.kernel.chain import Chain
from tests.kernel.rows import SERVERS, TABLES, Rows
from tests.lab.netns import Network

pytestmark = pytest.mark.guest


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    """A load balancer beside FRR; keepalived does not run yet."""
    with Network() as network:
        yield Chain(network, "frr", SERVERS, TABLES)


class TestRows(Rows):
    """Every row, beside FRR."""
