"""Writes changes to bgpd through vtysh, and finds those that it refuses.

Theory of operation. A batch stops at the first command that bgpd refuses: those before it were done,
and nothing says which that was. So its halves are written, and theirs, until what is refused stands
alone. A half needs to know what bgpd has, because `no network` of nothing is refused too. What
bgpd has is read once for all halves of a size, and not for each: running-config is as long as the batch, and
where bgpd refuses everything, there are as many halves as changes. That one reading does for all of
them, because each touches its own prefixes only.

Route-maps are shared, so a batch makes them first, and enters lines of other prefixes again that use them:
such a batch is the first one after a reading. Refused, it is tried once more as a whole, because the route-maps may
be there now; one that is still not there is given up, with all that needs it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from policy.plan import Announce
from speaker.backends.quagga.commands import LOCKED, refusal, render
from speaker.backends.quagga.vtysh import VtyshError
from speaker.supervision.steps import in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from policy.plan import Change
    from policy.route import Asn, Attributes, Prefix
    from speaker.backends.quagga.route_map import RunningRouteMap
    from speaker.backends.quagga.running_config import Running
    from speaker.backends.quagga.vtysh import Vtysh

# The configuration lock of a Quagga is waited for.
LOCK_TRIES = 20
LOCK_WAIT = 0.25
MAP_TRIES = 2
"""How often a route-map is tried before it is given up."""


class BgpdRefusedError(VtyshError):
    """bgpd refused a command. Those before it in the batch were done."""


class Writer:
    """Writes batches. It remembers nothing between them."""

    def __init__(
        self,
        vtysh: Vtysh,
        running: Callable[[], Awaitable[Running]],
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        """Make a writer, which `configure` makes ready.

        Args:
            vtysh: runs commands.
            running: reads running-config.
            pause: waits for seconds.
        """
        self._vtysh, self._running, self._pause = vtysh, running, pause

    def configure(self, asn: Asn, maps: Mapping[Attributes, RunningRouteMap]) -> None:
        """Take the data centre's ASN and the route-maps that its profiles want."""
        self._asn, self._maps = asn, maps

    async def write(self, changes: Sequence[Change], running: Running) -> dict[Prefix, str]:
        """Write one batch; return the changes that bgpd refuses, and why.

        Args:
            changes: each with attributes of a profile, at most one to a prefix.
            running: what bgpd has.

        Raises:
            BackendError: bgpd can't be written to, or read. What was done is not known.
        """
        failures: dict[Prefix, str] = {}
        tried: Counter[str] = Counter()
        given_up: dict[str, str] = {}
        level = [changes]
        while level:
            smaller: list[Sequence[Change]] = []
            said: dict[str, str] = {}
            for number, each in enumerate(level):
                part = self._without(each, given_up, failures)
                missing = await in_thread(len(part), self._wrong, part, running)
                wrong = [map_.name for map_ in missing]
                if wrong and number:  # what it enters again must have been read after the others
                    smaller.append(part)
                    continue
                try:
                    await self.run(await in_thread(len(part), self.commands, part, running))
                except BgpdRefusedError as error:
                    if wrong:
                        tried.update(wrong)
                        said = dict.fromkeys(wrong, str(error))
                        smaller.append(part)
                    elif len(part) > 1:
                        smaller += [part[: len(part) // 2], part[len(part) // 2 :]]
                    else:
                        failures[part[0].prefix] = str(error)
            level = smaller
            if level:
                running = await self._running()
                has = {map_.name for map_ in self._maps.values() if running.has(map_)}
                given_up |= {
                    n: why for n, why in said.items() if tried[n] >= MAP_TRIES and n not in has
                }
        return failures

    def _without(
        self, changes: Sequence[Change], given_up: Mapping[str, str], failures: dict[Prefix, str]
    ) -> Sequence[Change]:
        """Return changes without those that need a route-map that is given up; these have failed."""
        if not given_up:
            return changes
        rest = []
        for change in changes:
            name = self._maps[change.route.attributes].name if isinstance(change, Announce) else ""
            if name in given_up:
                failures[change.prefix] = given_up[name]
            else:
                rest.append(change)
        return rest

    def _wrong(self, changes: Sequence[Change], running: Running) -> Sequence[RunningRouteMap]:
        """Return the route-maps that changes need and bgpd has not, or has otherwise."""
        used = {change.route.attributes for change in changes if isinstance(change, Announce)}
        wanted = (map_ for attributes, map_ in self._maps.items() if attributes in used)
        return [map_ for map_ in wanted if not running.has(map_)]

    def commands(self, changes: Sequence[Change], running: Running) -> list[str]:
        """Render one batch: the route-maps first, because a network line needs its own."""
        wrong = self._wrong(changes, running)
        maps = [
            command for map_ in wrong for command in map_.commands(running.maps.get(map_.name, ()))
        ]
        again = {map_.name for map_ in wrong}
        lines = render(changes, running, self._asn, self._names, again)
        return [*lines[:1], *maps, *lines[1:]]

    @property
    def _names(self) -> Mapping[Attributes, str]:
        return {attributes: map_.name for attributes, map_ in self._maps.items()}

    async def run(self, commands: Sequence[str]) -> None:
        """Run one batch, when no other session configures.

        Raises:
            BgpdRefusedError: bgpd refused a command. Those before it were done.
            BackendError: bgpd can't be written to. What was done is not known.
        """
        if not commands:
            return
        for _ in range(LOCK_TRIES):
            output = await self._vtysh(commands)
            refused = refusal(output.stdout)
            if LOCKED not in refused:
                break
            await self._pause(LOCK_WAIT)
        else:
            raise VtyshError(
                f"bgpd: {refused}; another session is in configure terminal: end it",
                commands,
                output,
            )
        if refused or output.status:
            reason = refused or output.stderr.strip() or f"exit status {output.status}"
            raise BgpdRefusedError(f"bgpd: refused: {reason}", commands, output)
