"""How soon the peer has lost a VIP whose realserver keepalived removed; and a thousand VIPs at once."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.kernel.delay import Stage, shown, stage
from tests.support.lab.eventually import eventually

pytestmark = pytest.mark.guest("keepalived", "ipvsadm", "bird")
RARELY, OFTEN = 3600.0, 1.0
"""Intervals, in seconds. In the long one nothing is seen but by an event, however slow the machine is."""


@pytest.fixture(scope="module", params=[1, 1000], ids="vips-{}".format)
def at(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The chain beside ExaBGP, with all VIPs announced."""
    with stage("exabgp v5", request.param, f"{RARELY:g}s") as made:
        # It is there before keepalived, which would make it for root alone, and remove it.
        assert made.chain.fifo.is_fifo()
        made.keepalived(fifo=True)
        yield made


def targets(descriptors: Path) -> set[Path]:
    """Return what a process has open, of which some may be closed meanwhile."""
    found = set()
    for path in descriptors.iterdir():
        with suppress(OSError):
            found.add(path.readlink())
    return found


def test_with_the_fifo(at: Stage, record_property: Callable[[str, object], None]) -> None:
    """An event is looked after at once: the interval, which is long, has no part in it."""
    taken = at.losses(3, within=2)
    record_property(f"removal to loss, {at.count} VIPs, fifo", shown(taken))


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


def test_a_fifo_that_somebody_removed(at: Stage) -> None:
    """keepalived makes one of its own when it starts, and the watchdog goes over to it."""
    fifo = at.chain.fifo
    fifo.unlink()
    at.chain.keepalived.restart()
    descriptors = Path(f"/proc/{at.chain.reconciler.pid}/fd")
    eventually(
        lambda: fifo in targets(descriptors),
        within=5,
        what="the watchdog reads the fifo that is there now",
        every=0.1,
    )
    at.until(at.count)
    assert at.losses(1)


def test_garbage_in_the_fifo(at: Stage) -> None:
    """Whatever somebody writes there, what keepalived writes behind it is heeded."""
    for garbage in (b"VS [192.0.2.1]:tcp:80 U", b"\x00\xff\n\n", b"x" * 100_000):
        with at.chain.fifo.open("wb", buffering=0) as file:
            file.write(garbage)
        assert at.losses(1)


def test_without_the_fifo(at: Stage, record_property: Callable[[str, object], None]) -> None:
    """It is seen at the next interval."""
    at.chain.reload({"health": {"interval": f"{OFTEN:g}s"}})
    at.keepalived(fifo=False)
    taken = at.losses(2)
    record_property(f"removal to loss, {at.count} VIPs, every {OFTEN:g} s", shown(taken))
