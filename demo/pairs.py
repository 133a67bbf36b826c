"""What `./dev demo --site` shows: two data centres of two load balancers each, which know of one another by etcd."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from demo.router import UnseenError
from demo.story import WITHIN, Story
from demo.table import picture

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from demo.cluster import Line
    from demo.router import DaemonState, Router
    from demo.site import Site, Vip


class PairsStory(Story):
    """The four machines, seen from the router."""

    def __init__(
        self, router: Router, vips: Sequence[Vip], sites: Sequence[Site], lines: Sequence[Line]
    ) -> None:
        """Begin with nothing running but the router and etcd.

        Args:
            router: what all announce to.
            vips: what they announce.
            sites: the machines, those of one data centre after the other.
            lines: what each reaches etcd by.
        """
        super().__init__(router, vips, sites)
        self._lines = lines

    async def run(self) -> None:
        """Tell what happens to them.

        Raises:
            UnseenError: the router did not see what it should.
        """
        lb1, lb2, far, _ = self._sites
        vip, other = self._vips
        both = {(lb1.name, vip.name), (lb2.name, vip.name)}
        drain = ("-d", vip.name, "--at", lb1.dc, "--reason", "new kernel")
        await self._step(
            f"an operator in {far.dc} drains {vip.name} in {lb1.dc}: both of its machines obey",
            self._vip_mgmt(far, *drain),
            both,
        )
        await self._hold(f"{lb1.dc} loses etcd: nothing changes", self._cut(), both)
        await self._step(
            f"{lb1.name}, cut off, restores {vip.name}: it obeys, and the other can't hear of it",
            self._vip_mgmt(lb1, "-a", vip.name, ends=1),
            {(lb2.name, vip.name)},
        )
        await self._step("the line is back: the other obeys, too", self._restore(), set())
        await self._last(other)
        await self._step(f"{other.name}'s realservers come back", self._heal(other), set())

    async def _cut(self) -> None:
        for line in self._lines[:2]:
            line.cut()

    async def _restore(self) -> None:
        for line in self._lines[:2]:
            await line.restore()

    async def _kill_all(self, vip: Vip) -> None:
        await asyncio.gather(*(site.realservers[vip.name].kill() for site in self._sites))

    async def _heal(self, vip: Vip) -> None:
        await asyncio.gather(*(site.realservers[vip.name].start() for site in self._sites))

    async def _last(self, vip: Vip) -> None:
        """Let a VIP's realservers die everywhere in the same instant: of each prefix, one announcement is kept."""
        title = f"all realservers of {vip.name} die at once: one machine goes on announcing it"
        self._head(title)
        started = asyncio.get_running_loop().time()
        nowhere = asyncio.create_task(
            self._router.until(lambda view: any(not _announced(view, p) for p in vip.prefixes), 600)
        )
        try:
            await self._kill_all(vip)
            one = _one_of_each(vip)
            seen = await self._router.until(one, WITHIN)
            await asyncio.sleep(1)
            if nowhere.done() or not one(self._router.view):
                raise UnseenError(self._seen_is(f"{vip.name} is not announced by one"))
        except TimeoutError:
            raise UnseenError(self._seen_is(f"not seen within {WITHIN:g} s")) from None
        finally:
            nowhere.cancel()
        self._seen(title, "seen at the router after", seen - started)

    def _seen_is(self, what: str) -> str:
        return f"{what}\n\nseen\n{picture(self._vips, self._router.view)}"


def _announced(view: DaemonState, prefix: str) -> list[str]:
    return [name for name, routes in view.items() if prefix in routes]


def _one_of_each(vip: Vip) -> Callable[[DaemonState], bool]:
    return lambda view: all(len(_announced(view, prefix)) == 1 for prefix in vip.prefixes)
