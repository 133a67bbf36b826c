"""While a second ExaBGP stands beside the first: what an operator drains, it too must have done before that is said."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from policy.intent import Mode
from speaker.cli.messages import tell_operator
from speaker.cli.systemctl import BESIDE as UNIT
from speaker.cli.systemctl import Systemctl
from speaker.control.client import NotServedError
from speaker.control.running import RunningWatchdog
from speaker.errors import SpeakerError
from speaker.exit_status import ExitStatus
from speaker.files.vip_toml import BESIDE, DEFAULT_BACKEND

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from speaker.api import Status

EVERY, WITHIN = 0.1, 9.0
"""How often it is asked, and for how long at most, in seconds: it looks each `health.interval`."""
_DRAINED = (Mode.DRAINED, Mode.DRAINING)


def drained_beside(control: Path, backend: str, prefixes: Collection[str]) -> ExitStatus:
    """Wait until the second ExaBGP drains these prefixes, too, where there is one. Say which it does not.

    Args:
        control: the operators' socket of the first one's watchdog.
        backend: of this machine: there is a second one with ExaBGP alone.
        prefixes: those.
    """
    if backend != DEFAULT_BACKEND:
        return ExitStatus.DONE
    path = control.with_name(BESIDE)
    has_ended = partial(_has_ended, path, Systemctl())
    return wait_until_drained(RunningWatchdog(path, path).status, prefixes, has_ended)


def _has_ended(path: Path, units: Systemctl) -> bool:
    """Tell whether a second ExaBGP whose socket nobody serves has ended: it removes that, but where its vip_watchdog was killed."""
    return not path.exists() or units.is_stopped(UNIT)


def wait_until_drained(
    status: Callable[[], Status],
    prefixes: Collection[str],
    has_ended: Callable[[], bool] = lambda: True,
    wait: Callable[[float], None] = time.sleep,
) -> ExitStatus:
    """Wait until a second ExaBGP drains these prefixes.

    Args:
        status: asks it.
        prefixes: those, which the first one drains.
        has_ended: whether it is known not to run, where its vip_watchdog does not serve: ExaBGP keeps its routes while that
            is started again.
        wait: lets some seconds pass.
    """
    asked = {*prefixes}
    for _ in range(round(WITHIN / EVERY)):
        try:
            left = [
                route.prefix
                for route in status().routes
                if route.prefix in asked and not (route.intent in _DRAINED and route.as_wanted)
            ]
        except NotServedError:
            if has_ended():
                return ExitStatus.DONE  # there is none, which is the rule
            left, why = [*asked], ": its vip_watchdog does not answer"
        except SpeakerError as error:
            left, why = [*asked], f": {error}"
        else:
            why = ""
        if not left:
            return ExitStatus.DONE
        wait(EVERY)
    for prefix in left:
        tell_operator(
            f"{prefix}: recorded; not confirmed at the second ExaBGP{why}; see systemctl status exabgp-vip-beside"
        )
    return ExitStatus.NOT_AS_WANTED
