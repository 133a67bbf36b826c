"""What became of one prefix for which an operator asked something, in lines; the shell toolkit's, where it had one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.intent import Mode, timestamp
from speaker.api import RecordedIntent
from speaker.cli.messages import tell_operator

if TYPE_CHECKING:
    from speaker.api import IntentOutcome
    from speaker.cli.arguments import Call


def would_be(call: Call) -> str:
    """Return what stands before what is only rehearsed."""
    return "would be: " if call.dry_run else ""


def report(outcome: IntentOutcome | RecordedIntent, call: Call) -> bool:
    """Say what became of one prefix; return whether it is as the operator wants."""
    if isinstance(outcome, RecordedIntent):
        tell_operator(f"{outcome.prefix}: {outcome.recorded}")
        return False
    if call.mode is Mode.DRAINING and outcome.kept_back:
        return _report_kept_draining(outcome, would_be(call))
    if call.mode is Mode.DRAINED or (call.mode is Mode.DRAINING and not outcome.wanted):
        return _report_withdrawn(outcome, would_be(call), is_soft=call.mode is Mode.DRAINING)
    if call.mode is Mode.DRAINING:
        return _report_draining(outcome, would_be(call))
    return _report_announced(outcome, call, would_be(call))


def _report_withdrawn(outcome: IntentOutcome, would: str, *, is_soft: bool) -> bool:
    prefix, done = outcome.prefix, outcome.as_wanted
    if done and outcome.before is False:
        tell_operator(f"{would}Route {prefix} already removed", tag=False)
        if outcome.aggregate and outcome.aggregate_announced is not False:
            tell_operator(f"{prefix}: warning: {_state(outcome)}, and attracts its clients")
        if outcome.rank is None or is_soft:  # it would else be taken for a drain that is over
            tell_operator(f"{prefix}: {outcome.reason}")
        return True
    tell_operator(f"{would}Deleting route to {prefix}")
    if not done:
        tell_operator(f"{prefix}: not confirmed as withdrawn: {outcome.full_reason}")
    return done


def _report_draining(outcome: IntentOutcome, would: str) -> bool:
    """Say that a prefix is announced so that others are preferred; return whether it is."""
    done = outcome.announced is True and outcome.as_wanted
    tell_operator(f"{would}Draining route to {outcome.prefix}")
    if not done:
        tell_operator(f"{outcome.prefix}: not confirmed as draining: {outcome.full_reason}")
    return done


def _report_kept_draining(outcome: IntentOutcome, would: str) -> bool:
    """Say that a prefix drains for which an aggregate stands; return whether that is as it must be."""
    prefix, whole = outcome.prefix, outcome.aggregate
    tell_operator(f"{would}Draining route to {prefix}")
    tell_operator(
        f"{prefix}: {_state(outcome)} (summary_only), so this moves no traffic; what goes to all of {whole} is moved by "
        f"vip_mgmt -d {whole} --soft"
    )
    return outcome.as_wanted


def _state(outcome: IntentOutcome) -> str:
    """Say what is known of the aggregate that stands for a prefix."""
    state = {True: "is", False: "is not", None: "may be"}[outcome.aggregate_announced]
    return f"{outcome.aggregate} {state} announced in its place"


def _report_kept_back(outcome: IntentOutcome, would: str) -> bool:
    """Say that an aggregate stands for a prefix; return whether it does."""
    tell_operator(f"{outcome.prefix}: {would}not announced by itself: {_state(outcome)}")
    return outcome.aggregate_announced is True


def _softly(outcome: IntentOutcome, call: Call) -> str:
    """Say that it is announced softly first, or as its rank after it was announced softly; nothing for neither."""
    if call.mode is Mode.RETURNING and outcome.intent == Mode.RETURNING:
        drain = outcome.drain
        known = drain is not None and drain.stage == Mode.RETURNING and drain.ends is not None
        until = f"until {timestamp(drain.ends)}" if known and drain and drain.ends else "at first"
        return f"announced softly {until}, then as its rank"
    was_soft = outcome.was.startswith((f"{Mode.DRAINING} ", f"{Mode.RETURNING} "))
    return "announced as its rank, and softly no longer" if was_soft and outcome.before else ""


def _report_not_announced(outcome: IntentOutcome, would: str) -> bool:
    """Say why a prefix is not announced, or not known to be."""
    prefix = outcome.prefix
    if outcome.wanted and outcome.lack:
        cause = f": not done: {outcome.failure}" if outcome.failure else ""
        tell_operator(f"{prefix}: {would}recorded; {outcome.lack}{cause}")
    elif outcome.announced is None:
        tell_operator(f"{prefix}: not confirmed as announced: {outcome.full_reason}")
    elif outcome.before is False:
        tell_operator(f"{prefix}: stays withdrawn: {outcome.full_reason}")
    else:
        tell_operator(f"{would}Deleting route to {prefix}")
        tell_operator(f"{prefix}: {would}withdrawn: {outcome.full_reason}")
    return False


def _report_announced(outcome: IntentOutcome, call: Call, would: str) -> bool:
    if outcome.kept_back:
        return _report_kept_back(outcome, would)
    prefix, announced = outcome.prefix, outcome.announced
    done = announced is True and outcome.as_wanted
    if announced is not True:
        return _report_not_announced(outcome, would)
    if outcome.before is True:
        tell_operator(f"{would}Route {prefix} already exists", tag=False)
    else:
        tell_operator(f"{would}Adding route to {prefix}")
    if softly := _softly(outcome, call):
        tell_operator(f"{prefix}: {would}{softly}")
    if outcome.health == "unknown":
        tell_operator(f"{prefix}: warning: {outcome.reason}")
    if outcome.wanted and outcome.health == "down" and call.mode is not Mode.FORCED:
        # the guard holds it for a moment, or no other data centre has it
        tell_operator(
            f"{prefix}: warning: its health is bad, and it is withdrawn when nothing keeps it any more: "
            f"{outcome.full_reason}"
        )
        return False
    if not done:
        tell_operator(f"{prefix}: not as decided: {outcome.full_reason}")
    return done
