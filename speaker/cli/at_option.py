"""--at, --here and --everywhere, and what they go with, as far as that is known without vip.toml."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from speaker.cli.commands import ADD, DELETE, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection

_TIME = re.compile(r"\+|\d{4}-\d\d-\d\dT", re.ASCII)


def is_time(text: str) -> bool:
    """Tell whether a value of --at is plainly a time: what it goes with is then known without vip.toml."""
    return _TIME.match(text) is not None


def check_together(command: str, given: Collection[str], at: str) -> None:
    """Refuse options about whom it is for, and when, that make no sense together whatever vip.toml has.

    Raises:
        UsageError: some do not.
    """
    if {"here", "everywhere"} <= {*given}:
        raise UsageError("--here and --everywhere exclude each other")
    if {"everywhere", "soft"} <= {*given} and command == DELETE and "force" not in given:
        raise UsageError(
            "--everywhere and --soft: no data centre is left to take over, and the last one to drain would be restored; add --force"
        )
    if "everywhere" in given and at:
        raise UsageError("--everywhere and --at exclude each other")
    if "here" in given and at and command == ADD:
        raise UsageError("--here and --at exclude each other")
    if "late" in given and not at:
        raise UsageError("--late is only valid with --at")
    if at and is_time(at):
        check_time(command, given)


def check_time(command: str, given: Collection[str]) -> None:
    """Refuse what makes no sense with a time. See `check_together`."""
    if command == ADD:
        raise UsageError(f"--at is only valid with {DELETE}")
    if {"until_gone", "until_seen"} & {*given}:
        raise UsageError("--until-… can't be combined with --at, --no-wait or --dry-run")
    if "last" in given:
        raise UsageError("--last and --at exclude each other: what is planned begins in any case")
    if "force" in given:
        raise UsageError(
            "--force and --at exclude each other: a planned drain ends where who takes over dies, as nobody may look then"
        )
