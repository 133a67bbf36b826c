"""What the bgpd of this machine has sent: its sessions, and the table that it shows of each. It is only asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speaker.backends.quagga import sent
from speaker.backends.quagga.summary import parse_summary
from speaker.errors import SpeakerError
from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.updates.as_sent import Tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speaker.backends.quagga.vtysh import Vtysh

_SUMMARIES = ("show ip bgp summary", "show bgp summary")
"""Quagga 0.99 says nothing of IPv4 in the second one."""


async def ask(vtysh: Vtysh) -> Tables:
    """Ask what each session was sent.

    Raises:
        MigrationError: bgpd can't be asked, or does not tell.
    """
    try:
        sessions = parse_summary(await _show(vtysh, _SUMMARIES))
        about = sent.asked(sessions)
        found = sent.answers(about, await _show(vtysh, sent.questions(about)) if about else ())
    except SpeakerError as error:
        raise MigrationError(f"@running: {error}") from error
    if found is None:
        raise MigrationError(
            "@running: vtysh: show bgp neighbors … advertised-routes: the answer is not whole; try it by hand"
        )
    silent = {
        (session.address, version)
        for session in sessions
        for version, state in session.states.items()
        if state.needs_policy
    }
    return Tables(
        {(each.name, each.version): tuple(rows) for each, rows in found.items()}
        | dict.fromkeys(silent, ())
    )


async def _show(vtysh: Vtysh, commands: Sequence[str]) -> Sequence[str]:
    return (await vtysh([*commands])).stdout.splitlines()
