"""Why a roll does not begin with a machine: the same for the roll, and for what it says it would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.roll import nowhere_without
from policy.wording import named
from speaker.cli.other_rolls import NAMED, silent_beside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speaker.cli.rolling import States
    from speaker.site_values import SiteStatus


def not_begun(status: SiteStatus, states: States, name: str, *, last: bool) -> str:
    """Return why a machine, of which all is known, must not be drained, in words; nothing where it may.

    Args:
        status: what is known of the machines.
        states: which machine announces what, of the same.
        name: of the machine.
        last: whether it drains also what no other one announces.
    """
    if silent := silent_beside(status, name):
        return silent
    lost = () if last else nowhere_without(name, states)
    return nowhere(name, lost) if lost else ""


def nowhere(name: str, prefixes: Sequence[str]) -> str:
    """Say that no other machine announces what one does."""
    return f"{name}: no other machine announces {named(prefixes, NAMED)}; with --last it drains all the same"
