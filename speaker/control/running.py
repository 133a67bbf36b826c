"""Operations of the watchdog that runs, over its control socket."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urlencode

from policy.sources import REPORT
from speaker.api import (
    Explanation,
    HistoryEntry,
    PlannedChange,
    Question,
    Reloaded,
    Status,
)
from speaker.control import client
from speaker.control.identity import sudo_user
from speaker.json_value import FormError
from speaker.site_words import HERE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from policy.route import Prefix
    from speaker.api import IntentOutcome, IntentRequest, RecordedIntent
    from speaker.config.settings import Config
    from speaker.control.early import EarlyRequest
    from speaker.planned import Cancellation, PlannedNow, WindowRequest, WindowStatus
    from speaker.reported import ReportRequest, ReportStatus
    from speaker.site_values import Ordered, SiteOrder, SiteStatus

T = TypeVar("T")

ANSWER, ANSWER_EACH = 10.0, 0.01
"""How long to wait for the answer to a question, in seconds, and in addition for each prefix."""
APPLY = 9.0
"""How long to wait for a watchdog to apply an intent, in seconds, and in addition for each prefix: it
answers in that time, whatever its daemon does."""
LINE = 1 << 15
"""How long a question may be, in bytes, that names its prefixes in the first line."""
_OLDER = re.compile(r"request\.(extent|within): ")
_TOO_OLD = (
    "the vip_watchdog that runs is older than this vip_mgmt, and knows of no other machines; nothing was changed: restart it; "
    "--here is for this machine alone"
)
"""What is said of a watchdog that refuses to read for whom an order is."""
UNTIL_STARTED = 10.0
"""How long to try to have it reload: it may wait for a better vip.toml, which it tries every five seconds."""


class RunningWatchdog:
    """The watchdog that serves the sockets of a configuration. It is `Operations`.

    Each of them raises NotServedError where none does, RefusedError where it says no, and
    OutcomeUnknownError where no answer came, or one that is not believed.

    Args:
        read: the socket for questions.
        control: the operators' socket, which is asked where that one can't be used.
        patience: for how long to try a socket that no process serves, in seconds.
        timeout: how long the answer to a question may take, in seconds.
    """

    def __init__(
        self, read: Path, control: Path, *, patience: float = 0.0, timeout: float = ANSWER
    ) -> None:
        self._read_socket, self._control = read, control
        self._patience, self._timeout = patience, timeout

    @classmethod
    def of(cls, config: Config, *, patience: float = 0.0, timeout: float | None = None) -> Self:
        """Return the one that a configuration names, by default with time for all of its prefixes."""
        if timeout is None:
            timeout = ANSWER + ANSWER_EACH * len(config.topology.prefixes)
        settings = config.settings
        return cls(settings.read.path, settings.control, patience=patience, timeout=timeout)

    def status(self) -> Status:
        """See `Operations.status`."""
        return self._question("/status", Status.from_json)

    def explain(self, prefixes: Sequence[Prefix]) -> Sequence[Explanation]:
        """See `Operations.explain`."""
        return self._question("/explain", Explanation.all_from_json, prefixes)

    def history(
        self, about: Sequence[Prefix | str], since: float | None = None
    ) -> Sequence[HistoryEntry]:
        """See `Operations.history`."""
        prefixes = [each for each in about if not isinstance(each, str)]
        reports = [each.removeprefix(REPORT) for each in about if isinstance(each, str)]
        limits: dict[str, str | Sequence[str]] = {"report": reports} if reports else {}
        if since is not None:
            limits["since"] = f"{since:.6f}"
        found = self._question("/history", HistoryEntry.all_from_json, prefixes, limits)
        wanted = {*map(str, about)}
        # an older watchdog knows no limit, and no report
        return [
            entry
            for entry in found
            if (since is None or entry.time >= since) and (not reports or entry.prefix in wanted)
        ]

    def plan(self) -> Sequence[PlannedChange]:
        """See `Operations.plan`."""
        return self._question("/plan", PlannedChange.all_from_json)

    def apply(
        self, request: IntentRequest, early: EarlyRequest | None = None
    ) -> Sequence[IntentOutcome | RecordedIntent]:
        """See `Operations.apply`.

        Args:
            request: what is asked for.
            early: the same, where that was asked already.
        """
        from speaker.control.outcomes import outcomes_from_json

        def outcomes(answer: object) -> Sequence[IntentOutcome | RecordedIntent]:
            return outcomes_from_json(answer, request.prefixes)

        timeout = APPLY + client.EACH * len(request.prefixes)
        if early is not None and (answer := early.answer(timeout)) is not None:
            return self._read(answer, outcomes)
        return self._order("/intents", outcomes, timeout, _body(request))

    def order(self, order: SiteOrder, early: EarlyRequest | None = None) -> Ordered:
        """See `SiteOperations.order`.

        Args:
            order: what is asked for, and for whom.
            early: the same, where that was asked already.
        """
        from speaker.control.outcomes import ordered_from_json

        def ordered(answer: object) -> Ordered:
            return ordered_from_json(answer, order.prefixes)

        timeout = APPLY + client.EACH * len(order.prefixes) + (order.within or 0.0)
        if early is not None and (answer := early.answer(timeout)) is not None:
            return self._read(answer, ordered)
        body = _body(order)
        if order.extent == HERE:  # an older one has no other
            del body["extent"]
        try:
            return self._order("/intents", ordered, timeout, body)
        except client.RefusedError as error:
            if not _OLDER.match(str(error)):
                raise
            raise client.RefusedError(_TOO_OLD) from error

    def site(self, prefixes: Sequence[Prefix] = (), *, whole: bool = False) -> SiteStatus:
        """Return what is known of the machines of the site, and of some prefixes there, or of all.

        Args:
            prefixes: those.
            whole: whether all is asked for; else that which needs attention.
        """
        from speaker.site_values import SiteStatus

        limits = {"all": "1"} if whole else {}
        return self._question("/site", SiteStatus.from_json, prefixes, limits)

    def schedule(self, request: WindowRequest) -> PlannedNow:
        """See `Planner.schedule`."""
        from speaker.planned import PlannedNow

        timeout = APPLY + client.EACH * len(request.prefixes)
        return self._order("/windows", PlannedNow.from_json, timeout, _body(request))

    def windows(self) -> Sequence[WindowStatus]:
        """See `Planner.windows`."""
        from speaker.planned import WindowStatus

        return self._question("/windows", WindowStatus.all_from_json)

    def cancel(self, cancellation: Cancellation) -> WindowStatus:
        """See `Planner.cancel`."""
        from speaker.planned import WindowStatus

        body = cancellation.to_json()
        return self._order("/windows/cancel", WindowStatus.from_json, APPLY, body)

    def report(self, name: str, request: ReportRequest) -> ReportStatus:
        """See `Reporter.report`."""
        from speaker.reported import ReportStatus

        return self._order(
            f"/v1/reports/{name}", ReportStatus.from_json, APPLY, request.to_json(), method="PUT"
        )

    def reports(self) -> Sequence[ReportStatus]:
        """See `Reporter.reports`."""
        from speaker.reported import ReportStatus

        return self._question("/v1/reports", ReportStatus.all_from_json)

    def reload(self, count: int) -> Reloaded:
        """Make it read vip.toml again, which has that many prefixes."""
        timeout = client.timeout_for(count)
        return self._order("/reload", Reloaded.from_json, timeout, None, patience=UNTIL_STARTED)

    def _question(
        self,
        target: str,
        read: Callable[[object], T],
        prefixes: Sequence[Prefix] = (),
        limits: Mapping[str, str | Sequence[str]] = MappingProxyType({}),
    ) -> T:
        """Ask on the socket for that, and on the operators' where it can't be used."""
        named = [("prefix", str(prefix)) for prefix in prefixes]
        fits = len(urlencode(named)) <= LINE  # an older watchdog knows no other form
        query = urlencode([*limits.items(), *(named if fits else ())], doseq=True)
        method, line = "GET" if fits else "POST", f"{target}?{query}" if query else target
        ask = partial(
            client.ask,
            method=method,
            target=line,
            body=None if fits else Question(prefixes=tuple(prefixes)).to_json(),
            timeout=self._timeout,
            patience=self._patience,
            sudo_user=sudo_user(),
        )
        try:
            answer = ask(self._read_socket, instead=self._control)
        except client.BusyError:  # readers must not keep an operator from asking
            with suppress(client.NotServedError, client.RefusedError):
                return self._read(ask(self._control), read)
            raise
        return self._read(answer, read)

    def _order(
        self,
        target: str,
        read: Callable[[object], T],
        timeout: float,
        body: object,
        *,
        patience: float | None = None,
        method: str = "POST",
    ) -> T:
        """Make it do something, within that many seconds."""
        answer = client.ask(
            self._control,
            method,
            target,
            body,
            timeout=timeout,
            patience=self._patience if patience is None else patience,
            sudo_user=sudo_user(),
        )
        return self._read(answer, read)

    def _read(self, answer: object, read: Callable[[object], T]) -> T:
        try:
            return read(answer)
        except FormError as error:
            raise client.OutcomeUnknownError(
                f"control: {self._control}: {error}; whether it was done is unknown: "
                "restart vip_watchdog, and see vip_mgmt status"
            ) from error


def _body(request: IntentRequest) -> dict[str, object]:
    """Return a request as JSON, without what is not asked for, of which an older watchdog does not know."""
    body = request.to_json()
    for key in ("last", "force", "extent", "within", "own"):
        if not body.get(key, True):
            del body[key]
    return body
