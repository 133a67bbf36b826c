"""systemctl, as vip_mgmt restart needs it: starts, restarts and stops the units of this program, and no other."""

from __future__ import annotations

import subprocess
from typing import Protocol

from speaker.errors import SpeakerError
from speaker.printable import printable

FIRST, BESIDE = "exabgp-vip.service", "exabgp-vip-beside.service"
"""ExaBGP, and the second one."""
WATCHDOG = "vip-watchdog.service"
"""vip_watchdog beside bgpd."""
WITHIN = 90.0
"""How long a unit may take to stop and start, in seconds."""
SHOWN = 2000
"""How many letters are shown of what it said."""


class UnitError(SpeakerError):
    """A unit was not started, restarted or stopped."""


_STOPPED = {"inactive", "failed"}


class Units(Protocol):
    """What starts and stops units."""

    def do(self, verb: str, unit: str) -> None:
        """Start, restart or stop a unit, and wait until that is done.

        Raises:
            UnitError: it was not, or it is not known whether it was.
        """


class Systemctl:
    """systemd's own command. It is `Units`."""

    def is_stopped(self, unit: str) -> bool:
        """Tell whether systemd says that a unit does not run; not where that is not known."""
        try:
            return _run("is-active", unit).stdout.strip() in _STOPPED
        except (OSError, subprocess.TimeoutExpired):
            return False

    def do(self, verb: str, unit: str) -> None:
        """See `Units.do`."""
        failed = f"systemctl {verb} {unit}"
        try:
            done = _run(verb, unit)
        except OSError as error:
            raise UnitError(f"{failed}: {error.strerror}; this needs systemd") from error
        except subprocess.TimeoutExpired as error:
            raise UnitError(
                f"{failed}: not done after {WITHIN:g}s; see systemctl status {unit}"
            ) from error
        if done.returncode:
            said = printable(" ".join((done.stdout + done.stderr).split())[:SHOWN])
            raise UnitError(f"{failed}: exit status {done.returncode}: {said}")


def _run(verb: str, unit: str) -> subprocess.CompletedProcess[str]:
    command = ["systemctl", "--no-ask-password", verb, unit]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=WITHIN,
        check=False,
    )
