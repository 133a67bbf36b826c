"""Which options make no sense together, whatever vip.toml has; about whom it is for, and when: `speaker.cli.at_option`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speaker.cli.commands import ADD, DELETE, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


def check_options(command: str, words: Sequence[str], given: Collection[str]) -> None:
    """Refuse options that make no sense together.

    Raises:
        UsageError: some do not.
    """
    if "form" in given and (words or {"offline", "json", "nagios"} & {*given}):
        raise UsageError("--form cannot be combined with other options or arguments")
    if "nagios" in given and (words or "json" in given):
        raise UsageError("--nagios cannot be combined with --json or a FILE")
    if {"watch", "json"} <= {*given} or {"frr", "quagga"} <= {*given}:
        raise UsageError("--watch and --json, --frr and --quagga exclude each other")
    if {"peers", "without"} <= {*given}:
        raise UsageError("--peers and --without are two questions: ask one")
    if command == ADD and "for" in given and "force" not in given:
        raise UsageError("--for is only valid with -d, or with -a --force")
    _check_force(command, given)
    if "no_wait" in given and "soft" not in given:
        raise UsageError("--no-wait is only valid with -d --soft")
    if {"until_gone", "until_seen"} & {*given} and {"dry_run", "no_wait"} & {*given}:
        raise UsageError("--until-… can't be combined with --at, --no-wait or --dry-run")
    if {"site", "watch"} <= {*given}:
        raise UsageError("--site and --watch exclude each other")


def _check_force(command: str, given: Collection[str]) -> None:
    """Refuse --force where it means nothing. See `check_options`."""
    if "force" not in given:
        return
    if command == ADD and "soft" in given:
        raise UsageError("-a: --soft and --force exclude each other")
    if command == DELETE and "soft" not in given:
        raise UsageError(
            "--force is only valid with -a or -d --soft; -d without --soft withdraws at once, whoever takes over"
        )
