"""Reports over HTTP: PUT and GET /v1/reports/NAME, GET /v1/reports, /v1/status, /v1/openapi.json.

A report is on the disk when it is answered. Those that come while others are written wait, and are written together:
a thousand applications cost no more writes than the disk can do.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from aiohttp import web

from policy.asking import reported
from policy.report import ReportState
from policy.wording import named
from speaker.control.last_of_site import held_here
from speaker.control.openapi import openapi
from speaker.reconcile.last_one import NAMED
from speaker.reconcile.reports import RECORDING
from speaker.reported import ReportRequest, ReportStatus, unknown_report
from speaker.state.reports import Given
from speaker.supervision.cancellation import heed_cancellation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from policy.report import AppReport, ReportRule
    from policy.route import Prefix
    from speaker.control.answers import ControlAnswers
    from speaker.control.body import Bodies
    from speaker.reconcile.reconciler import Reconciler
    from speaker.state.store import Store

MAX_REPORT = 1 << 12
"""Bytes of a report."""


class Caller(Protocol):
    """Who asks, and what that one may."""

    @property
    def name(self) -> str:
        """Who it is, for history."""
        ...

    @property
    def tables(self) -> str:
        """Which tables of vip.toml say what it may."""
        ...

    @property
    def reads(self) -> bool:
        """Whether reports are shown."""
        ...

    def reports(self, name: str) -> bool:
        """Tell whether reports of a name are taken."""
        ...

    def drains(self, name: str) -> bool:
        """Tell whether they may drain."""
        ...


@dataclass(frozen=True, slots=True)
class ByOperator:
    """A member of the operators' group, who may drain anyway. It is `Caller`."""

    name: str
    reads: bool = True
    tables: str = "node.control"

    def reports(self, name: str) -> bool:
        """See `Caller.reports`."""
        del name
        return True

    drains = reports


class _Waiting(NamedTuple):
    name: str
    given: Given
    recorded: asyncio.Future[None]


class ReportRecorder:
    """Records reports, those that come meanwhile together.

    Args:
        store: the state file.
        hindered: has RECORDING while that can't be done, and until the watchdog saw that it can.
    """

    def __init__(self, store: Store, hindered: set[str]) -> None:
        self._store, self._hindered = store, hindered
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None

    async def record(self, name: str, given: Given) -> None:
        """Record a report durably. A caller who hangs up does not stop it.

        Raises:
            StoreError: it could not be done.
        """
        recorded = asyncio.get_running_loop().create_future()
        recorded.add_done_callback(_forget)
        self._waiting.append(_Waiting(name, given, recorded))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await asyncio.shield(recorded)

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                given = [(each.name, each.given) for each in batch]
                await asyncio.to_thread(self._store.report, given)
            except asyncio.CancelledError:
                for each in batch:
                    each.recorded.cancel()
                raise
            except Exception as error:  # noqa: BLE001 - each caller gets it
                heed_cancellation()
                self._hindered.add(RECORDING)
                for each in batch:
                    each.recorded.set_exception(error)
            else:
                self._hindered.discard(RECORDING)
                for each in batch:
                    each.recorded.set_result(None)


def _forget(recorded: asyncio.Future[None]) -> None:
    """Keep asyncio from complaining of a failure that nobody waits for any more."""
    if not recorded.cancelled():
        recorded.exception()


class ReportHandlers:
    """The handlers, over one watchdog.

    Args:
        reconciler: the watchdog.
        bodies: reads bodies.
        caller: tells who asks, or raises an HTTPException.
        answers: those of `status`.
    """

    def __init__(
        self,
        reconciler: Reconciler,
        bodies: Bodies,
        caller: Callable[[web.Request], Awaitable[Caller]],
        answers: ControlAnswers,
    ) -> None:
        self._reconciler, self._bodies, self._caller = reconciler, bodies, caller
        self._recorder = ReportRecorder(
            reconciler.durable.store, reconciler.durable.intents.hindered
        )
        self._answers = answers
        self._concerned: Mapping[str, Collection[Prefix]] = {}
        self._concerned_of: object = None

    def routes(self) -> Sequence[web.RouteDef]:
        """Return what is served."""
        return [
            web.get("/v1/openapi.json", self._openapi),
            web.get("/v1/status", self._whole_status),
            web.get("/v1/reports", self._all),
            web.get("/v1/reports/{name}", self._one),
            web.put("/v1/reports/{name}", self._put),
        ]

    @property
    def _rules(self) -> Mapping[str, ReportRule]:
        return self._reconciler.config.settings.api.reports

    async def _openapi(self, _: web.Request) -> web.Response:
        return web.json_response(openapi())

    async def _whole_status(self, request: web.Request) -> web.Response:
        await self._reader(request)
        return await self._answers.status(request)

    async def _all(self, request: web.Request) -> web.Response:
        await self._reader(request)
        found = await self._found()
        return web.json_response([self._status(name, found).to_json() for name in self._rules])

    async def _one(self, request: web.Request) -> web.Response:
        await self._reader(request)
        name = self._known(request)
        return web.json_response(self._status(name, await self._found()).to_json())

    async def _put(self, request: web.Request) -> web.Response:
        caller, name = await self._caller(request), request.match_info["name"]
        if not caller.reports(name):
            raise web.HTTPForbidden(
                text=f"report: {name[:64]!r}: {caller.name} may not report it; in vip.toml, name it in "
                f"report of {caller.tables}"
            )
        rule = self._rules[self._known(request)]
        async with self._bodies.read(request) as body:
            asked = ReportRequest.from_text(body)
        report = asked.report(caller.name, self._reconciler.clock.wall())
        self._check(caller, rule, report)
        before = self._reconciler.durable.intents.reports.get(name)
        held = before if before is not None and before.left(report.at) > 0 else None
        given = await self._drained(name, report)
        await self._recorder.record(name, given)
        if not report.renews(held):
            self._reconciler.wake()
        told = replace(ReportStatus.of(name, report, report.at), not_drained=given.held or None)
        return web.json_response(told.to_json())

    async def _drained(self, name: str, report: AppReport) -> Given:
        """Return what a report comes to: a drain but of what would be announced nowhere then."""
        if report.state is not ReportState.DRAIN:
            return Given(report)
        concerned = self._of(name)
        kept = await held_here(self._reconciler, concerned)
        held = f"{named(kept, NAMED)}: {next(iter(kept.values()))}" if kept else ""
        return Given(report, [each for each in concerned if each not in kept], held)

    def _check(self, caller: Caller, rule: ReportRule, report: AppReport) -> None:
        """Refuse what a report of a name, or of this caller, can't say."""
        rule.check(report)
        if report.state is ReportState.DRAIN and not caller.drains(rule.name):
            raise web.HTTPForbidden(
                text=f"report: {rule.name}: {caller.name} may not drain it; in vip.toml, name it in "
                f"drain of {caller.tables}"
            )

    async def _reader(self, request: web.Request) -> None:
        caller = await self._caller(request)
        if not caller.reads:
            raise web.HTTPForbidden(
                text=f"{request.path}: {caller.name} may not read; in vip.toml, set read of {caller.tables}"
            )

    def _known(self, request: web.Request) -> str:
        name = request.match_info["name"]
        if name not in self._rules:
            raise web.HTTPNotFound(text=unknown_report(name, [*self._rules]))
        return name

    async def _found(self) -> Mapping[str, AppReport]:
        found = await asyncio.to_thread(self._reconciler.durable.store.intents)
        return found.reports

    def _status(self, name: str, found: Mapping[str, AppReport]) -> ReportStatus:
        return ReportStatus.of(name, found.get(name), self._reconciler.clock.wall())

    def _of(self, name: str) -> Collection[Prefix]:
        """Return the prefixes whose rules name a report."""
        assignments = self._reconciler.assignments
        if self._concerned_of is not assignments:
            self._concerned, self._concerned_of = reported(assignments), assignments
        return self._concerned.get(name, ())
