"""One question of a check: asked in its way, within its time, and nothing that may go wrong goes further."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

from policy.health import Health
from policy.wording import count
from speaker.config.settings_checks import DnsCheck, ExecCheck, GrpcCheck, HttpCheck
from speaker.health.checks.http import HttpAsker
from speaker.health.checks.name_servers import DnsAsker
from speaker.health.checks.probe import ProbeAnswer
from speaker.health.checks.programs import ExecAsker
from speaker.printable import cause_of
from speaker.supervision.cancellation import heed_cancellation

if TYPE_CHECKING:
    from speaker.health.checks.grpc import GrpcAsker
    from speaker.health.checks.probe import Probe

LATE = 0.1
"""How much later than its time a question may end, in seconds, before this machine is taken to be too busy to tell."""

GRACE = 5.0
"""How much later than its time a question is waited for at all, in seconds: it is being ended then, with its program."""


class Asking(Protocol):
    """Asks, whatever the check."""

    async def ask(self, probe: Probe) -> ProbeAnswer:
        """Ask once, and return what came of it within the check's time."""
        ...

    async def close(self) -> None:
        """Release what is held."""
        ...


class Askers:
    """Asks each check in its way. Make it on the event loop. It is `Asking`."""

    def __init__(self) -> None:
        self._http, self._exec, self._dns = HttpAsker(), ExecAsker(), DnsAsker()
        self._grpc: GrpcAsker | None = None

    async def ask(self, probe: Probe) -> ProbeAnswer:
        """See `Asking.ask`."""
        check = probe.check
        started = time.monotonic()
        try:
            async with asyncio.timeout(check.timeout):
                return await self._asked(probe)
        except TimeoutError:
            if time.monotonic() - started > check.timeout + max(LATE, check.timeout / 2):
                return ProbeAnswer(Health.UNKNOWN, "this machine is too busy to tell")
            came = count(strays, "datagram") if (strays := self._dns.strays(probe)) else ""
            more = f"; {came} came that {'are' if strays > 1 else 'is'} none" if came else ""
            return ProbeAnswer(check.on_timeout, f"no answer within {check.timeout:g} s{more}")
        except Exception as error:  # noqa: BLE001 - whatever it is: of this question alone nothing is known
            heed_cancellation()
            text = f"not asked: {cause_of(error)[:200]}"
            return ProbeAnswer(Health.UNKNOWN, text)

    async def _asked(self, probe: Probe) -> ProbeAnswer:
        match probe.check.asks:
            case HttpCheck() as what:
                return await self._http.ask(probe, what)
            case GrpcCheck() as what:
                if self._grpc is None:
                    from speaker.health.checks.grpc import GrpcAsker  # noqa: PLC0415 - of an extra

                    self._grpc = GrpcAsker()
                return await self._grpc.ask(probe, what)
            case ExecCheck() as what:
                return await self._exec.ask(probe, what)
            case DnsCheck() as what:
                return await self._dns.ask(probe, what)

    async def close(self) -> None:
        """See `Asking.close`."""
        await self._http.close()


class Bounded:
    """Waits for no question that can't even be ended, of a program that hangs in the kernel. It is `Asking`.

    Nothing is known then, whatever was answered before, and nothing more is asked until it has ended. Questions by sockets end when
    they are told to: a task of their own would be a seventh of what they cost.
    """

    def __init__(self, inner: Asking) -> None:
        """Ask by another."""
        self._inner = inner
        self._endless: dict[Probe, asyncio.Task[ProbeAnswer]] = {}

    async def ask(self, probe: Probe) -> ProbeAnswer:
        """See `Asking.ask`."""
        if not isinstance(probe.check.asks, ExecCheck):
            return await self._inner.ask(probe)
        task = self._endless.get(probe)
        if task is not None and task.done():
            del self._endless[probe]
            task = None
        if task is None:
            task = asyncio.create_task(self._inner.ask(probe))
            try:
                await asyncio.wait({task}, timeout=probe.check.timeout + GRACE)
            except asyncio.CancelledError:
                task.cancel()
                await asyncio.wait({task}, timeout=GRACE)
                raise
            if task.done():
                return task.result()
            self._endless[probe] = task
        return ProbeAnswer(
            Health.UNKNOWN, "its question does not end; see for processes in state D"
        )

    async def close(self) -> None:
        """See `Asking.close`."""
        await self._inner.close()
