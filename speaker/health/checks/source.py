"""The source of what checks say, of each prefix whose VIP's rule names any."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from policy.health import Health, Observation, so_many
from policy.rule import AtLeast, Said, Term, decisive, value
from policy.sources import CHECK
from speaker.health.checks.probe import Probe
from speaker.health.checks.schedule import Schedule, Watch
from speaker.health.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from policy.route import Prefix
    from policy.rule import Rule
    from speaker.config.settings_checks import CheckSettings
    from speaker.health.checks.asking import Asking
    from speaker.units import Endpoint


def probes(
    check: CheckSettings, prefix: Prefix, realservers: Sequence[Endpoint]
) -> tuple[Probe, ...]:
    """Return whom a check asks for a prefix.

    Args:
        check: the check.
        prefix: whose first address is the VIP's.
        realservers: those of the VIP, where the check names none itself.
    """
    if check.by_realserver:
        return tuple(Probe(check, each) for each in dict.fromkeys(check.realservers or realservers))
    return (Probe(check, prefix.network_address if check.by_address else None),)


def _usual() -> Asking:
    from speaker.health.checks.asking import Askers, Bounded  # noqa: PLC0415 - 20 MB, for those who need it

    return Bounded(Askers())


class ChecksSource:
    """Asks beside the cycles; a look takes no time, and has what was answered last. It is `HealthSource`.

    Args:
        asked: whom each check of a prefix asks, by prefix and the check's name.
        wake: called when anything is told otherwise than before.
        settle: how long the first look waits until all is known, in seconds, after which nothing is asked any more:
            for a run that does not stay. 0: nothing is asked at all. None for a run that stays.
        before: the source in whose place this comes. What it knows is taken over.
        asking: makes what asks; called on the event loop. None for the usual one.
        steady: a clock.
    """

    def __init__(
        self,
        asked: Mapping[Prefix, Mapping[str, Sequence[Probe]]],
        *,
        wake: Callable[[], object] = lambda: None,
        settle: float | None = None,
        before: ChecksSource | None = None,
        asking: Callable[[], Asking] | None = None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._asked, self._settle = asked, settle
        self._make_asking, self._steady = asking or _usual, steady
        known = {} if before is None else before.watches
        self.watches: dict[Probe, Watch] = {}
        self._concerned: dict[Probe, dict[Prefix, None]] = defaultdict(dict)
        for prefix, checks in asked.items():
            for each in (probe for some in checks.values() for probe in some):
                self.watches[each] = self.watches.get(each) or known.get(each) or Watch(each)
                self._concerned[each][prefix] = None
        self._throttle = Throttle(lambda: (wake(), None)[1])
        self._changed: dict[Prefix, None] = dict.fromkeys(asked)
        self._observation = Observation({})
        self._schedule: Schedule | None = None
        self._asking: Asking | None = None
        self._news = asyncio.Event()

    async def observe(self) -> Observation:
        """Return what is known; while nothing changes, the same object. The first look begins to ask."""
        if self._schedule is None and self._settle != 0:
            self._asking = self._make_asking()
            self._schedule = Schedule(
                self.watches.values(), self._asking.ask, self._steady, self._told
            )
            self._schedule.start(within=self._settle)
            if self._settle is not None:
                await self._settled(self._settle)
                await self.close()
        if self._changed:
            said = dict(self._observation.said)
            said |= {prefix: self._said(prefix) for prefix in self._changed}
            self._changed = {}
            self._observation = Observation({}, said=said)
        return self._observation

    async def close(self) -> None:
        """Ask no more. What is known stays, for who comes after."""
        self._throttle.stop()
        if self._schedule is not None:
            await self._schedule.stop()
        if self._asking is not None:
            await self._asking.close()
            self._asking = None

    def _told(self, watch: Watch) -> None:
        self._changed |= self._concerned[watch.probe]
        self._news.set()
        self._throttle.event()

    async def _settled(self, within: float) -> None:
        """Wait until all that can be known soon is."""
        try:
            async with asyncio.timeout(within):
                while any(watch.tally.is_open for watch in self.watches.values()):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return

    def _said(self, prefix: Prefix) -> dict[str, Said]:
        said = {
            CHECK + name: self._together(some) for name, some in self._asked[prefix].items() if some
        }
        if self._settle:  # nothing is asked any more: what is not known now will not be
            return {name: replace(each, settling=False) for name, each in said.items()}
        return said

    def _together(self, some: Sequence[Probe]) -> Said:
        """Return what the targets of one check say together: up where so many of them are as must be."""
        if len(some) == 1:
            return self.watches[some[0]].tally.said
        said = {str(each): self.watches[each].tally.said for each in some}
        terms = tuple(map(Term, said))
        rule: Rule = AtLeast(so_many(some[0].check.share_up, len(terms)), terms)
        since = max((each.since for each in said.values() if each.since is not None), default=None)
        ups = sum(each.health is Health.UP for each in said.values())
        expires = min((e.expires for e in said.values() if e.expires is not None), default=None)
        reason = f"{ups} of {len(said)} up: {decisive(rule, said).text}"
        settling = all(said[name].settling for name in decisive(rule, said).names)
        return Said(value(rule, said), reason, since, expires, settling)
