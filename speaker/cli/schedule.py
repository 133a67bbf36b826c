"""vip_mgmt -d --at, schedule, cancel: plans drains, shows what is planned, takes it back."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.keep_last import KeepLast
from policy.local_time import moment_text, parse_moment
from policy.window import LATE
from policy.wording import named
from speaker import units
from speaker.cli.arguments import UsageError
from speaker.cli.messages import tell_operator
from speaker.cli.served import WatchdogOrFile
from speaker.exit_status import ExitStatus
from speaker.planned import Cancellation, WindowRequest
from speaker.terminal import table, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.local_time import Zone
    from policy.route import Prefix
    from speaker.cli.arguments import Call
    from speaker.config.settings import Config
    from speaker.planned import PlannedNow, Planner, WindowStatus

HERE_ALONE = "--at TIME: planned for this machine alone: plan it on each machine of the data centre"
"""What is said where the machines of a site know of one another."""
LAST_TOO = (
    "keep_last does not hold what is planned: it begins also where nobody else announces it then"
)
"""What is said where the last announcement is kept else: nobody can be asked for --last when the time comes."""
_NAMED = 3
_HEAD = ("ID", "BEGINS", "FOR", "LATE", "STATE", "WHAT", "PREFIXES", "BY", "REASON")


class HereZone:
    """The local time of this machine, or of TZ. It is `Zone`."""

    def seconds(self, local: datetime) -> float:
        """See `Zone.seconds`."""
        return local.timestamp()

    def local(self, seconds: float) -> datetime:
        """See `Zone.local`."""
        return datetime.fromtimestamp(seconds)  # noqa: DTZ006 - local time is what is asked for

    def name(self, seconds: float) -> str:
        """See `Zone.name`."""
        return time.localtime(seconds).tm_zone


def begins_at(text: str, now: float, zone: Zone) -> float:
    """Parse what --at takes, `+30m` or a time, into seconds since the epoch.

    Raises:
        PolicyError: it is neither, or a local time that does not exist, or is there twice.
    """
    try:
        if text.startswith("+"):
            return now + units.duration(text[1:])
        return parse_moment(text, zone)
    except (PolicyError, ValueError) as error:
        raise PolicyError(f"--at: {error}") from error


class FirstPlanner(WatchdogOrFile):
    """The watchdog that runs, or the state file where none does. It is `Planner`."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, "plans no drains")
        self.keeps_last = config.settings.witness.keep_last is not KeepLast.NEVER

    def schedule(self, request: WindowRequest) -> PlannedNow:
        """See `Planner.schedule`."""
        return self.asked(lambda asked: asked.schedule(request))

    def windows(self) -> Sequence[WindowStatus]:
        """See `Planner.windows`."""
        return self.asked(lambda asked: asked.windows())

    def cancel(self, cancellation: Cancellation) -> WindowStatus:
        """See `Planner.cancel`."""
        return self.asked(lambda asked: asked.cancel(cancellation))


def plan(call: Call, planner: Planner, prefixes: Sequence[Prefix]) -> ExitStatus:
    """Plan a drain, and say when it begins.

    Raises:
        PolicyError: it can't be planned so.
        SpeakerError: it could not be recorded.
    """
    zone, now = HereZone(), time.time()
    request = WindowRequest(
        mode=call.mode,
        prefixes=tuple(prefixes),
        reason=call.reason,
        seconds=call.seconds,
        dry_run=call.dry_run,
        at=begins_at(call.at, now, zone),
        late=LATE if call.late is None else call.late,
    )
    request.window("", now)  # what can't be is known before anybody is asked
    window = planner.schedule(request)
    until = f", until {moment_text(window.at + window.seconds, zone)}" if window.seconds else ""
    begins = f"{window.mode} from {moment_text(window.at, zone)}{until}{_overlap(window)}"
    if isinstance(planner, FirstPlanner) and planner.keeps_last:
        tell_operator(LAST_TOO)
    if window.nowhere:
        tell_operator(f"begun now, nobody else is known to announce {window.nowhere}")
    if call.dry_run:
        tell_operator(f"{_named(window)}: would be planned: {begins}")
        return ExitStatus.DONE
    is_served = not isinstance(planner, FirstPlanner) or planner.is_served
    tell_operator(
        f"{_named(window)}: {begins}; vip_mgmt cancel {window.number} takes it back"
        + ("" if is_served else "; it begins where a vip_watchdog runs then")
    )
    return ExitStatus.DONE


def _overlap(window: WindowStatus) -> str:
    """Say which others are to drain some of the same prefixes at the same time, and what comes of it; nothing for none."""
    if not window.overlaps:
        return ""
    several = "s" if len(window.overlaps) > 1 else ""
    return f" (overlaps window{several} {_ids(window)}: what is in both is drained until the later end)"


def _ids(window: WindowStatus) -> str:
    return ", ".join(map(str, window.overlaps))


def schedule(call: Call, planner: Planner) -> ExitStatus:
    """Show what is planned, and what was missed."""
    windows, zone = planner.windows(), HereZone()
    if call.as_json:
        tell(json.dumps([window.to_json() for window in windows], indent=2))
        return ExitStatus.DONE
    rows = [_row(window, zone) for window in windows]
    tell(table([_HEAD, *rows]) if rows else "nothing is planned")
    return ExitStatus.DONE


def _row(window: WindowStatus, zone: Zone) -> Sequence[str]:
    return (
        str(window.number),
        moment_text(window.at, zone),
        "-" if window.seconds is None else units.duration_text(window.seconds),
        units.duration_text(window.late),
        _state(window),
        window.mode,
        _named(window),
        window.owner,
        window.reason,
    )


def _state(window: WindowStatus) -> str:
    if window.missed is not None:
        return "missed"
    return f"planned, overlaps {_ids(window)}" if window.overlaps else "planned"


def _named(window: WindowStatus) -> str:
    return named(window.prefixes, _NAMED)


def cancel(call: Call, planner: Planner) -> ExitStatus:
    """Have a window not begin, and say which it was.

    Raises:
        UsageError: it is no number.
        SpeakerError: there is no such window, or it could not be done.
    """
    (word,) = call.words
    if not (word.isascii() and word.isdecimal() and 0 < len(word) < 19 and int(word)):
        raise UsageError(f"cancel: {word!r}: not an ID; vip_mgmt schedule has them")
    window = planner.cancel(Cancellation(number=int(word)))
    gone = "is no longer shown" if window.missed is not None else "cancelled"
    zone = HereZone()
    tell_operator(
        f"window {window.number} {gone}: {_named(window)}: {window.mode} from {moment_text(window.at, zone)}"
    )
    return ExitStatus.DONE
