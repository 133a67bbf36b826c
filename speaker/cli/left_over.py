"""What a drain leaves here: at a second ExaBGP, and, of `-d all`, what vip_watchdog runs of another vip.toml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.wording import named
from speaker.cli.arguments import ALL
from speaker.cli.messages import tell_operator
from speaker.cli.second import drained_beside
from speaker.control.client import NotServedError
from speaker.control.running import RunningWatchdog
from speaker.errors import SpeakerError
from speaker.exit_status import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from policy.route import Prefix
    from speaker.api import Status
    from speaker.cli.arguments import Call
    from speaker.config.settings import Config
    from speaker.control.early import EarlyRequest

NAMED = 5
"""How many of them are named."""


def after_a_drain(
    call: Call, loaded: Config, early: EarlyRequest | None, prefixes: Collection[str]
) -> ExitStatus:
    """Say what a drain leaves announced here. Return whether it leaves nothing.

    Args:
        call: what was asked.
        loaded: the configuration that it went by.
        early: what was asked before that was parsed: what was done then is of the very file that vip_watchdog runs.
        prefixes: those that are drained.
    """
    settings = loaded.settings
    done = drained_beside(settings.control, settings.backend, prefixes)
    if ALL not in call.words or (early is not None and early.may_be_done()):
        return done
    return done or say_left_over(RunningWatchdog.of(loaded).status, loaded.topology.prefixes)


def say_left_over(status: Callable[[], Status], known: Collection[Prefix]) -> ExitStatus:
    """Say what is announced here, or may be, and is not in vip.toml: vip_watchdog has loaded another one.

    Args:
        status: asks it.
        known: the prefixes of vip.toml.
    """
    asked = {*map(str, known)}
    try:
        routes = status().routes
    except NotServedError:
        return ExitStatus.DONE
    except SpeakerError as error:
        tell_operator(f"whether anything else is announced here is not known: {error}")
        return ExitStatus.NOT_AS_WANTED
    left = [r for r in routes if r.prefix not in asked and r.announced is not False]
    if not left:
        return ExitStatus.DONE
    names = named([f"{route.vip} {route.prefix}" for route in left], NAMED)
    tell_operator(
        f"still announced here: {names}: vip_watchdog runs another vip.toml, which has more than this one; "
        "vip_mgmt reload withdraws it"
    )
    return ExitStatus.NOT_AS_WANTED
