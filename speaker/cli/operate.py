"""vip_mgmt -a and -d: has an operator's intent applied, and says what became of each prefix."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from policy.intent import Mode
from policy.wording import count, named
from speaker.api import IntentOutcome, RecordedIntent
from speaker.cli.arguments import ALL, DELETE
from speaker.cli.became import report, would_be
from speaker.cli.extents import wait_for_others
from speaker.cli.messages import tell_operator
from speaker.cli.site_said import report_site
from speaker.control.running import RunningWatchdog
from speaker.exit_status import ExitStatus
from speaker.site_values import Ordered, SiteOrder
from speaker.site_words import TIMEOUT
from speaker.terminal import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from contextlib import AbstractContextManager

    from policy.route import Prefix
    from speaker.api import Operations
    from speaker.cli.arguments import Call
    from speaker.cli.connections import ConnectionsSeen
    from speaker.config.settings import Config
    from speaker.site_values import SiteOperations

NAMED = 3
"""How many prefixes a line names that is about many."""


_DOING = {Mode.DRAINED: "withdrawing", Mode.DRAINING: "draining"}


def operate(
    call: Call,
    operations: SiteOperations,
    prefixes: Sequence[Prefix],
    rehearse: Callable[[Sequence[str]], None] = lambda _: None,
    drained_beside: Callable[[Collection[str]], ExitStatus] = lambda _: ExitStatus.DONE,
    foresee: Callable[[Sequence[str]], None] = lambda _: None,
    within: float = inf,
    connections: Callable[[], ConnectionsSeen] | None = None,
    others: float = TIMEOUT,
) -> ExitStatus:
    """Have what was asked for applied to some prefixes, and say what became of each.

    Args:
        call: what was asked for.
        operations: who is asked.
        prefixes: those.
        rehearse: says of prefixes that would be drained who takes over, and what goes there.
        drained_beside: waits until a second ExaBGP drains these prefixes, too.
        foresee: says of prefixes that drain, and are not waited for, where that takes the whole time.
        within: for how long a soft drain is waited for at most, in seconds.
        connections: makes what counts the new connections of what drains; None where nothing does.
        others: for how long other machines are waited for where the call does not say, in seconds.

    Raises:
        PolicyError: the reason is none that can be recorded; nothing was done.
        SpeakerError: it could not be asked for, or was refused; nothing was changed.
    """
    with in_progress(call, count(len(prefixes), "prefix")):
        ordered = _asked(call, operations, prefixes, others)
    outcomes = ordered.outcomes
    _say_what_is_replaced(outcomes, call)
    if ALL in call.words:
        outcomes = _without_elsewhere(outcomes)
    results = [report(outcome, call) for outcome in outcomes]
    for text in _alarms(outcomes):
        tell_operator(f"TROUBLE: {text}")
    done = ExitStatus.DONE if all(results) else ExitStatus.NOT_AS_WANTED
    if call.mode in _DOING and not call.dry_run:
        drained = [o.prefix for o, is_well in zip(outcomes, results, strict=True) if is_well]
        beside = drained_beside(drained) if drained else ExitStatus.DONE
        done = done if beside is ExitStatus.DONE else beside
    if ordered.site is not None:
        confirmed = report_site(ordered.site, call)
        done = done if confirmed is ExitStatus.DONE else confirmed
    if call.mode is Mode.DRAINING:
        done = _drain(call, operations, outcomes, done, rehearse, foresee, within, connections)
    return _until(call, operations, outcomes, done) if call.until else done


def _asked(
    call: Call, operations: SiteOperations, prefixes: Sequence[Prefix], others: float
) -> Ordered:
    """Ask for what a call wants, for whom it is. See `operate`."""
    order = SiteOrder(
        mode=call.mode,
        prefixes=tuple(prefixes),
        reason=call.reason,
        seconds=call.seconds,
        dry_run=call.dry_run,
        last=call.last,
        force=call.force,
        extent=call.extent,
        within=wait_for_others(call, others),
    )
    return operations.order(order) if call.extent else Ordered(operations.apply(order))


def in_progress(call: Call, what: str) -> AbstractContextManager[None]:
    """Return a context that says on a terminal what is done to what, where that takes a while."""
    doing = _DOING.get(call.mode, "restoring")
    return waiting(f"{doing} {what}: waiting for vip_watchdog and its sessions")


def _until(
    call: Call,
    operations: Operations,
    outcomes: Sequence[IntentOutcome | RecordedIntent],
    done: ExitStatus,
) -> ExitStatus:
    """Wait for what witnesses have."""
    from speaker.cli.until import until  # noqa: PLC0415 - for those who wait alone

    prefixes = {each.prefix for each in outcomes}
    gone = call.command == DELETE
    seen = until(operations, prefixes, gone=gone, timeout=call.timeout)
    return done if seen is ExitStatus.DONE else seen


def _drain(
    call: Call,
    operations: Operations,
    outcomes: Sequence[IntentOutcome | RecordedIntent],
    done: ExitStatus,
    rehearse: Callable[[Sequence[str]], None],
    foresee: Callable[[Sequence[str]], None],
    within: float,
    connections: Callable[[], ConnectionsSeen] | None,
) -> ExitStatus:
    """Say what would become of a soft drain, or follow it to its end."""
    draining = [each.prefix for each in outcomes if _drains(each)]
    if call.dry_run:
        rehearse([each.prefix for each in outcomes if _drains(each) or _is_unseen(each)])
    elif draining and call.no_wait:
        foresee(draining)
    elif draining:
        from speaker.cli.draining import follow  # noqa: PLC0415 - for those who wait alone

        made = dict if connections is None else connections().look
        followed = follow(operations, draining, within, connections=made)
        return done if followed is ExitStatus.DONE else followed
    return done


def _is_unseen(outcome: IntentOutcome | RecordedIntent) -> bool:
    """Whether nothing is known of a prefix but what is recorded."""
    return isinstance(outcome, RecordedIntent)


def _drains(outcome: IntentOutcome | RecordedIntent) -> bool:
    """Whether a prefix drains softly now, or would: not what was withdrawn already."""
    return isinstance(outcome, IntentOutcome) and outcome.wanted is True


def reload(config: Config) -> ExitStatus:
    """Have the watchdog take the file that was just found to be without fault.

    Raises:
        SpeakerError: it did not, or does not answer.
    """
    with waiting("waiting for vip_watchdog to load vip.toml"):
        said = RunningWatchdog.of(config).reload(len(config.topology.prefixes)).said
    tell_operator(said)
    return ExitStatus.DONE


def _say_what_is_replaced(outcomes: Sequence[IntentOutcome | RecordedIntent], call: Call) -> None:
    """Say which intents are no longer in force: each once, but for a drain that is lifted, which was asked for."""
    replaced: dict[str, list[str]] = {}
    would = would_be(call)
    for outcome in outcomes:
        is_lifted = call.mode is Mode.AUTO and outcome.was.startswith(f"{Mode.DRAINED} ")
        if outcome.was and not is_lifted:
            replaced.setdefault(outcome.was, []).append(outcome.prefix)
    for was, prefixes in replaced.items():
        tell_operator(f"{named(prefixes, NAMED)}: {would}replaced: {was}")


def _alarms(outcomes: Sequence[IntentOutcome | RecordedIntent]) -> Iterable[str]:
    """Return the alarms that stand against what was asked for, each once."""
    told = (each.trouble for each in outcomes if isinstance(each, IntentOutcome))
    return dict.fromkeys(text for texts in told for text in texts)


def _without_elsewhere(
    outcomes: Sequence[IntentOutcome | RecordedIntent],
) -> Sequence[IntentOutcome | RecordedIntent]:
    """Say what is not announced here, as other data centres do; return the rest: `all` means all of that."""
    here: list[IntentOutcome | RecordedIntent] = []
    elsewhere: list[str] = []
    for outcome in outcomes:
        if isinstance(outcome, IntentOutcome) and _is_settled_elsewhere(outcome):
            elsewhere.append(outcome.prefix)
        else:
            here.append(outcome)
    if elsewhere:
        tell_operator(f"{named(elsewhere, NAMED)}: only other data centres announce it")
    return here


def _is_settled_elsewhere(outcome: IntentOutcome) -> bool:
    """Whether only other data centres announce a prefix, and this one does not, and did not."""
    return outcome.rank is None and outcome.as_wanted and outcome.before is False
