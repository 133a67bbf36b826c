"""An operator's intent, applied by a watchdog: what vip_mgmt -a and -d ask for, and what came of it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from policy.drain import resolved
from speaker.api import IntentOutcome, RecordedIntent
from speaker.reconcile import status
from speaker.supervision.steps import in_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence

    from policy.intent import Intent
    from policy.route import Prefix
    from speaker.api import PrefixStatus
    from speaker.reconcile.reconciler import Reconciler

    Intents = Mapping[Prefix, Intent]
    Recorder = Callable[[Intents], Coroutine[Any, Any, Intents]]

log = logging.getLogger(__name__)

WITHIN, WITHIN_EACH = 7.0, 0.01
"""For how long an operator waits for the daemon, in seconds, and how much longer for each prefix."""
AT_LEAST = 0.5
"""... although recording took longer."""


async def apply_intent(
    reconciler: Reconciler,
    prefixes: Sequence[Prefix],
    intent: Intent,
    *,
    dry_run: bool,
    record: Recorder | None = None,
) -> Sequence[IntentOutcome | RecordedIntent]:
    """Record and apply an intent, and return what became of each prefix.

    Where the daemon has not confirmed it in time, nothing is known but that it is recorded: it is
    still being carried out then.

    Args:
        reconciler: carries it out.
        prefixes: those that were named.
        intent: what the operator wants of them.
        dry_run: whether only to return what would be.
        record: records intents durably, and returns those that they replace; None for this machine's own.

    Raises:
        StoreError: it could not be recorded; nothing was changed.
    """
    intents = dict.fromkeys(prefixes, intent)
    if dry_run:
        await reconciler.read_back_if_changed()
        in_force = reconciler.durable.intents.in_force()
        intents = dict(await in_steps((p, resolved(intent, in_force.get(p))) for p in prefixes))
        before = dict(await in_steps(status.announced(reconciler, prefixes)))
        was = dict(await in_steps(_in_words(in_force)))
        here = reconciler.assignments
        # Some may have left it meanwhile: of them nothing is told, as where it is carried out.
        intents = {p: wanted for p, wanted in intents.items() if p in here}
        return await _told(await status.foreseen(reconciler, intents), before, was)
    clock = reconciler.clock
    reconciler.meter.asked()
    within = WITHIN + WITHIN_EACH * len(prefixes)
    end = clock.steady() + within
    # A caller that hangs up must not leave it half done.
    recording = asyncio.ensure_future((record or reconciler.operator.record)(intents))
    carrying = asyncio.ensure_future(_carry_out_what_is_recorded(reconciler, intents, recording))
    try:
        await asyncio.sleep(0)  # which lets the disk begin: what follows is only for the answer
        before = dict(
            status.announced(reconciler, prefixes)
        )  # in one piece: before it is carried out
        was = dict(await in_steps(_in_words(await asyncio.shield(recording))))
        await asyncio.wait({carrying}, timeout=max(end - clock.steady(), AT_LEAST))
    finally:
        if not carrying.done():  # then nobody waits for it any more
            carrying.add_done_callback(_say_what_failed)
    if carrying.done():
        carrying.result()
        return await _outcomes(reconciler, prefixes, before, was)
    why = "".join(f"; {text}" for text in reconciler.alarms.texts)
    said = f"{intent.mode} is recorded; {not_confirmed(within)}{why}"
    return [
        RecordedIntent(prefix=str(prefix), recorded=said, was=was.get(str(prefix), ""))
        for prefix in prefixes
    ]


async def carry_out(
    reconciler: Reconciler, prefixes: Sequence[Prefix], intent: Intent, was: Mapping[str, str]
) -> Sequence[IntentOutcome]:
    """Apply an intent that was recorded before the watchdog read the state file. See `take`.

    Args:
        reconciler: carries it out.
        prefixes: those that were named.
        intent: what the operator wants of them.
        was: the intents that it replaced, in words, by prefix.
    """
    before = dict(status.announced(reconciler, prefixes))
    await reconciler.operator.carry_out(dict.fromkeys(prefixes, intent))
    return await _outcomes(reconciler, prefixes, before, was)


async def _carry_out_what_is_recorded(
    reconciler: Reconciler, intents: Mapping[Prefix, Intent], recording: asyncio.Future[Any]
) -> None:
    await asyncio.wait({recording})
    if not recording.cancelled() and recording.exception() is None:
        await reconciler.operator.carry_out(intents, is_noted=True)
    else:
        reconciler.recorder.note()


def _say_what_failed(carrying: asyncio.Future[None]) -> None:
    """Log why an intent was not applied: no caller is told."""
    if not carrying.cancelled() and (error := carrying.exception()) is not None:
        log.error("an intent was recorded, and not carried out at once: %s", error)


def _in_words(intents: Mapping[Prefix, Intent]) -> Iterator[tuple[str, str]]:
    return ((str(prefix), str(intent)) for prefix, intent in intents.items())


async def _outcomes(
    reconciler: Reconciler,
    prefixes: Sequence[Prefix],
    before: Mapping[str, bool | None],
    was: Mapping[str, str],
) -> list[IntentOutcome]:
    now = status.Snapshot(reconciler)
    return await _told(now.routes(prefixes), before, was, now.alarms)


async def _told(
    routes: Iterator[PrefixStatus],
    before: Mapping[str, bool | None],
    was: Mapping[str, str],
    alarms: Sequence[str] = (),
) -> list[IntentOutcome]:
    return await in_steps(
        IntentOutcome(
            **route.values(),
            before=before[route.prefix],
            was=was.get(route.prefix, ""),
            trouble=tuple(alarms) if route.announced is None else (),
        )
        for route in routes
    )


def not_confirmed(within: float) -> str:
    """Say that the daemon has not confirmed an intent.

    Args:
        within: for how long it was waited for, in seconds.
    """
    return f"not confirmed within {within:.0f} s, so what the peers have is unknown: see vip_mgmt status"
