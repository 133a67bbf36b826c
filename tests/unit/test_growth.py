"""Work grows with the number of prefixes, and not with its square. Counted are calls, not seconds."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import pytest

from policy.intent import Intent, Mode
from speaker import status, wish
from tests.fakes import virtual_time
from tests.fakes.site import running
from tests.fakes.virtual_time import VirtualClock
from tests.lab.growth import Work, assert_linear, counting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.fakes.site import Site

FIRST = IPv4Address("198.18.0.0")


def vips(count: int) -> str:
    """Return so many VIPs of vip.toml, each with an address."""
    return "".join(
        f'[vip."vip-{number}.example"]\naddresses = ["{FIRST + number}"]\n'
        for number in range(count)
    )


async def drain(site: Site) -> None:
    await _wish(site, Mode.DRAINED)


async def rehearse(site: Site) -> None:
    await _wish(site, Mode.DRAINED, dry_run=True)


async def restore(site: Site) -> None:
    await _wish(site, Mode.AUTO)


async def _wish(site: Site, mode: Mode, *, dry_run: bool = False) -> None:
    intent = Intent(mode, "alice", site.watchdog.clock.wall())
    await wish.take(site.watchdog, [*site.watchdog.duties], intent, dry_run=dry_run)


async def show(site: Site) -> None:
    status.status(site.watchdog)
    status.difference(site.watchdog)


@pytest.mark.parametrize("scene", [drain, rehearse, restore, show])
def test_of_a_watchdog(tmp_path: Path, scene: Callable[[Site], Awaitable[Any]]) -> None:
    """What is asked of a watchdog for all prefixes takes work in proportion to their number."""

    async def main(directory: Path, count: int) -> Work:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(directory, more=vips(count), clock=clock, cycles=False) as site:
            if scene is restore:
                await drain(site)
            with counting() as work:
                await scene(site)
            return work

    def measure(count: int) -> Work:
        directory = tmp_path / str(count)
        directory.mkdir()
        result = virtual_time.run(main(directory, count))
        assert isinstance(result, Work)
        return result

    assert_linear(measure)


def test_a_search_counts() -> None:
    """What is looked for in a list is counted as what it is: else the tests above could not fail."""

    def measure(count: int) -> Work:
        addresses, again = ([FIRST + number for number in range(count)] for _ in range(2))
        with counting() as work:
            assert all(address in addresses for address in again)
        return work

    with pytest.raises(AssertionError, match=r"1[0-9]\.[0-9] times the work"):
        assert_linear(measure)
