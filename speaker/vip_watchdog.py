"""The command vip_watchdog: withdraws dead VIPs here, and restores living ones."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from speaker import config as configuration
from speaker import report, spawned
from speaker.config import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

log = logging.getLogger(__name__)

USAGE = 255


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{report.WATCHDOG}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = _Parser(prog=report.WATCHDOG, description="Withdraws dead VIPs, restores living ones.")
    parser.add_argument(
        "--config", metavar="FILE", help=f"default: $VIP_CONFIG, else {configuration.DEFAULT_PATH}"
    )
    path = configuration.find(parser.parse_args(arguments).config, os.environ)
    report.set_up(report.WATCHDOG)
    if not spawned.is_spawned():
        return _by_hand(path)
    return 0 if asyncio.run(spawned.run(path)) else USAGE


def _by_hand(path: Path) -> int:
    try:
        config = configuration.load(path, os.environ)
    except ConfigError as error:
        log.critical("%s", error)
        return USAGE
    log.critical(
        "backend %s: not run by hand; ExaBGP spawns it: process NAME { run %s; encoder json; }",
        config.settings.backend,
        sys.argv[0],
    )
    return USAGE


if __name__ == "__main__":
    sys.exit(main())
