"""The metrics say what is so; unknown is neither yes nor no; docs/metrics.md has each of them."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from policy.intent import Intent, Mode
from speaker.drain_status import DrainStatus
from speaker.reconcile import alarms
from speaker.reconcile.intents import apply_intent
from speaker.reconcile.meter import Meter, Times
from speaker.telemetry import exposition, metrics
from speaker.telemetry.look import Look
from speaker.telemetry.metrics import METRICS
from tests.support.fakes import virtual_time
from tests.support.fakes.site import PEER, SECOND, V4, Site, running
from tests.support.fakes.virtual_time import VirtualClock
from tests.support.lab.growth import SIZE, TIMES, Work, assert_linear, counting
from tests.support.shown import ANNOUNCED
from tests.unit.telemetry.scraped import Samples, scraped, value
from tests.unit.test_growth import many

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

ROOT = Path(__file__).parents[3]
FIRST = {"vip": "vip-1.tld", "prefix": str(V4)}


def told(directory: Path, turn: Callable[[Site], Awaitable[object]], more: str = "") -> Samples:
    """Run a site, do something with it, and return the metrics."""

    async def main() -> Samples:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(directory, more=more, clock=clock, cycles=False) as site:
            await turn(site)
            return scraped(site.reconciler)

    found: Samples = virtual_time.run(main())
    return found


async def nothing(_: Site) -> None:
    pass


def test_what_is_so(tmp_path: Path) -> None:
    """Announced to two peers, healthy, not drained: each metric has its value, and 0 where there is nothing."""
    found = told(tmp_path, nothing)
    for name, expected in {
        "vip_prefix_wanted": 1,
        "vip_prefix_announced": 1,
        "vip_prefix_announced_known": 1,
        "vip_prefix_peers": 2,
        "vip_prefix_as_wanted": 1,
        "vip_realservers": 2,
    }.items():
        assert value(found, name, **FIRST) == expected, name
    for mode in ("auto", "drained", "forced", "unknown"):
        assert value(found, "vip_prefix_intent", mode=mode, **FIRST) == (mode == "auto")
    for state in ("up", "down", "unknown"):
        assert value(found, "vip_health", state=state, **FIRST) == (state == "up")
    assert value(found, "vip_peer_up", peer=PEER, address=PEER, asn="64496") == 1
    assert value(found, "vip_decisions", cause="health") == 3
    assert value(found, "vip_decisions", cause="operator") == 0
    assert value(found, "vip_withdrawals_held") == 0
    assert value(found, "vip_changes_total", action="announce", cause="health") == 3
    assert value(found, "vip_changes_total", action="withdraw", cause="left") == 0
    assert value(found, "vip_reaction_seconds_count") == 3
    assert value(found, "vip_read_back_mismatches_total") == 0
    assert value(found, "vip_configuration_file", state="loaded") == 1
    assert value(found, "vip_configuration_file", state="faulty") == 0
    for subject in alarms.SUBJECTS:
        assert value(found, "vip_alarm", subject=subject) == 0


def test_unknown(tmp_path: Path) -> None:
    """What is not known is NaN, which is neither 0 nor 1, and a metric of its own says so."""

    async def main() -> Samples:
        async with running(tmp_path, cycles=False) as site:
            site.source.live[V4] = None
            await site.reconciler.cycle()
            site.reconciler.view.unreadable()
            return scraped(site.reconciler)

    found = asyncio.run(main())
    for name in ("vip_prefix_announced", "vip_prefix_peers", "vip_realservers"):
        assert isnan(value(found, name, **FIRST)), name
    assert value(found, "vip_prefix_announced_known", **FIRST) == 0
    assert value(found, "vip_prefix_as_wanted", **FIRST) == 0
    assert value(found, "vip_health", state="unknown", **FIRST) == 1
    assert value(found, "vip_alarm", subject="health") == 1
    assert value(found, "vip_decisions", cause="hold") == 1


def test_drained(tmp_path: Path) -> None:
    """A drain is an intent, a change by the operator, and a prefix that no peer has."""

    async def drain(site: Site) -> None:
        await site.reconciler.operator.apply({V4: Intent(Mode.DRAINED, "alice", 0.0)})

    found = told(tmp_path, drain)
    assert value(found, "vip_prefix_intent", mode="drained", **FIRST) == 1
    assert value(found, "vip_prefix_intent", mode="auto", **FIRST) == 0
    assert value(found, "vip_prefix_wanted", **FIRST) == 0
    assert value(found, "vip_prefix_announced", **FIRST) == 0
    assert value(found, "vip_prefix_peers", **FIRST) == 0
    assert value(found, "vip_changes_total", action="withdraw", cause="operator") == 1


def test_held(tmp_path: Path) -> None:
    """Withdrawals that the guard holds back are counted, as long as it does."""

    async def die(site: Site) -> None:
        site.source.live = dict.fromkeys(site.source.live, 0)
        await site.reconciler.cycle()

    found = told(tmp_path, die)
    assert value(found, "vip_withdrawals_held") == value(found, "vip_decisions", cause="guard") == 3
    assert value(found, "vip_alarm", subject="guard") == 1
    assert value(found, "vip_prefix_announced", **FIRST) == 1


def test_lost_behind_our_back(tmp_path: Path) -> None:
    """What the daemon has lost without being asked is a mismatch when it is read back."""

    async def lose(site: Site) -> None:
        for session in site.exabgp.daemon.sessions.values():
            session.withdraw(V4)
        site.reconciler.wake_and_read()
        await site.reconciler.cycle()

    found = told(tmp_path, lose)
    assert value(found, "vip_read_back_mismatches_total") == 1


def test_reactions(tmp_path: Path) -> None:
    """A reaction lasts from what woke the cycle, however long that waited; an operator's from the request."""

    async def main() -> tuple[float, float, Mapping[tuple[str, str], int]]:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(tmp_path, clock=clock, cycles=False) as site:
            meter = site.reconciler.meter
            before = meter.counts().reactions.total
            site.source.live[V4] = 0
            site.reconciler.wake()
            await asyncio.sleep(2.0)
            site.reconciler.wake()  # a second event is older than nothing
            meter.began()
            await site.reconciler.cycle()
            event = meter.counts().reactions.total - before
            await asyncio.sleep(100.0)
            intent = Intent(Mode.DRAINED, "alice", clock.wall())
            await apply_intent(site.reconciler, [SECOND], intent, dry_run=False)
            asked = meter.counts().reactions.total - before - event
            return event, asked, meter.counts().changes

    event, asked, changes = virtual_time.run(main())
    assert event == pytest.approx(2.0, abs=0.1)
    assert asked < 0.5
    assert changes["withdraw", "operator"] == 1


@given(st.lists(st.floats(-1, 100), max_size=30))
def test_times(times: list[float]) -> None:
    """Each time is counted once, below the first bound that it does not exceed; none is negative."""
    counted = Times((0.1, 1.0, 10.0))
    for seconds in times:
        counted.add(seconds)
    found = counted.read()
    assert sum(found.counts) == len(times)
    for index, bound in enumerate(found.bounds):
        assert sum(found.counts[: index + 1]) == sum(1 for seconds in times if seconds <= bound)
    assert found.total == pytest.approx(sum(max(seconds, 0) for seconds in times))


def test_cycles(tmp_path: Path) -> None:
    """A completed cycle leaves its time and its length; before the first, the time is 0."""

    async def main() -> tuple[Samples, Samples]:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(tmp_path, clock=clock, cycles=False) as site:
            before = scraped(site.reconciler)
            site.life.watch()
            await asyncio.sleep(0.5)
            return before, scraped(site.reconciler)

    before, after = virtual_time.run(main())
    assert value(before, "vip_last_good_cycle_timestamp_seconds") == 0
    assert value(after, "vip_last_good_cycle_timestamp_seconds") > 0
    assert value(after, "vip_cycle_seconds_count") == 1


@given(st.text())
def test_any_name(name: str) -> None:
    """A name with any character in it is a label's value, and nothing more."""
    line = f"x{{{exposition.pairs(('vip',), (name,))}}} 1\n"
    ((sample,),) = (family.samples for family in text_string_to_metric_families(line))
    assert sample.labels == {"vip": name}


def test_every_metric(tmp_path: Path) -> None:
    """What is shown is what the table has: no metric more, none less, and the labels that it names."""
    found = told(tmp_path, nothing)
    shown = {(re.sub("_(bucket|sum|count)$", "", name), frozenset(k for k, _ in labels) - {"le"})
             for name, labels in found}  # fmt: skip
    of_rules = {
        metrics.SOURCE,
        metrics.EXPIRES,
        metrics.DRAINING,
        metrics.DRAIN_ENDS,
        metrics.WITNESS,
        metrics.SEEN,
        metrics.SITE_CONNECTED,
        metrics.SITE_QUEUED,
        metrics.SITE_MEMBERS,
    }  # of no VIP here, and of no site
    assert shown == {
        (metric.name, frozenset(metric.labels)) for metric in METRICS if metric not in of_rules
    }


def test_sources_of_a_rule() -> None:
    """What the sources of a VIP's rule say has a sample for each state, and the certificates that they showed one each."""
    route = replace(
        ANNOUNCED,
        vip="a.tld",
        as_path=(),
        realservers=None,
        reason="",
        sources={"check/shop": "down"},
        expires={"check/shop": 1e9},
    )
    found = [*metrics.of_some(route)]
    assert all(len(metric.labels) == 2 + len(labels) for metric, labels, _ in found)
    assert [(labels[-1], value) for metric, labels, value in found if metric is metrics.SOURCE] == [
        ("up", False),
        ("down", True),
        ("unknown", False),
    ]
    assert (metrics.EXPIRES, ("check/shop",), 1e9) in found
    drain = DrainStatus(stage="draining", began=1e9, ends=2e9, connections=3)
    drains = [*metrics.of_some(replace(route, sources={}, expires={}, drain=drain))]
    assert drains == [
        (metrics.DRAINING, ("active",), 3),
        (metrics.DRAINING, ("inactive",), None),
        (metrics.DRAIN_ENDS, (), 2e9),
    ]
    assert not [*metrics.of_some(replace(route, sources={}, expires={}))]


def test_the_page_of_metrics() -> None:
    """docs/metrics.md has each metric once, with its type, labels and meaning, and no other."""
    page = (ROOT / "docs/metrics.md").read_text()
    rows = re.findall(r"^\| `(vip_\w+)` \| (\w+) \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
    assert rows == [
        (m.name, m.kind, ", ".join(f"`{label}`" for label in m.labels) or "none", m.help)
        for m in METRICS
    ]


def test_alarms_have_their_subjects() -> None:
    """Each alarm that the code notes is one of the subjects, so that its metric is there before it is."""
    noted = set()
    for path in (ROOT / "speaker").rglob("*.py"):
        text = path.read_text()
        noted |= {*re.findall(r'alarms\.note\(\s*"([\w.]+)"', text)}
        noted |= {*re.findall(r'^SUBJECT = "([\w.]+)"', text, re.MULTILINE)}
        noted |= {*re.findall(r'^VIP_TOML = "([\w.]+)"', text, re.MULTILINE)}
    assert len(noted) > 8
    assert noted <= {*alarms.SUBJECTS}


def test_growth(tmp_path: Path) -> None:
    """A look does not grow with the number of prefixes; the text does with it, and no more."""

    def measure(count: int, do: Callable[[Site], object]) -> Work:
        async def main() -> Work:
            directory = tmp_path / f"{count}-{id(do)}"
            directory.mkdir()
            async with running(directory, more=many(count), cycles=False) as site:
                with counting() as work:
                    do(site)
                return work

        return asyncio.run(main())

    def look(site: Site) -> None:
        Look(site.reconciler)

    def text(site: Site) -> None:
        exposition.text(Look(site.reconciler))

    assert measure(TIMES * SIZE, look).calls < measure(SIZE, look).calls + 50
    assert_linear(lambda count: measure(count, text))


def test_a_clock_that_is_set_back() -> None:
    """A time that is negative, or none, breaks no count."""

    class Back:
        now = 100.0

        def wall(self) -> float:
            return self.now

        def steady(self) -> float:
            self.now -= 1
            return self.now

    meter = Meter(Back())
    meter.began()
    meter.completed(1e9)
    meter.acknowledged({("announce", "health"): 2}, 1, at_once=False)
    counts = meter.counts()
    assert (counts.reactions.total, counts.cycles.total, counts.failures) == (0.0, 0.0, 1)
