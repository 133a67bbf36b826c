"""What the demo shows: each step is done, awaited at the router, and measured."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from demo.router import UnseenError
from demo.site import ASN
from demo.table import picture, style

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from collections.abc import Set as AbstractSet

    from demo.router import AsPath, DaemonState, Router
    from demo.site import Site, Vip

PATHS: tuple[AsPath, ...] = ((ASN,) * 2, (ASN,) * 3)
"""By rank: one prepend for the first choice, two for the second, which is the default."""
WITHIN = 15.0
HOLD = 3.0


class Story:
    """The two data centres, seen from the router."""

    def __init__(self, router: Router, vips: Sequence[Vip], sites: Sequence[Site]) -> None:
        """Begin with nothing running but the router."""
        self._router = router
        self._vips = vips
        self._sites = sites
        self._before: DaemonState | None = None
        self.times: dict[str, str] = {}

    async def begin(self, resolver: str) -> None:
        """Start both data centres.

        Raises:
            UnseenError: the router did not see what they announce.
        """
        await self._step("both data centres start", self._start(resolver), set(), within=30.0)

    async def run(self) -> None:
        """Tell what happens to them then.

        Raises:
            UnseenError: the router did not see what it should.
        """
        par1, _ = self._sites
        vip, _ = self._vips
        gone = {(par1.name, vip.name)}
        real = par1.realservers[vip.name]
        await self._step(f"{par1.name}: {vip.name}'s only realserver dies", real.kill(), gone)
        await self._step(f"{par1.name}: the realserver comes back", real.start(), set())
        await self._step(
            f"{par1.name}: an operator drains {vip.name}",
            self._vip_mgmt(par1, "-d", vip.name, "--reason", "new kernel"),
            gone,
        )
        await self._hold(
            f"{par1.name}: the watchdog is killed during the drain", self._kill(par1, vip), gone
        )
        await self._restart(par1, vip)
        await self._step(
            f"{par1.name}: the operator restores {vip.name}",
            self._vip_mgmt(par1, "-a", vip.name),
            set(),
        )

    # --- steps -----------------------------------------------------------------------------

    async def _step(
        self,
        title: str,
        action: Coroutine[None, None, object],
        withdrawn: AbstractSet[tuple[str, str]],
        *,
        within: float = WITHIN,
    ) -> None:
        """Do something, and wait until the router sees exactly what it should."""
        wanted = self._expected(withdrawn)
        self._head(title)
        started = asyncio.get_running_loop().time()
        seeing = asyncio.create_task(self._router.until(lambda view: view == wanted, within))
        try:
            await action
            seen = await seeing
        except TimeoutError:
            raise UnseenError(self._difference(wanted, f"not seen within {within:g} s")) from None
        finally:
            seeing.cancel()
        self._seen(title, "seen at the router after", seen - started)

    async def _hold(
        self,
        title: str,
        action: Coroutine[None, None, object],
        withdrawn: AbstractSet[tuple[str, str]],
    ) -> None:
        """Do something, and watch that the router sees no change meanwhile, and for a while after."""
        wanted = self._expected(withdrawn)
        self._head(title)
        loop = asyncio.get_running_loop()
        started = loop.time()
        moving = asyncio.create_task(self._router.until(lambda view: view != wanted, 600))
        try:
            await action
            await asyncio.sleep(HOLD)
            if moving.done():
                raise UnseenError(
                    self._difference(wanted, f"changed after {moving.result() - started:.2f} s")
                )
        finally:
            moving.cancel()
        self._seen(title, "unchanged at the router for", loop.time() - started)

    async def _restart(self, site: Site, vip: Vip) -> None:
        """Restart ExaBGP: everything comes back but the drained VIP, not even for a moment."""
        back = asyncio.create_task(
            self._router.until(
                lambda view: any(prefix in view[site.name] for prefix in vip.prefixes), 600
            )
        )
        everything = {(site.name, each.name) for each in self._vips}
        try:
            await self._step(
                f"{site.name}: ExaBGP stops during the drain", site.stop_exabgp(), everything
            )
            await self._step(
                f"{site.name}: ExaBGP starts again, the drained VIP stays away",
                site.start_exabgp(),
                {(site.name, vip.name)},
                within=30.0,
            )
            await asyncio.sleep(HOLD)
            if back.done():
                raise UnseenError(f"{vip.name} was announced by {site.name} although drained")
        finally:
            back.cancel()

    # --- actions ---------------------------------------------------------------------------

    async def _start(self, resolver: str) -> None:
        async with asyncio.TaskGroup() as tasks:
            for site in self._sites:
                tasks.create_task(site.start(self._router, resolver))

    async def _vip_mgmt(self, site: Site, *arguments: str, ends: int = 0) -> None:
        """Type a command, show what it prints, and expect it to end with an exit status."""
        words = " ".join(f'"{a}"' if " " in a else a for a in arguments)
        print(style(f"    {site.name}$ vip_mgmt {words}", "36"))
        status, output = await site.vip_mgmt(*arguments)
        for line in output.splitlines():
            print(f"    {line}")
        if status != ends:
            raise UnseenError(f"vip_mgmt {words}: exit status {status}, expected {ends}")

    async def _kill(self, site: Site, vip: Vip) -> None:
        """Kill the watchdog, and wait until ExaBGP's next one says that the VIP is drained."""
        old = site.reconciler()
        if old is None:
            raise UnseenError(f"{site.name}: no watchdog serves its control socket")
        os.kill(old, signal.SIGKILL)
        print(f"    watchdog {old} killed with SIGKILL")
        new = await site.next_watchdog(old, WITHIN)
        print(f"    watchdog {new} has taken its place")
        await self._vip_mgmt(site, "status", vip.name)
        for route in await site.status(vip.name):
            if route["announced"] is not False or route["intent"] != "drained":
                raise UnseenError(f"{site.name}: the new watchdog says {route}, expected drained")

    # --- what is expected and what is said -------------------------------------------------

    def _expected(self, withdrawn: AbstractSet[tuple[str, str]]) -> dict[str, dict[str, AsPath]]:
        """Return the router's whole view, were all announced but `withdrawn`: (DC, VIP)."""
        return {
            site.name: {
                prefix: PATHS[vip.prefer.index(site.dc)]
                for vip in self._vips
                if (site.name, vip.name) not in withdrawn
                for prefix in vip.prefixes
            }
            for site in self._sites
        }

    def _difference(self, wanted: DaemonState, what: str) -> str:
        return (
            f"{what}\n\nexpected\n{picture(self._vips, wanted)}"
            f"\n\nseen\n{picture(self._vips, self._router.view)}"
        )

    def _head(self, title: str) -> None:
        print(f"\n{style(f'{len(self.times) + 1}. {title}', '1')}", flush=True)

    def _seen(self, title: str, how: str, seconds: float) -> None:
        self.times[title] = f"{how} {seconds:.2f} s"
        print(f"    {self.times[title]}\n")
        print(picture(self._vips, self._router.view, self._before), flush=True)
        self._before = {dc: dict(routes) for dc, routes in self._router.view.items()}
