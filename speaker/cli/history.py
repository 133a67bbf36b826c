"""vip_mgmt history: what was done, of late or since a time; and what is done from now on."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from speaker.cli.messages import tell_operator
from speaker.cli.tables import history_table
from speaker.errors import SpeakerError
from speaker.exit_status import ExitStatus
from speaker.terminal import has_reader, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policy.route import Prefix
    from speaker.api import HistoryEntry, Operations
    from speaker.cli.arguments import Call

EVERY = 1.0
"""How often to ask what is new, in seconds."""
LATE = 60.0
"""For how long something that was done may wait to be recorded, in seconds: an intent that ended by itself, too."""


def history(
    call: Call,
    operations: Operations,
    about: Sequence[Prefix | str],
    wait: Callable[[float], None] = time.sleep,
) -> ExitStatus:
    """Print what was done with some prefixes and reports, or with all; go on with what is new where that is asked for.

    Args:
        call: what was asked for.
        operations: who is asked.
        about: prefixes, and reports as `report/NAME`; none for all.
        wait: lets some seconds pass.

    Raises:
        SpeakerError: there is no answer to the first question.
    """
    since = None if call.since is None else time.time() - call.since
    entries = operations.history(about, since)
    if not call.follow:
        whole = json.dumps([each.to_json() for each in entries], indent=2)
        tell(whole if call.as_json else history_table(entries))
        return ExitStatus.DONE
    show = _line_json if call.as_json else _line
    try:
        _follow(operations, about, entries, show, wait)
    except KeyboardInterrupt:
        return ExitStatus.DONE
    return ExitStatus.DONE


def _follow(
    operations: Operations,
    about: Sequence[Prefix | str],
    entries: Sequence[HistoryEntry],
    show: Callable[[HistoryEntry], str],
    wait: Callable[[float], None],
) -> None:
    """Print entries, and those that come, each once, as long as somebody reads."""
    told: dict[HistoryEntry, None] = {}
    trouble, newest = "", time.time()
    while True:
        for entry in entries:
            if entry not in told:
                tell(show(entry))
        newest = max([newest, *(entry.time for entry in entries if entry.time <= time.time())])
        told |= dict.fromkeys(entries)
        told = {entry: None for entry in told if entry.time >= newest - LATE - EVERY}
        entries = ()
        if not has_reader():
            return
        wait(EVERY)
        try:
            entries = operations.history(about, newest - LATE)
        except SpeakerError as error:
            if str(error) != trouble:
                tell_operator(str(error))
            trouble = str(error)
        else:
            trouble = ""


def _line(entry: HistoryEntry) -> str:
    return history_table([entry])


def _line_json(entry: HistoryEntry) -> str:
    return json.dumps(entry.to_json())
