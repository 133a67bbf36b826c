"""How soon the peer has lost a VIP whose realserver keepalived removed; and a thousand VIPs at once."""

import statistics
from collections.abc import Callable, Iterator

import pytest

from tests.kernel.delay import Stage, shown, stage
from tests.lab.eventually import eventually

pytestmark = pytest.mark.guest
RARELY, OFTEN = 30.0, 1.0
"""Intervals, in seconds."""
PATIENCE = 5.0


@pytest.fixture(scope="module", params=[1, 1000], ids="vips-{}".format)
def at(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The chain beside ExaBGP, with all VIPs announced."""
    with stage("exabgp v5", request.param, f"{RARELY:g}s") as made:
        made.keepalived(fifo=True)
        yield made


def test_with_the_fifo(at: Stage, record_property: Callable[[str, object], None]) -> None:
    """An event is looked after at once: the interval, which is long, has no part in it."""
    taken = at.losses(7)
    record_property(f"removal to loss, {at.count} VIPs, fifo", shown(taken))
    assert statistics.median(taken) < 1
    assert max(taken) < PATIENCE < RARELY


def test_a_restart(at: Stage) -> None:
    """keepalived ends and starts: the peer loses none, however many there are."""
    at.chain.history.start()
    at.chain.keepalived.restart()
    eventually(
        lambda: {route["health"] for route in at.chain.routes().values()},
        until=lambda seen: seen == {"up"},
        within=60,
        what="all up",
        every=0.2,
    )
    assert at.chain.history.events() == []


def test_without_the_fifo(at: Stage, record_property: Callable[[str, object], None]) -> None:
    """It is seen at the next interval."""
    at.chain.reload({"health": {"interval": f"{OFTEN:g}s"}})
    at.keepalived(fifo=False)
    taken = at.losses(5)
    record_property(f"removal to loss, {at.count} VIPs, every {OFTEN:g} s", shown(taken))
    assert max(taken) < OFTEN + PATIENCE
