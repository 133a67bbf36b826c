"""The work of a site grows with its VIPs, and is done in steps: what is asked of all, what is told of all, what is read of all."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from policy.intent import Mode
from policy.route import parse_prefix
from policy.site_intent import EVERYWHERE, Extent
from speaker.site.keys import KeyKind, SiteKey
from speaker.site.known import STEP, Known
from speaker.site.presence import OwnPresence
from speaker.site.showing import NOT_ANNOUNCED, NOT_SEEN_YET
from tests.support.fakes.etcd import Cluster
from tests.support.fakes.machines import PREFIX, machines
from tests.support.fakes.virtual_time import run
from tests.support.lab.growth import Work, assert_linear, assert_steps, counting
from tests.unit.test_growth import many

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from policy.route import Prefix
    from tests.support.fakes.machines import Machines

pytestmark = pytest.mark.slow  # it measures
PAIR = "par1/lb1", "lyo1/lb1"
HERE = Extent("par1", "lb1")


async def order(site: Machines) -> None:
    """All are drained at one machine, and the other one obeys."""
    one = site[PAIR[0]]
    done = await one.order(Mode.DRAINED, [*one.life.reconciler.assignments], EVERYWHERE, 300.0)
    assert done.complete, done.why
    assert not site[PAIR[1]].table()


async def tell(site: Machines) -> None:
    """All that machines tell is lost, and told again."""
    count = len(site.cluster.contents(f"{PREFIX}state/"))
    site.cluster.end_leases()
    await site.until(lambda: len(site.cluster.contents(f"{PREFIX}state/")) == count, 300)


async def read(site: Machines) -> None:
    """All is read again."""
    one = site[PAIR[0]]
    one.etcd.break_watches()
    await site.until(lambda: not one.site.connected)
    await site.until(lambda: one.site.connected)


@pytest.fixture(name="measure")
def fixture_measure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Callable[..., Work]:
    caplog.set_level("CRITICAL")  # a line for each prefix, which pytest would keep

    def measure(count: int, scene: Callable[[Machines], Awaitable[None]]) -> Work:
        async def main() -> Work:
            folder = tmp_path / f"{count}-{scene.__name__}"
            folder.mkdir()
            async with machines(folder, *PAIR, more=many(count)) as site:
                states = 2 * len(site[PAIR[0]].life.reconciler.assignments)
                await site.until(
                    lambda: len(site.cluster.contents(f"{PREFIX}state/")) == states, 300
                )
                with counting() as work:
                    await scene(site)
                return work

        found: Work = run(main())
        return found

    return measure


@pytest.mark.parametrize("scene", [order, tell, read])
def test_linear(measure: Callable[..., Work], scene: Callable[[Machines], Awaitable[None]]) -> None:
    """Four times the VIPs take four times the work."""
    assert_linear(lambda count: measure(count, scene))


@pytest.mark.parametrize("changed", [0, 1, None], ids=["none", "one", "all"])
def test_steps_of_telling(changed: int | None) -> None:
    """However many prefixes there are, others have their turn between those of which it is looked what to store."""

    def measure(count: int) -> Work:
        keys = [SiteKey(KeyKind.STATE, HERE, prefix) for prefix in prefixes(count)]

        async def main() -> Work:
            client = Cluster().client()
            known = Known(HERE, PREFIX)
            wanted: dict[SiteKey, bytes] = dict.fromkeys(keys, NOT_SEEN_YET)
            presence = OwnPresence(client, known, 10.0, dict, dict, lambda: wanted)
            presence.lease = await client.grant(10, within=1.0)
            if changed is not None:
                await presence.tell_states()
                assert len(known.own) == count
                wanted.update(dict.fromkeys(keys[:changed], NOT_ANNOUNCED))
            with counting() as work:
                await presence.tell_states()
            assert {known.own[key].text for key in keys} == {*wanted.values()}
            return work

        found: Work = run(main())
        return found

    assert_steps(measure, 2 * STEP)


def test_steps_of_another_lease() -> None:
    """However many keys a machine has, others have their turn while it takes note that all must be stored with another lease."""

    def measure(count: int) -> Work:
        keys = [SiteKey(KeyKind.STATE, HERE, prefix) for prefix in prefixes(count)]

        async def main() -> Work:
            cluster = Cluster()
            known = Known(HERE, PREFIX)
            presence = OwnPresence(
                cluster.client(), known, 3.0, dict, dict, lambda: dict.fromkeys(keys, NOT_ANNOUNCED)
            )
            keeping = asyncio.create_task(presence.keep_lease())
            await known.bell.rings(0.1)
            await presence.tell_states()
            keeping.cancel()
            cluster.end_leases()
            with counting() as work:
                keeping = asyncio.create_task(presence.keep_lease())
                await presence.states_bell.rings(10.0)
            keeping.cancel()
            assert len(known.own) == count
            assert not any(own.text for own in known.own.values())
            return work

        found: Work = run(main())
        return found

    assert_steps(measure, 2 * STEP)


def prefixes(count: int) -> list[Prefix]:
    first = int(IPv4Address("198.18.0.0"))
    return [parse_prefix(f"{IPv4Address(first + number)}/32") for number in range(count)]
