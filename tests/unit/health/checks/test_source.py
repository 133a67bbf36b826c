"""Checks are asked in their own time, whatever becomes of the others; what they say is an observation."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from ipaddress import ip_address, ip_network
from itertools import pairwise
from typing import TYPE_CHECKING

from policy.health import Health, Observation
from speaker.config.settings_checks import CheckSettings, HttpCheck
from speaker.health.checks.probe import Probe, ProbeAnswer
from speaker.health.checks.source import ChecksSource, probes
from tests.support.fakes import virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

UP, DOWN, UNKNOWN = Health.UP, Health.DOWN, Health.UNKNOWN
ONE, TWO = ip_network("192.0.2.1/32"), ip_network("192.0.2.2/32")
SHOP = CheckSettings("shop", HttpCheck("http://{address}/"))
FIXED = CheckSettings("fixed", HttpCheck("http://192.0.2.9/"))


class FakeAsking:
    """Answers as it is told, and notes who was asked when."""

    def __init__(self, **answers: Health) -> None:
        self.answers = answers
        self.asked: defaultdict[str, list[float]] = defaultdict(list)
        self.hangs: set[str] = set()
        self.closed = 0

    async def ask(self, probe: Probe) -> ProbeAnswer:
        self.asked[str(probe)].append(asyncio.get_running_loop().time())
        if probe.check.name in self.hangs:
            await asyncio.Event().wait()
        return ProbeAnswer(self.answers.get(probe.check.name, UP), "as it is told")

    async def close(self) -> None:
        self.closed += 1


def steady() -> float:
    return asyncio.get_running_loop().time()


def source(
    fake: FakeAsking, *checks: CheckSettings, before: ChecksSource | None = None, **keys: Any
) -> ChecksSource:
    """Each of the checks for two prefixes."""
    asked = {
        prefix: {check.name: probes(check, prefix, ()) for check in checks} for prefix in (ONE, TWO)
    }
    return ChecksSource(asked, asking=lambda: fake, steady=steady, before=before, **keys)


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=virtual_time.VirtualLoop) as runner:
        runner.run(scenario())


def said(observation: Observation, name: str) -> list[Health]:
    return [each[f"check/{name}"].health for each in observation.said.values()]


def test_unknown_first() -> None:
    """Before the first answer it is unknown; a change wakes, and while nothing changes the object is the same."""

    async def scenario() -> None:
        woken: list[float] = []
        fake = FakeAsking(shop=DOWN)
        looked = source(fake, SHOP, wake=lambda: woken.append(steady()))
        first = await looked.observe()
        assert said(first, "shop") == [UNKNOWN, UNKNOWN]
        assert not woken
        await asyncio.sleep(1.5)
        second = await looked.observe()
        assert said(second, "shop") == [DOWN, DOWN]
        assert woken
        await asyncio.sleep(10)
        assert await looked.observe() is second
        count = len(woken)
        fake.answers["shop"] = UP
        await asyncio.sleep(1)
        assert len(woken) > count
        assert said(await looked.observe(), "shop") == [UP, UP]
        await looked.close()

    run(scenario)


def test_one_change_is_one_prefixs() -> None:
    """What one target says changes what is said of its prefix alone: the other's is the same object."""

    async def scenario() -> None:
        fake = FakeAsking()
        looked = source(fake, SHOP)
        await looked.observe()
        await asyncio.sleep(0.5)  # the first was asked, the other was not yet
        before = (await looked.observe()).said
        await asyncio.sleep(0.5)
        after = (await looked.observe()).said
        assert after[ONE] is before[ONE]
        assert (before[TWO]["check/shop"].health, after[TWO]["check/shop"].health) == (UNKNOWN, UP)
        await looked.close()

    run(scenario)


def test_the_same_question_is_asked_once() -> None:
    """A check that asks the same for several VIPs asks once for all."""

    async def scenario() -> None:
        fake = FakeAsking()
        looked = source(fake, FIXED)
        await looked.observe()
        await asyncio.sleep(10.5)
        assert 10 <= len(fake.asked["fixed"]) <= 11
        assert said(await looked.observe(), "fixed") == [UP, UP]
        await looked.close()

    run(scenario)


def test_spread() -> None:
    """A thousand checks are asked evenly over the interval, each once in it."""

    async def scenario() -> None:
        fake = FakeAsking()
        many = [CheckSettings(f"c{index}", FIXED.asks) for index in range(1000)]
        looked = source(fake, *many)
        start = steady()
        await looked.observe()
        await asyncio.sleep(5)
        times = [when - start for asked in fake.asked.values() for when in asked]
        tenths = Counter(int(when * 10) for when in times)
        assert all(80 <= tenths[tenth] <= 120 for tenth in range(50))
        assert {len(asked) for asked in fake.asked.values()} <= {5, 6}
        await looked.close()

    run(scenario)


def test_a_hanging_check_holds_up_none() -> None:
    """A check that never ends is asked no more, and the others in their time; nor does a look wait."""

    async def scenario() -> None:
        fake = FakeAsking()
        fake.hangs.add("fixed")
        looked = source(fake, FIXED, SHOP)
        await looked.observe()
        await asyncio.sleep(10.5)
        before = steady()
        assert said(await looked.observe(), "shop") == [UP, UP]
        assert steady() == before
        assert len(fake.asked["fixed"]) == 1
        assert len(fake.asked["shop 192.0.2.1"]) >= 10
        await looked.close()

    run(scenario)


def test_reload() -> None:
    """What stays in the configuration keeps what is known of it and its time; what is new is unknown; what left is asked no more."""

    async def scenario() -> None:
        fake = FakeAsking()
        old = source(fake, SHOP, FIXED)
        await old.observe()
        await asyncio.sleep(3.25)
        new = source(fake, SHOP, CheckSettings("new", FIXED.asks), before=old)
        first = await new.observe()
        await old.close()
        assert (said(first, "shop"), said(first, "new")) == ([UP, UP], [UNKNOWN, UNKNOWN])
        count = len(fake.asked["fixed"])
        await asyncio.sleep(3)
        assert len(fake.asked["fixed"]) == count
        times = fake.asked["shop 192.0.2.1"]
        gaps = {round(after - before, 3) for before, after in pairwise(times)}
        assert gaps == {1.0}
        await new.close()
        assert fake.closed == 2

    run(scenario)


def test_a_run_that_does_not_stay() -> None:
    """A pass asks all at once, and again until enough answers are there; then nothing is asked any more."""

    async def scenario() -> None:
        fake = FakeAsking(shop=DOWN)
        thrice = CheckSettings("shop", SHOP.asks, fall=3)
        start = steady()
        looked = source(fake, thrice, FIXED, settle=10.0)
        assert said(await looked.observe(), "shop") == [DOWN, DOWN]
        assert steady() - start == 2.0
        assert fake.closed == 1
        assert len(asyncio.all_tasks()) == 1

    run(scenario)


def test_a_run_that_does_not_stay_and_a_slow_check() -> None:
    """What is asked seldom is asked more often then; and what can't be known now is not waited for."""

    async def scenario() -> None:
        fake = FakeAsking(shop=DOWN, fixed=UNKNOWN)
        seldom = CheckSettings("shop", SHOP.asks, interval=60.0, fall=3)
        start = steady()
        found = await source(fake, seldom, FIXED, settle=10.0).observe()
        assert (said(found, "shop"), said(found, "fixed")) == ([DOWN, DOWN], [UNKNOWN, UNKNOWN])
        assert steady() - start == 5.0

    run(scenario)


def test_a_run_that_does_not_stay_and_a_check_that_hangs() -> None:
    """It waits for what hangs no longer than it may; the rest is known. What is not known then will not be."""

    async def scenario() -> None:
        fake = FakeAsking()
        fake.hangs.add("fixed")
        start = steady()
        found = await source(fake, FIXED, SHOP, settle=10.0).observe()
        assert steady() - start == 10.0
        assert (said(found, "shop"), said(found, "fixed")) == ([UP, UP], [UNKNOWN, UNKNOWN])
        assert not any(each["check/fixed"].settling for each in found.said.values())

    run(scenario)


def test_realservers_together() -> None:
    """Of realservers, so many must be up as the check wants; unknown ones may be."""
    ends = tuple((ip_address(f"192.0.2.{end}"), 80) for end in (11, 12, 13))
    answers = {"192.0.2.11:80": UP, "192.0.2.12:80": DOWN, "192.0.2.13:80": UNKNOWN}

    class ByTarget(FakeAsking):
        async def ask(self, probe: Probe) -> ProbeAnswer:
            return ProbeAnswer(answers[str(probe).split()[1]], "as it is told")

    async def scenario() -> None:
        for share, wanted in ((0.3, UP), (0.5, UNKNOWN), (1.0, DOWN)):
            check = CheckSettings(
                "each", HttpCheck("http://{realserver}/"), realservers=ends, share_up=share
            )
            looked = source(ByTarget(), check)
            await looked.observe()
            await asyncio.sleep(1)
            found = await looked.observe()
            assert said(found, "each") == [wanted, wanted]
            assert found.said[ONE]["check/each"].reason.startswith("1 of 3 up: ")
            await looked.close()

    run(scenario)
