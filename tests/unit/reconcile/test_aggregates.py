"""An aggregate in the life of a watchdog: what ExaBGP is asked for, in which order, and what is told."""

from __future__ import annotations

import asyncio
import re
from itertools import pairwise
from typing import TYPE_CHECKING

from policy.intent import Intent, Mode
from policy.route import parse_prefix
from speaker import config
from speaker.reconcile import intents, status
from tests.support.fakes import virtual_time
from tests.support.fakes.site import SECOND, V4, V6, running, write_config
from tests.support.fakes.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from policy.route import Prefix
    from speaker.api import PrefixStatus
    from tests.support.fakes.site import Site

NARROW = parse_prefix("192.0.2.0/24")
PLAIN = '[aggregate."192.0.2.0/24"]\n'
KEEPING = PLAIN + "summary_only = true\n"
BOTH = PLAIN + "at_least = 2\n"


def play(directory: Path, scene: Callable[[Site], Awaitable[None]], more: str) -> None:
    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(directory, more=more, clock=clock) as site:
            site.source.live.update({V4: 2, V6: 2, SECOND: 2})
            site.reconciler.wake()
            await asyncio.sleep(20.0)
            site.exabgp.commands.clear()
            await scene(site)

    virtual_time.run(main())


def asked(site: Site) -> list[str]:
    """What ExaBGP was asked for since, change by change, each once however often it was said."""
    found: dict[str, None] = {}
    for line in site.exabgp.commands:
        if (match := re.search(r"(announce|withdraw) attributes", line)) is not None:
            nlri = line.partition(" nlri ")[2]
            found |= dict.fromkeys(f"{match[1]} {prefix}" for prefix in nlri.split())
    site.exabgp.commands.clear()
    return [*found]


def shown(site: Site, prefix: Prefix) -> PrefixStatus:
    (route,) = status.routes(site.reconciler, [prefix])
    return route


async def count(site: Site, numbers: dict[Prefix, int | None]) -> None:
    site.source.live.update(numbers)
    site.reconciler.wake()
    await asyncio.sleep(8.0)


def test_it_goes_with_its_last_member_and_comes_back(tmp_path: Path) -> None:
    """Withdrawn before the last member, announced after the first; in between nothing moves it."""

    async def scene(site: Site) -> None:
        assert shown(site, NARROW).reason == "up: 2 of 2 prefixes in it announced; needs 1"
        assert shown(site, NARROW).announced is True
        await count(site, {V4: 0})
        assert asked(site) == [f"withdraw {V4}"]
        await count(site, {SECOND: 0})
        assert asked(site) == [f"withdraw {NARROW}", f"withdraw {SECOND}"]
        assert shown(site, NARROW).reason == "down: 0 of 2 prefixes in it announced; needs 1"
        assert (shown(site, NARROW).announced, shown(site, NARROW).health) == (False, "down")
        await count(site, {V4: None, SECOND: None})
        assert asked(site) == [], "unknown is held"
        await count(site, {SECOND: 1})
        assert asked(site) == [f"announce {SECOND}", f"announce {NARROW}"]
        history = site.reconciler.durable.store.latest([NARROW], 9)[NARROW]
        assert [entry.event for entry in history][-2:] == ["withdrawn", "announced"]
        assert history[-1].reason == "up: 1 of 2 prefixes in it announced; needs 1"

    play(tmp_path, scene, PLAIN)


def test_at_least(tmp_path: Path) -> None:
    """One member of two is not enough where two are needed."""

    async def scene(site: Site) -> None:
        await count(site, {V4: 0})
        assert asked(site) == [f"withdraw {NARROW}", f"withdraw {V4}"]
        await count(site, {V4: 1})
        assert asked(site) == [f"announce {V4}", f"announce {NARROW}"]

    play(tmp_path, scene, BOTH)


def test_members_are_kept_back(tmp_path: Path) -> None:
    """With summary_only no member is ever announced; the aggregate follows them all the same."""

    async def scene(site: Site) -> None:
        member = shown(site, V4)
        assert (member.announced, member.as_wanted, member.kept_back) == (False, True, True)
        assert (member.aggregate, member.aggregate_announced) == (str(NARROW), True)
        assert member.reason == "kept back by 192.0.2.0/24, summary_only; up: 2 realservers"
        await count(site, {V4: 0})
        assert asked(site) == []
        await count(site, {SECOND: 0})
        assert asked(site) == [f"withdraw {NARROW}"]
        await count(site, {V4: 3})
        assert asked(site) == [f"announce {NARROW}"]

    play(tmp_path, scene, KEEPING)


def test_an_operator(tmp_path: Path) -> None:
    """Draining all members withdraws it, restoring one brings it back; drained itself, it stays away."""

    async def scene(site: Site) -> None:
        now = site.reconciler.clock.wall()
        drained, restored = Intent(Mode.DRAINED, "alice", now), Intent(Mode.AUTO, "alice", now)
        await site.reconciler.operator.apply({V4: drained, SECOND: drained})
        assert asked(site)[0] == f"withdraw {NARROW}"
        assert shown(site, NARROW).announced is False
        assert shown(site, NARROW).intent == "auto"
        await site.reconciler.operator.apply({SECOND: restored})
        assert asked(site) == [f"announce {SECOND}", f"announce {NARROW}"]
        (told,) = await intents.apply_intent(site.reconciler, [NARROW], drained, dry_run=True)
        assert asked(site) == []
        await site.reconciler.operator.apply({NARROW: drained})
        assert asked(site) == [f"withdraw {NARROW}"]
        assert shown(site, SECOND).announced is True
        assert shown(site, NARROW).reason.startswith("drained by alice")
        (told,) = await intents.apply_intent(site.reconciler, [NARROW], restored, dry_run=True)
        assert getattr(told, "wanted", None) is True
        await site.reconciler.operator.apply({SECOND: drained})
        (told,) = await intents.apply_intent(site.reconciler, [NARROW], restored, dry_run=True)
        assert getattr(told, "wanted", None) is False, "nothing inside is announced"
        await site.reconciler.operator.apply({NARROW: restored})
        assert shown(site, NARROW).announced is False

    play(tmp_path, scene, PLAIN)


def test_a_reload_makes_before_it_breaks(tmp_path: Path) -> None:
    """Members go once the aggregate is there, and an aggregate that left once its members are."""

    async def scene(site: Site) -> None:
        for more, wanted in (
            (KEEPING, [f"announce {NARROW}", f"withdraw {V4} {SECOND}"]),
            ("", [f"announce {V4} {SECOND}", f"withdraw {NARROW}"]),
        ):
            site.exabgp.commands.clear()
            loaded = config.load(write_config(tmp_path, more), {})
            await site.reconciler.configure(loaded, site.source, site.life.configure)
            await asyncio.sleep(8.0)
            found = asked(site)
            for one, other in pairwise(wanted):
                verb, _, before = one.partition(" ")
                verb_after, _, after = other.partition(" ")
                first = [found.index(f"{verb} {prefix}") for prefix in before.split()]
                then = [found.index(f"{verb_after} {prefix}") for prefix in after.split()]
                assert max(first) < min(then), found

    play(tmp_path, scene, "")


def test_explained(tmp_path: Path) -> None:
    """Explain says what an aggregate goes by, and what a member is kept back for."""

    async def scene(site: Site) -> None:
        def told(prefix: Prefix) -> str:
            (found,) = status.explanations(site.reconciler, [prefix])
            return "\n".join(each.text for each in found.sentences)

        assert "announce, by members: up: 2 of 2 prefixes in it up, and kept back" in told(NARROW)
        assert "withdrawn when fewer of the VIPs inside are up; or by vip_mgmt -d" in told(NARROW)
        assert "withdraw, by aggregate: kept back by 192.0.2.0/24, summary_only; up:" in told(V4)
        assert "announced once no aggregate in vip.toml" in told(V4)
        await count(site, {V4: 0, SECOND: 0})
        assert "vip_mgmt -a --force 192.0.2.0/24" in told(NARROW)

    play(tmp_path, scene, KEEPING)


def test_a_soft_drain(tmp_path: Path) -> None:
    """Where an aggregate stands for a member, its own soft drain moves what goes there, and the member's does not."""

    async def scene(site: Site) -> None:
        soft = Intent(Mode.DRAINING, "alice", site.reconciler.clock.wall())
        await site.reconciler.operator.apply({V4: soft})
        await asyncio.sleep(10.0)
        assert asked(site) == []
        assert (shown(site, V4).kept_back, shown(site, V4).intent) == (True, "draining")
        await site.reconciler.operator.apply({NARROW: soft})
        assert asked(site) == [f"announce {NARROW}"]
        assert len(shown(site, NARROW).as_path) == 6

    play(tmp_path, scene, KEEPING)
