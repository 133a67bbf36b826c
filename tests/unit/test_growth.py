"""Work grows with the number of prefixes, and not with its square. Counted are calls, not seconds."""

from __future__ import annotations

import asyncio
import math
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import make_mocked_request

from policy.intent import Intent, Mode
from policy.route import parse_prefix
from speaker import config
from speaker.control.handlers import Control
from speaker.reconcile.intents import apply_intent
from speaker.supervision.steps import STEP
from tests.support.fakes import virtual_time
from tests.support.fakes.site import running
from tests.support.fakes.virtual_time import VirtualClock
from tests.support.lab.growth import SIZE, TIMES, Work, assert_linear, assert_steps, counting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.support.fakes.site import Site

FIRST = IPv4Address("198.18.0.0")

pytestmark = pytest.mark.slow  # it measures


def many(count: int) -> str:
    """Return so many VIPs of vip.toml, each with an address."""
    return "".join(
        f'[vip."vip-{number}.example"]\naddresses = ["{FIRST + number}"]\n'
        for number in range(count)
    )


def one(count: int) -> str:
    """Return one VIP with so many addresses."""
    addresses = ", ".join(f'"{FIRST + number}"' for number in range(count))
    return f'[vip."vip-0.example"]\naddresses = [{addresses}]\n'


# --- what is asked of it -------------------------------------------------------------------------


async def drain(site: Site) -> None:
    await _wish(site, Mode.DRAINED)


async def in_memory_copy(site: Site) -> None:
    await _wish(site, Mode.DRAINED, dry_run=True)


async def restore(site: Site) -> None:
    await _wish(site, Mode.AUTO)


async def _wish(site: Site, mode: Mode, *, dry_run: bool = False) -> None:
    intent = Intent(mode, "alice", site.reconciler.clock.wall())
    await apply_intent(site.reconciler, [*site.reconciler.assignments], intent, dry_run=dry_run)


async def status(site: Site) -> None:
    await _get(site, "/status")


async def plan(site: Site) -> None:
    await _get(site, "/plan")


async def explain(site: Site) -> None:
    await _get(site, "/explain")


async def history(site: Site) -> None:
    await _get(site, "/history")


async def explain_each(site: Site) -> None:
    await _get(site, f"/explain?{_each(site)}")


async def history_of_each(site: Site) -> None:
    await _get(site, f"/history?{_each(site)}")


def _each(site: Site) -> str:
    return "&".join(f"prefix={prefix}" for prefix in site.reconciler.assignments)


async def _get(site: Site, target: str) -> None:
    application = Control(site.reconciler).application()
    response = await application._handle(make_mocked_request("GET", target))
    assert response.status == 200


# --- what happens to it --------------------------------------------------------------------------


async def death(site: Site) -> None:
    """All realservers die, which the guard holds at first, and come back."""
    for count in (0, 2):
        site.source.live = dict.fromkeys(site.source.live, count)
        for _ in range(3):
            await site.reconciler.cycle()
            await asyncio.sleep(4.0)
        await site.reconciler.read_back_if_changed()


async def reload(site: Site) -> None:
    """The configuration is read and taken again."""
    loaded = config.load(site.directory / "vip.toml", {})
    await site.reconciler.configure(loaded, site.source, site.life.configure)
    await site.reconciler.cycle()


async def rest(site: Site) -> None:
    """Nothing changes, and the daemon is read back."""
    site.reconciler.wake_and_read()
    await site.reconciler.cycle()


SCENES = (
    drain,
    in_memory_copy,
    restore,
    status,
    plan,
    explain,
    explain_each,
    history_of_each,
    death,
    reload,
    rest,
)


@pytest.fixture(name="measure")
def fixture_measure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Callable[..., Work]:
    caplog.set_level("CRITICAL")  # a line for each prefix, which pytest would keep

    async def main(directory: Path, more: str, scene: Callable[[Site], Awaitable[Any]]) -> Work:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(directory, more=more, clock=clock, cycles=False) as site:
            if scene in {restore, look_at_drained}:
                await drain(site)
            if scene is look_at_draining:
                await _wish(site, Mode.DRAINING)
            await asyncio.sleep(20.0)
            await rest(site)
            await site.reconciler.record()  # in a thread of its own, which virtual time has not
            await site.reconciler.cycle()
            with counting() as work:
                await scene(site)
            return work

    def measure(count: int, scene: Callable[[Site], Awaitable[Any]], shape: Any = many) -> Work:
        directory = tmp_path / str(count)
        directory.mkdir()
        result = virtual_time.run(main(directory, shape(count), scene))
        assert isinstance(result, Work)
        return result

    return measure


@pytest.mark.parametrize("shape", [many, one])
@pytest.mark.parametrize("scene", SCENES)
def test_of_a_watchdog(measure: Callable[..., Work], scene: Any, shape: Any) -> None:
    """What happens to all prefixes takes work in proportion to their number, whoever has them."""
    assert_linear(lambda count: measure(count, scene, shape))


async def look_at_drained(site: Site) -> None:
    """Nothing changes, and all are drained."""
    await site.reconciler.cycle()


async def die(site: Site) -> None:
    """The realservers of one VIP die."""
    site.source.live = {**site.source.live, parse_prefix(f"{FIRST}"): 0}
    await site.reconciler.cycle()
    assert not site.reconciler.view.believed[parse_prefix(f"{FIRST}")]


async def die_in_a_reload(site: Site) -> None:
    """The realservers of one VIP die, and the configuration was loaded again and is taken."""
    loaded = await asyncio.to_thread(config.load, site.directory / "vip.toml", {})
    await site.reconciler.configure(loaded, site.source, site.life.configure)
    await die(site)


@pytest.mark.parametrize(
    ("scene", "each"), [(die, 6), (die_in_a_reload, 30), (rest, 30), (look_at_drained, 3)]
)
def test_where_little_changes(measure: Callable[..., Work], scene: Any, each: int) -> None:
    """Little is called for each prefix of which nothing changes: none is parsed, judged or compared again.

    A reading has two lines of each, one of each neighbour, and five calls take a line in.
    """
    measure(2, scene)  # what is done once in a process, such as importing, is done now
    few, many = (measure(count, scene).own for count in (SIZE, TIMES * SIZE))
    assert many - few <= each * (TIMES - 1) * SIZE


@pytest.mark.parametrize("scene", [status, explain, history, in_memory_copy])
def test_steps_of_an_answer(measure: Callable[..., Work], scene: Any) -> None:
    """However long an answer is: withdrawals do not wait for all of it to be made."""
    assert_steps(lambda count: measure(count, scene), 2 * STEP)


async def look_at_draining(site: Site) -> None:
    """All drain softly, which each cycle looks at, and read back what came of it."""
    await site.reconciler.drains.look(site.reconciler.assessment, site.reconciler.view)
    assert site.reconciler.drains.due < math.inf


def test_steps_of_soft_drains(measure: Callable[..., Work]) -> None:
    """However many prefixes drain softly: others have their turn while it is looked at them, each cycle."""
    assert_steps(lambda count: measure(count, look_at_draining), 2 * STEP)


def test_a_search_counts() -> None:
    """What is looked for in a list is counted as what it is: else the tests above could not fail."""

    def measure(count: int) -> Work:
        addresses, again = ([FIRST + number for number in range(count)] for _ in range(2))
        with counting() as work:
            assert all(address in addresses for address in again)
        return work

    with pytest.raises(AssertionError, match=r"1[0-9]\.[0-9] times the work"):
        assert_linear(measure)
