"""vip_mgmt's command line -> Call: which words and options go together, and what they mean."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from policy.intent import Mode
from speaker import config, units
from speaker.errors import SpeakerError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAX_SPAN = 3650 * 86400.0
ADD, DELETE = "-a", "-d"
IMPORT = "import"
QUESTIONS = {
    "status": "what is announced, and why",
    "explain": "all about NAME",
    "history": "what was done",
    "plan": "what would be done now, or who takes over --without a data centre",
    "check": "is vip.toml without fault, and the same as other sites' files",
    "reload": "have vip_watchdog read vip.toml again, and say whether it took it",
    "compare": "does ExaBGP send what bgpd sends with the configuration FILE",
}
_GOES_WITH = {
    "--reason": (ADD, DELETE),
    "--for": (ADD, DELETE),
    "--dry-run": (ADD, DELETE),
    "--dns": (ADD, DELETE, "status", "history", "explain"),
    "--force": (ADD,),
    "--json": ("status", "check", "plan", "compare"),
    "--offline": ("check",),
    "--form": ("check",),
    "--without": ("plan",),
    "--frr": ("compare",),
    "--quagga": ("compare",),
}
"""Which commands an option makes sense with."""


class UsageError(SpeakerError):
    """The command line makes no sense."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\n{self.format_usage().rstrip()}")


def _parser() -> _Parser:
    parser = _Parser(
        prog="vip_mgmt",
        description="Withdraws and restores VIPs in this data centre.",
        epilog="NAME is a DNS name, an address, a prefix, or all. Another command has options of its "
        "own, vip_mgmt import --help: each data centre's bgpd.conf becomes vip.toml and exabgp.conf.",
        allow_abbrev=False,
    )
    wish = parser.add_mutually_exclusive_group()
    wish.add_argument(
        ADD, action="store_const", const=ADD, dest="wish", help="announce NAME… again"
    )
    wish.add_argument(
        DELETE,
        action="store_const",
        const=DELETE,
        dest="wish",
        help="withdraw NAME…, and stay withdrawn",
    )
    parser.add_argument("--reason", default="", metavar="TEXT", help="why, for history")
    parser.add_argument("--for", metavar="DURATION", help="such as 30m or 2h")
    parser.add_argument("--force", action="store_true", help="with -a: whatever the health")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    parser.add_argument(
        "--dns", action="store_true", help="a VIP's NAME also means other VIPs' addresses in DNS"
    )
    parser.add_argument("--json", action="store_true", help="with a question: as JSON")
    parser.add_argument(
        "--offline", action="store_true", help="with check: ask neither DNS, IPVS nor peers"
    )
    parser.add_argument(
        "--form", action="store_true", help="with check: only whether the file is taken at all"
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="DC",
        help="with plan: who takes over if DC fails or drains; may be repeated",
    )
    daemon = parser.add_mutually_exclusive_group()
    for name in ("frr", "quagga"):
        daemon.add_argument(
            f"--{name}",
            action="store_true",
            help=f"with compare: FILE is {name}'s, if it does not tell",
        )
    parser.add_argument("--config", metavar="FILE", help=f"default: {config.DEFAULT_PATH}")
    parser.add_argument(
        "words",
        nargs="*",
        metavar=f"{{{','.join(QUESTIONS)}}} NAME",
        help="; ".join(f"{name}: {what}" for name, what in QUESTIONS.items()),
    )
    return parser


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked for on the command line. `command` is `-a`, `-d` or a question."""

    command: str
    words: tuple[str, ...]
    mode: Mode
    reason: str
    seconds: float | None
    dry_run: bool
    dns: bool
    as_json: bool
    offline: bool
    form: bool
    without: tuple[str, ...]
    path: Path
    daemon: str = ""
    """Whose file compare is given, if that is said."""


def after_import(arguments: Sequence[str]) -> Sequence[str] | None:
    """Return what follows the command `import`, None where it is another one.

    `--config`, with which other commands begin, may stand before it; import needs no configuration.
    """
    words = [*arguments]
    while words and words[0].startswith("--config"):
        words = words[1 if "=" in words[0] else 2 :]
    return words[1:] if words[:1] == [IMPORT] else None


def parse(arguments: Sequence[str]) -> Call:
    """Parse a command line.

    Raises:
        UsageError: it makes no sense.
    """
    options = _parser().parse_intermixed_args(arguments)
    command = options.wish or "".join(options.words[:1])
    words = options.words if options.wish else options.words[1:]
    if options.wish and not words:
        raise UsageError("-a and -d need a NAME; all is every VIP")
    if not options.wish and command not in QUESTIONS:
        names = ", ".join((*QUESTIONS, IMPORT))
        raise UsageError(f"say -a NAME, -d NAME, or one of {names}; vip_mgmt --help")
    if command == "reload" and words:
        raise UsageError("reload takes no NAME: all of vip.toml is read")
    if command == "explain" and not words:
        raise UsageError("explain what? name a VIP")
    if command == "compare" and len(words) != 1:
        raise UsageError("compare with what? name one bgpd.conf or frr.conf, this data centre's")
    if options.form and (words or options.offline or options.json):
        raise UsageError("--form goes alone with check")
    given = vars(options)
    for option, commands in _GOES_WITH.items():
        if given[option.removeprefix("--").replace("-", "_")] and command not in commands:
            raise UsageError(f"{option} goes with {' or '.join(commands)}")
    span = given["for"]
    if span and command == ADD and not options.force:
        raise UsageError("--for goes with -d, or with -a --force")
    return Call(
        command,
        tuple(words),
        Mode.DRAINED if command == DELETE else Mode.FORCED if options.force else Mode.AUTO,
        options.reason,
        None if span is None else _seconds(span),
        options.dry_run,
        options.dns,
        options.json,
        options.offline,
        options.form,
        tuple(options.without),
        config.find(options.config, os.environ),
        "frr" if options.frr else "quagga" if options.quagga else "",
    )


def _seconds(span: str) -> float:
    try:
        seconds = units.duration(span)
    except ValueError as error:
        raise UsageError(f"--for: {error}") from error
    if not 0 < seconds <= MAX_SPAN:
        raise UsageError(f"--for: {span!r}: must be longer than nothing, ten years at most")
    return seconds
