"""Owns what a person types on a machine with the package beside them: lines of the pages, as they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.live.runbook import blocks
from tests.systemd.wheels import SOURCE

if TYPE_CHECKING:
    from tests.support.lab.machine import Machine

_STATUS = re.compile("^(?=vip_mgmt status)", re.MULTILINE)
_WELL = "timeout 60 sh -c 'until vip_mgmt status >/dev/null 2>&1; do sleep 0.2; done' || true\n"
"""Who looks looks again, until all is well."""
_EXPLAIN = re.compile("^vip_mgmt explain [0-9a-z.-]+$", re.MULTILINE)
_ANSWERED = "timeout 60 sh -c 'until {0} >/dev/null 2>&1; do sleep 0.2; done' || true\n{0}"
"""Who asks why asks again, until there is an answer: whoever types it is slower than a service starts."""


def block(page: str, heading: str, number: int = 0) -> str:
    """Return a block of shell of a page.

    Args:
        page: its path.
        heading: above the block, of the second level.
        number: of the block under the heading.
    """
    return blocks(SOURCE / page)[heading][number]


def typed(machine: Machine, text: str, folder: str = "/root") -> str:
    """Run lines; none may fail, what apt asks is answered with yes, and `status` is looked at until it is well; `explain`, until it answers.

    Args:
        machine: where.
        text: the lines.
        folder: where they are typed.

    Returns:
        What they print on either stream.
    """
    machine.write("/etc/apt/apt.conf.d/99yes", 'APT::Get::Assume-Yes "true";\n')
    text = _STATUS.sub(_WELL, text)
    text = _EXPLAIN.sub(lambda match: _ANSWERED.format(match[0]), text)
    return machine.sh(f"exec 2>&1; export DEBIAN_FRONTEND=noninteractive; cd {folder}\n{text}")
