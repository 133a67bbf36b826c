"""`./dev demo --stay`: what a person can type meanwhile, and what the router sees of it."""

from __future__ import annotations

import asyncio
import shlex
import signal
from typing import TYPE_CHECKING

from demo import exabgp
from demo.table import picture, style

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from pathlib import Path

    from demo.router import DaemonState, Router
    from demo.site import Site, Vip

_SETTLED = 0.3
"""Seconds without a change until what the router sees is shown: an address of each family changes."""


def invitation(directory: Path, sites: Sequence[Site], vip: Vip, pid: int) -> str:
    """Return what to type, and what it does.

    Args:
        directory: of the data centres' files.
        sites: the data centres.
        vip: one whose realserver can be killed.
        pid: this process.
    """
    here, there = sites
    commands = {
        f"export PATH={shlex.quote(str(exabgp.PROGRAMS))}:$PATH": "",
        f"export VIP_CONFIG={shlex.quote(str(directory / here.name / 'vip.toml'))}": f"{there.name}'s is beside it",
        "vip_mgmt status": "what is announced, to whom, why",
        "vip_mgmt status --watch": "the same, as it changes",
        f"vip_mgmt explain {vip.name}": "why, in sentences",
        f'vip_mgmt -d {vip.name} --reason "new kernel"': "withdraw it",
        f"vip_mgmt -a {vip.name}": "announce it again",
        f"vip_mgmt plan --without {here.name}": "who takes over",
        f"vip_mgmt history {vip.name}": "what was done, by whom",
        f"kill -USR1 {pid}": f"{vip.name}'s realserver in {here.name} dies; again: it comes back",
    }
    lines = [f"{typed:<46}  # {what}" if what else typed for typed, what in commands.items()]
    page = f"  The status page of {here.name}: http://{here.page}/"
    head = style("It stays. Type in another terminal:", "1")
    return "\n".join([head, "", *(f"    {line}" for line in lines), "", page])


async def stay(router: Router, vips: Sequence[Vip], site: Site) -> None:
    """Show what the router sees whenever it changes, until SIGINT; SIGUSR1 kills and restores a realserver."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    pulled = asyncio.Event()
    loop.add_signal_handler(signal.SIGINT, ended.set)
    loop.add_signal_handler(signal.SIGUSR1, pulled.set)
    parts = [_show(router, vips), _pull(site, vips[0], pulled)]
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        await ended.wait()
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _show(router: Router, vips: Sequence[Vip]) -> None:
    before = _copy(router.view)
    while True:
        await router.until(_differs_from(before), float("inf"))
        now = _copy(router.view)
        while await _changes(router, now):
            now = _copy(router.view)
        print(f"\n{picture(vips, now, before)}", flush=True)
        before = now


async def _changes(router: Router, now: DaemonState) -> bool:
    try:
        await router.until(_differs_from(now), _SETTLED)
    except TimeoutError:
        return False
    return True


def _differs_from(before: DaemonState) -> Callable[[DaemonState], bool]:
    return lambda view: view != before


def _copy(view: DaemonState) -> DaemonState:
    return {dc: dict(routes) for dc, routes in view.items()}


async def _pull(site: Site, vip: Vip, pulled: asyncio.Event) -> None:
    realserver = site.realservers[vip.name]
    lives = True
    while True:
        await pulled.wait()
        pulled.clear()
        does: Coroutine[None, None, None] = realserver.kill() if lives else realserver.start()
        await does
        lives = not lives
        print(
            f"\n{site.name}: {vip.name}'s realserver {'is back' if lives else 'is dead'}",
            flush=True,
        )
