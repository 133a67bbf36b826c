"""vip_mgmt restart: restarts ExaBGP, and waits until all peers that had a route have it again.

With `--beside` the routes never go, whatever the routers can do: a second ExaBGP, with sessions from another address, is
started first; the first is restarted when each peer that has a route from it has the route from the second, too; and
the second is stopped when each has it from the first again. At each moment one of the two announces what is wanted. What
can't be seen stops it where it is: before the restart the second one is stopped, and after it, it goes on.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from policy.wording import count, named
from speaker.cli.commands import UsageError
from speaker.cli.messages import tell_operator
from speaker.cli.one_restart import one_restart
from speaker.cli.systemctl import BESIDE, FIRST, WATCHDOG, Systemctl, UnitError
from speaker.control.running import RunningWatchdog
from speaker.errors import SpeakerError
from speaker.exit_status import ExitStatus
from speaker.terminal import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from speaker.api import Status
    from speaker.cli.arguments import Call
    from speaker.cli.systemctl import Units
    from speaker.config.settings import Config

    class AskedWatchdog(Protocol):
        """A watchdog that can be asked."""

        def status(self) -> Status:
            """Return the whole state."""


EVERY, WITHIN, WITHIN_EACH = 0.2, 60.0, 0.01
"""How often to ask, and for how long at most, in seconds, and in addition for each prefix."""
SETTLE = 5.0
"""How long routers get to take a path that they were just sent, before the other one goes, in seconds."""
NAMED = 3
"""How many prefixes a line names that is about many."""

Had = dict[str, frozenset[str]]
"""Prefix -> the addresses of the peers that were sent it."""


class NotSeenError(SpeakerError):
    """What was waited for was not seen in time."""


class Restart:
    """One restart.

    Args:
        watchdog: of what is restarted.
        beside: of the second ExaBGP.
        units: starts and stops both.
        unit: what is restarted.
        wait: lets some seconds pass.
        steady: seconds on the steady clock.
    """

    def __init__(
        self,
        watchdog: AskedWatchdog,
        beside: AskedWatchdog,
        units: Units,
        unit: str = FIRST,
        wait: Callable[[float], None] = time.sleep,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watchdog, self._beside = watchdog, beside
        self._units, self._unit = units, unit
        self._wait, self._steady = wait, steady

    def run(self, *, beside: bool) -> ExitStatus:
        """Do it, and return whether all that was announced is announced again.

        Raises:
            SpeakerError: something was not as it must be; it says what goes on.
        """
        had = self._had()
        if not beside:
            self._restart(had)
            return ExitStatus.DONE
        self._second(had)
        try:
            self._wait(SETTLE)
            self._restart(had)
            self._wait(SETTLE)
        except (SpeakerError, KeyboardInterrupt):
            tell_operator(
                f"{BESIDE} goes on, and has the routes; when {self._unit} has them again "
                f"(vip_mgmt status): systemctl stop {BESIDE}"
            )
            raise
        self._units.do("stop", BESIDE)
        tell_operator(f"{BESIDE} is stopped")
        return ExitStatus.DONE

    def _had(self) -> Had:
        """Return who was sent what. What is on its way would be lost by a restart."""
        state = self._watchdog.status()
        late = [route.prefix for route in state.routes if not route.as_wanted]
        if late:
            raise NotSeenError(
                f"restart: not as wanted: {named(late, NAMED)}; nothing was restarted: see vip_mgmt status, and wait, or "
                f"systemctl restart {self._unit}"
            )
        return _sent(state)

    def _second(self, had: Had) -> None:
        """Have the second one announce all, or not be there."""
        try:
            self._units.do("start", BESIDE)
            took = self._until(self._beside, had, f"{BESIDE} to have the routes")
        except BaseException:
            said = f"{BESIDE} is stopped"
            try:
                self._units.do("stop", BESIDE)
            except UnitError as error:
                said = str(error)
            tell_operator(f"nothing was restarted; {said}; it is set up by docs/restart.md")
            raise
        tell_operator(f"{BESIDE} has {_counted(had)} after {took:.1f}s")

    def _restart(self, had: Had) -> None:
        self._units.do("restart", self._unit)
        took = self._until(self._watchdog, had, f"{self._unit} to have the routes again")
        tell_operator(f"{self._unit} has {_counted(had)} again, {took:.1f}s after its restart")

    def _until(self, asked: AskedWatchdog, had: Had, what: str) -> float:
        """Wait until who is asked has sent all to each who had it; return after how many seconds that was."""
        began = self._steady()
        end = began + WITHIN + WITHIN_EACH * len(had)
        lack = "vip_watchdog does not answer"
        with waiting(f"waiting for {what}"):
            while True:
                try:
                    lack = _lack(had, asked.status())
                except SpeakerError as error:
                    lack = str(error)
                now = self._steady()
                if not lack:
                    return now - began
                if now >= end:
                    raise NotSeenError(f"restart: waited {now - began:.0f}s for {what}: {lack}")
                self._wait(EVERY)


def _sent(state: Status) -> Had:
    """Return who was sent what is announced. Sessions of one peer from several addresses are one."""
    return {
        route.prefix: frozenset(
            name.partition(" ")[0] for name, was_sent in route.peers.items() if was_sent
        )
        for route in state.routes
        if route.announced and route.wanted
    }


def _lack(had: Mapping[str, frozenset[str]], state: Status) -> str:
    """Say what is not as it was: who lacks what is still wanted, and what is not decided yet."""
    sent = _sent(state)
    wanted = {route.prefix: route.wanted for route in state.routes}
    lacking = [
        prefix
        for prefix, peers in had.items()
        if wanted.get(prefix) is not False and not peers <= sent.get(prefix, frozenset())
    ]
    return f"not sent to all who had it: {named(lacking, NAMED)}" if lacking else ""


def _counted(had: Had) -> str:
    peers = frozenset[str]().union(*had.values())
    return f"{len(had)} prefix{'' if len(had) == 1 else 'es'} for {count(len(peers), 'peer')}"


def restart(call: Call, config: Config) -> ExitStatus:
    """Restart what the configuration says runs here.

    Raises:
        SpeakerError: it could not be done, or its end was not seen.
    """
    settings = config.settings
    if call.beside and not settings.is_spawned:
        raise UsageError(
            "--beside: backend quagga: the sessions are bgpd's, which vip_mgmt restart does not touch"
        )
    timeout = 10.0 + WITHIN_EACH * len(config.topology.prefixes)
    first = RunningWatchdog.of(config, timeout=timeout)
    second = RunningWatchdog(settings.beside, settings.beside, timeout=timeout)
    unit = FIRST if settings.is_spawned else WATCHDOG
    try:
        with one_restart(settings.state.parent):
            return Restart(first, second, Systemctl(), unit).run(beside=call.beside)
    except KeyboardInterrupt:
        tell_operator("interrupted; see vip_mgmt status")
        return ExitStatus.NOT_AS_WANTED
