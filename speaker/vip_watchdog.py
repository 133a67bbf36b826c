"""The command vip_watchdog: withdraws dead VIPs here, and restores living ones."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import stat
import sys
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NoReturn

from speaker import interpreter
from speaker.errors import SpeakerError
from speaker.exit_status import ExitStatus
from speaker.files import vip_toml
from speaker.log import SHADOW, WATCHDOG, end, set_up, write_json
from speaker.terminal import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speaker.config.settings import Config

log = logging.getLogger(__name__)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        say(f"{self.format_usage()}{WATCHDOG}: {message}")
        raise SystemExit(ExitStatus.USAGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; without arguments, end this process with it."""
    if arguments is None:
        interpreter.begin()
    status = _status(arguments)
    if arguments is None:
        end()
        interpreter.leave(status)
    return status


def _status(arguments: Sequence[str] | None) -> int:
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        log.critical("interrupted; the next run does the rest")
        return ExitStatus.NOT_AS_WANTED


def _run(arguments: Sequence[str] | None) -> int:
    options = _options(arguments)
    path = vip_toml.find(options.config, os.environ)
    set_up(SHADOW if options.shadow else WATCHDOG)
    if options.log_format == "json":
        write_json()
    if options.shadow:
        return _shadow(path, once=options.once)
    fault: SpeakerError | None = None
    loaded: list[Config] = []  # what stays takes it out: none but the one in use is to be kept
    try:
        loaded.append(_load(path))
    except SpeakerError as error:
        fault = error
    else:
        if options.log_format is None and loaded[0].settings.log == "json":
            write_json()
        by_hand = not loaded[0].settings.is_spawned and not options.beside
        if by_hand and not _is_of_exabgp():
            return _beside_bgpd(path, loaded, stay=options.daemon)

    # ExaBGP's process waits for a better configuration: its end would be ExaBGP's.
    if not options.daemon and _has_pipes():
        _stay()
        import asyncio

        from speaker.runtime import exabgp_process

        run = exabgp_process.run_beside if options.beside else exabgp_process.run
        return ExitStatus.DONE if asyncio.run(run(path, fault, loaded)) else ExitStatus.USAGE
    log.critical(
        "%s",
        fault
        or "backend exabgp: not run by hand; ExaBGP spawns it: "
        f"process NAME {{ run {sys.argv[0]}; encoder json; }}",
    )
    return ExitStatus.USAGE


def watchdog_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = _Parser(prog=WATCHDOG, description="Withdraws dead VIPs, restores living ones.")
    parser.add_argument(
        "--config", metavar="FILE", help=f"default: $VIP_CONFIG, else {vip_toml.DEFAULT_PATH}"
    )
    parser.add_argument("--daemon", action="store_true", help="backend quagga: keep running")
    parser.add_argument(
        "--shadow",
        action="store_true",
        help="run read-only beside bgpd, and report where its announcements differ",
    )
    parser.add_argument(
        "--beside",
        action="store_true",
        help="process of a second ExaBGP, which has the routes while the first restarts: vip_mgmt restart --beside",
    )
    parser.add_argument("--once", action="store_true", help="with --shadow: look once")
    parser.add_argument(
        "--log-format",
        choices=("text", "json"),
        help='form of the lines on stderr; default: node.log of vip.toml, else "text"',
    )
    return parser


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = watchdog_parser()
    options = parser.parse_args(arguments)
    if options.shadow and options.daemon:
        parser.error("--shadow and --daemon cannot be combined; --shadow keeps running too")
    if options.beside and (options.shadow or options.daemon):
        parser.error("--beside cannot be combined with --daemon or --shadow: ExaBGP spawns it")
    if options.once and not options.shadow:
        parser.error("--once is only valid with --shadow")
    return options


def _load(path: Path) -> Config:
    from speaker import config

    return config.load(path, os.environ)


def _stay() -> None:
    """Look for garbage again, but seldom: among 10,000 VIPs it takes longer than to judge them.

    Few cycles are ever made, and what waits is a few megabytes at most. While thousands of VIPs are
    loaded, what is young is looked at often enough that no look takes long: all threads wait for it.
    """
    gc.set_threshold(10_000, 1, 10_000)
    gc.enable()


def _has_pipes() -> bool:
    """Tell whether stdin and stdout are pipes, as ExaBGP makes them."""
    return all(
        stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
        for mode in (os.fstat(0).st_mode, os.fstat(1).st_mode)
    )


def _is_of_exabgp() -> bool:
    """Tell whether ExaBGP spawned us. A pass under it would end, and soon ExaBGP with it."""
    try:
        parent = Path(f"/proc/{os.getppid()}/cmdline").read_bytes()
    except OSError:
        return False
    return _has_pipes() and is_exabgp(os.fsdecode(parent).split("\0"))


def is_exabgp(command: Sequence[str]) -> bool:
    """Tell whether a command line is ExaBGP's own: the program that runs counts, not what it is given.

    Cron's shell names `/etc/exabgp/vip.toml` too. Python's script or module is the program.
    """
    program, *rest = command
    if PurePath(program).name.startswith("python"):
        words = iter(rest)
        for program in words:  # the first that is no option is what Python runs
            if program in {"-W", "-X"}:
                next(words, "")
            elif not program.startswith("-"):
                break
    path = PurePath(program)
    return path.name.split(".")[0] == "exabgp" or path.parts[-3:-1] == ("exabgp", "application")


def _shadow(path: Path, *, once: bool) -> int:
    from speaker.runtime import shadow

    try:
        config = _load(path)
        if once:
            return ExitStatus.DONE if shadow.once(config) else ExitStatus.DIFFERENT
        _stay()
        shadow.stay(path, config)
    except SpeakerError as error:
        log.critical("%s", error)
        return ExitStatus.USAGE
    return ExitStatus.DONE


def _beside_bgpd(path: Path, loaded: list[Config], *, stay: bool) -> int:
    from speaker.runtime import bgpd

    try:
        if stay:
            _stay()
            return ExitStatus.DONE if bgpd.stay(path, loaded) else ExitStatus.USAGE
        return ExitStatus.DONE if bgpd.run_pass(loaded[0]) else ExitStatus.NOT_AS_WANTED
    except bgpd.NotBegunError as error:
        log.critical("%s", error)
        return ExitStatus.USAGE
    except SpeakerError as error:
        log.critical("%s", error)
        return ExitStatus.NOT_AS_WANTED


if __name__ == "__main__":
    sys.exit(main())
