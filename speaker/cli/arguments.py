"""vip_mgmt's command line -> Call: which words and options go together, and what they mean."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, NoReturn

from policy.intent import Mode
from speaker import units
from speaker.errors import SpeakerError
from speaker.files import vip_toml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAX_SPAN = 3650 * 86400.0
ADD, DELETE = "-a", "-d"
IMPORT = "import"
ALL = "all"
"""The NAME that means every prefix of vip.toml."""
QUESTIONS = {
    "status": "what is announced, and why",
    "explain": "details of NAME",
    "history": "what was done",
    "plan": "what would change now, or which data centre takes over --without one",
    "check": "validate vip.toml, and compare it with other sites' files",
    "reload": "make vip_watchdog reload vip.toml, and report the result",
    "compare": "compare what ExaBGP sends with what bgpd sends by the configuration FILE",
}
_WISHES = {ADD: "announce NAME… again", DELETE: "withdraw NAME…, and keep it withdrawn"}
_SHARED = {"--json": "a question"}
"""What several commands are called that an option goes with."""
_WORDS = {
    ADD: "NAME...",
    DELETE: "NAME...",
    "explain": "NAME...",
    "check": "[FILE...]",
    "reload": "",
    "compare": "FILE",
}
"""What follows a command: `[NAME...]` where it stands not here."""


@dataclass(frozen=True, slots=True)
class _Option:
    """An option, and the commands with which it makes sense. `value` is what it takes; nothing for none."""

    flag: str
    commands: tuple[str, ...]
    help: str
    value: str = ""
    repeats: bool = False
    default: str | None = None
    alone: bool = True
    """False: it excludes others of which this is so."""

    @property
    def name(self) -> str:
        """What argparse calls it."""
        return self.flag.removeprefix("--").replace("-", "_")

    def add(self, parser: argparse._ActionsContainer, said: str) -> None:
        """Have a parser take it, with a word of help."""
        if not self.value:
            parser.add_argument(self.flag, action="store_true", help=said)
        elif self.repeats:
            parser.add_argument(
                self.flag, action="append", default=[], metavar=self.value, help=said
            )
        else:
            parser.add_argument(self.flag, default=self.default, metavar=self.value, help=said)


_OPTIONS = (
    _Option("--reason", (ADD, DELETE), "reason, for history", "TEXT", default=""),
    _Option("--for", (ADD, DELETE), "such as 30m or 2h", "DURATION"),
    _Option("--force", (ADD,), "announce even if unhealthy"),
    _Option("--dry-run", (ADD, DELETE), "report what would be done"),
    _Option(
        "--dns",
        (ADD, DELETE, "status", "history", "explain"),
        "a VIP's NAME also means other VIPs' addresses in DNS",
    ),
    _Option("--json", ("status", "explain", "check", "plan", "compare"), "as JSON"),
    _Option("--offline", ("check",), "do not query DNS, IPVS or peers"),
    _Option("--form", ("check",), "check only that the file is valid"),
    _Option(
        "--without",
        ("plan",),
        "who takes over if DC fails or drains; may be repeated",
        "DC",
        repeats=True,
    ),
    _Option(
        "--frr", ("compare",), "read FILE as frr's if it does not show whose it is", alone=False
    ),
    _Option(
        "--quagga",
        ("compare",),
        "read FILE as quagga's if it does not show whose it is",
        alone=False,
    ),
    _Option(
        "--peer-as",
        ("compare",),
        "the AS of a neighbour that is external",
        "NEIGHBOR=ASN",
        repeats=True,
    ),
    _Option(
        "--peer",
        ("compare",),
        "the router's address at an interface",
        "INTERFACE=ADDRESS",
        repeats=True,
    ),
    _Option("--vrf", ("compare",), "the VRF of FILE's router bgp", "NAME"),
)


class UsageError(SpeakerError):
    """The command line makes no sense."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\n{self.format_usage().rstrip()}")


def _parser() -> _Parser:
    """Return the parser of all commands: options may stand before and behind a command's name."""
    parser = _Parser(
        prog="vip_mgmt",
        description="Withdraws and restores VIPs in this data centre.",
        epilog="NAME is a DNS name, an address, a prefix, or all. vip_mgmt COMMAND --help shows the "
        "options of one. Another command has options "
        "of its own, vip_mgmt import --help: each data centre's bgpd.conf becomes vip.toml and exabgp.conf.",
        allow_abbrev=False,
    )
    wish = parser.add_mutually_exclusive_group()
    for flag, what in _WISHES.items():
        wish.add_argument(flag, action="store_const", const=flag, dest="wish", help=what)
    either = parser.add_mutually_exclusive_group()
    for option in _OPTIONS:
        whose = option.commands[0] if len(option.commands) == 1 else _SHARED.get(option.flag, "")
        said = f"with {whose}: {option.help}" if whose else option.help
        option.add(parser if option.alone else either, said)
    _add_config(parser)
    parser.add_argument(
        "words",
        nargs="*",
        metavar=f"{{{','.join(QUESTIONS)}}} NAME",
        help="; ".join(f"{name}: {what}" for name, what in QUESTIONS.items()),
    )
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help=f"default: {vip_toml.DEFAULT_PATH}")


def help_on(arguments: Sequence[str]) -> str | None:
    """Return the help that is asked for about one command, None where it is not."""
    words = [*takewhile(lambda word: word != "--", arguments)]
    if not {"-h", "--help"} & {*words}:
        return None
    commands = {**QUESTIONS, **_WISHES}
    command = next((word for word in words if word in commands), None)
    if command is None:
        return None
    what = commands[command]
    parser = _Parser(
        prog=f"vip_mgmt {command}",
        usage=f"%(prog)s [options] {_WORDS.get(command, '[NAME...]')}".rstrip(),
        description=f"{what[:1].upper()}{what[1:]}.",
    )
    for option in _OPTIONS:
        if command in option.commands:
            option.add(parser, option.help)
    _add_config(parser)
    return parser.format_help().rstrip()


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
    peer_as: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    vrf: str | None = None


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
        raise UsageError(f"use -a NAME, -d NAME, or one of {names}; vip_mgmt --help")
    if command == "reload" and words:
        raise UsageError("reload takes no NAME: all of vip.toml is read")
    if command == "explain" and not words:
        raise UsageError("explain: a VIP name is required")
    if command == "compare" and len(words) != 1:
        raise UsageError("compare: one file is required, this data centre's bgpd.conf or frr.conf")
    if options.form and (words or options.offline or options.json):
        raise UsageError("--form cannot be combined with other options or arguments")
    given = vars(options)
    for option in _OPTIONS:
        if given[option.name] and command not in option.commands:
            raise UsageError(f"{option.flag} is only valid with {' or '.join(option.commands)}")
    span = given["for"]
    if span and command == ADD and not options.force:
        raise UsageError("--for is only valid with -d, or with -a --force")
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
        vip_toml.find(options.config, os.environ),
        "frr" if options.frr else "quagga" if options.quagga else "",
        tuple(options.peer_as),
        tuple(options.peer),
        options.vrf,
    )


def _seconds(span: str) -> float:
    try:
        seconds = units.duration(span)
    except ValueError as error:
        raise UsageError(f"--for: {error}") from error
    if not 0 < seconds <= MAX_SPAN:
        raise UsageError(f"--for: {span!r}: must be more than 0, and ten years at most")
    return seconds
