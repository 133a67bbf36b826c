"""vip_mgmt's commands and their options, in one table: what is parsed, and what help, man pages and completion show."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import NoReturn

from speaker.errors import SpeakerError
from speaker.files import vip_toml

ADD, DELETE = "-a", "-d"
IMPORT = "import"
ROLL = "roll"
VERSION = "--version"
NAMES = "--names"
"""What completion asks with: `vip_mgmt --names vip`."""
USAGE = "vip_mgmt {-a,-d} NAME... | COMMAND [NAME...] | COMMAND --help"


@dataclass(frozen=True, slots=True)
class Command:
    """A command: what it does, what follows it, and how many of these at least and at most (None: any)."""

    name: str
    help: str
    words: str = "[NAME...]"
    least: int = 0
    most: int | None = None
    lack: str = ""
    """What is said where too few or too many follow."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option, and the commands with which it makes sense. `value` is what it takes; nothing for none."""

    flag: str
    commands: tuple[str, ...]
    help: str
    value: str = ""
    repeats: bool = False
    default: str | None = None

    @property
    def name(self) -> str:
        """What argparse calls it."""
        return self.flag.removeprefix("--").replace("-", "_")

    def add(self, parser: argparse.ArgumentParser) -> None:
        """Have a parser take it."""
        if not self.value:
            parser.add_argument(self.flag, action="store_true", help=self.help)
        elif self.repeats:
            parser.add_argument(
                self.flag, action="append", default=[], metavar=self.value, help=self.help
            )
        else:
            parser.add_argument(self.flag, default=self.default, metavar=self.value, help=self.help)


_NEEDS_NAME = "-a and -d need a NAME; all is every VIP"
COMMANDS = {
    command.name: command
    for command in (
        Command(ADD, "announce NAME… again", "NAME...", 1, lack=_NEEDS_NAME),
        Command(DELETE, "withdraw NAME…, and keep it withdrawn", "NAME...", 1, lack=_NEEDS_NAME),
        Command("status", "what is announced, and why"),
        Command(
            "explain",
            "why NAME is as it is, and what would change it",
            "NAME...",
            1,
            lack="explain: a VIP name is required",
        ),
        Command("history", "what was done"),
        Command("plan", "what would change now, or which data centre takes over --without one"),
        Command("check", "validate vip.toml, and compare it with other sites' files", "[FILE...]"),
        Command(
            "schedule",
            "what is planned, and what was missed",
            "",
            most=0,
            lack="schedule takes no NAME",
        ),
        Command(
            "cancel",
            "have what is planned not begin",
            "ID",
            1,
            1,
            "cancel: one ID is required; vip_mgmt schedule has them",
        ),
        Command(
            "report",
            "say for an application how it is: up, down or drain; without NAME, what was said last",
            "[NAME STATE]",
            most=2,
            lack="report: NAME and STATE are required, or neither: vip_mgmt report shop down --ttl 5m",
        ),
        Command(
            "reload",
            "make vip_watchdog reload vip.toml, and report the result",
            "",
            most=0,
            lack="reload takes no NAME: all of vip.toml is read",
        ),
        Command(
            "restart",
            "restart ExaBGP, and wait until all that was announced is announced again",
            "",
            most=0,
            lack="restart takes no NAME: it is the unit of this machine",
        ),
        Command(
            ROLL,
            "drain a data centre's machines one by one, run COMMAND for each, and restore it",
            "-- COMMAND [ARG...]",
            1,
            lack="roll: a command is required: vip_mgmt roll --at par1 -- ssh {machine} apt-get -y upgrade",
        ),
        Command(
            "compare",
            "compare what ExaBGP sends with what bgpd sends by the configuration FILE",
            "FILE",
            1,
            1,
            "compare: one file is required, this data centre's bgpd.conf or frr.conf, or @running",
        ),
    )
}
QUESTIONS = tuple(name for name in COMMANDS if name not in {ADD, DELETE})
_BOTH = (ADD, DELETE)
OPTIONS = (
    Option("--reason", (*_BOTH, "report"), "reason, for history", "TEXT", default=""),
    Option("--for", _BOTH, "such as 30m or 2h", "DURATION"),
    Option(
        "--at",
        (*_BOTH, ROLL),
        "at that data centre, or begin then: 2026-12-01T02:00, or +30m",
        "DC|TIME",
        repeats=True,
    ),
    Option("--late", (DELETE,), "begin so much later at most, with --at; default 10m", "DURATION"),
    Option("--here", _BOTH, "this machine alone; with [site], the default is this data centre"),
    Option("--everywhere", _BOTH, "at all data centres, with [site]"),
    Option("--ttl", ("report",), "for how long it holds, such as 30s or 5m", "DURATION"),
    Option("--weight", ("report",), "how much can be taken, in percent", "SHARE"),
    Option(
        "--force",
        _BOTH,
        "announce even if unhealthy, or drain softly although who takes over dies",
    ),
    Option(
        "--soft", _BOTH, "withdraw when its connections are few, or come back by the drain profile"
    ),
    Option("--no-wait", (DELETE,), "with --soft: return once it is announced softly"),
    Option("--beside", ("restart",), "by a second ExaBGP, where routers have no graceful restart"),
    Option("--again", (ROLL,), "begin from the start; the machine that is under way comes first"),
    Option("--last", (DELETE, ROLL), "also what no other data centre announces (keep_last)"),
    Option("--until-gone", (DELETE,), "wait until no witness has our path any more"),
    Option("--until-seen", (ADD,), "wait until a witness has our path"),
    Option(
        "--timeout",
        (*_BOTH, ROLL),
        "wait so long for witnesses, default 1m; or for the others of [site]",
        "DURATION",
    ),
    Option("--dry-run", (*_BOTH, ROLL), "report what would be done"),
    Option(
        "--dns",
        (*_BOTH, "status", "history", "explain"),
        "a VIP's NAME also means other VIPs' addresses in DNS",
    ),
    Option(
        "--json",
        ("status", "explain", "history", "check", "plan", "compare", "schedule", "report"),
        "as JSON",
    ),
    Option("--all", ("status",), "every prefix, also where those of a VIP are all as wanted"),
    Option("--watch", ("status",), "refresh until interrupted, and mark what changed"),
    Option("--site", ("status",), "what each machine of [site] announces"),
    Option("--since", ("history",), "what was done in the last DURATION, such as 2h", "DURATION"),
    Option("--follow", ("history",), "go on, and show what is done from now on"),
    Option("--offline", ("check",), "do not query DNS, IPVS or peers"),
    Option("--form", ("check",), "check only that the file is valid"),
    Option("--nagios", ("check",), "one line for monitoring, and exit status 0 to 3"),
    Option("--peers", ("plan",), "which peer is to have which VIP, and with which AS_PATH"),
    Option(
        "--without",
        ("plan",),
        "who takes over if DC fails or drains; may be repeated",
        "DC",
        repeats=True,
    ),
    Option("--frr", ("compare",), "read FILE as frr's if it does not show whose it is"),
    Option("--quagga", ("compare",), "read FILE as quagga's if it does not show whose it is"),
    Option(
        "--peer-as",
        ("compare",),
        "the AS of a neighbour that is external",
        "NEIGHBOR=ASN",
        repeats=True,
    ),
    Option(
        "--peer",
        ("compare",),
        "the router's address at an interface",
        "INTERFACE=ADDRESS",
        repeats=True,
    ),
    Option("--vrf", ("compare",), "the VRF of FILE's router bgp", "NAME"),
)
CONFIG = Option("--config", (), f"default: $VIP_CONFIG, else {vip_toml.DEFAULT_PATH}", "FILE")
TAKE_VALUES = frozenset(option.flag for option in (*OPTIONS, CONFIG) if option.value)


class UsageError(SpeakerError):
    """The command line makes no sense."""


class CommandParser(argparse.ArgumentParser):
    """Raises what is wrong in place of ending the program."""

    def error(self, message: str) -> NoReturn:
        """Raise it, with the usage."""
        raise UsageError(f"{message}\n{self.format_usage().rstrip()}")


def command_parser(name: str) -> CommandParser:
    """Return the parser of what follows a command, and of options before it."""
    command = COMMANDS[name]
    parser = CommandParser(
        prog=f"vip_mgmt {name}",
        usage=f"%(prog)s [options] {command.words}".rstrip(),
        description=f"{command.help[:1].upper()}{command.help[1:]}.",
        allow_abbrev=False,
    )
    _fill(parser, command)
    return parser


def _fill(parser: argparse.ArgumentParser, command: Command) -> None:
    for option in (*OPTIONS, CONFIG):
        if command.name in option.commands or option is CONFIG:
            option.add(parser)
    parser.add_argument("words", nargs="*", metavar="NAME", help=argparse.SUPPRESS)


def whole_parser() -> CommandParser:
    """Return the parser of all commands, for help, man pages and completion; `parse` uses that of one."""
    parser = CommandParser(
        prog="vip_mgmt",
        usage=USAGE,
        description="Withdraws and restores VIPs in this data centre.",
        epilog="NAME is a DNS name, an address, a prefix, or all. Options may stand before and behind a "
        "command; vip_mgmt COMMAND --help shows those of one.",
        allow_abbrev=False,
    )
    for flag in _BOTH:
        parser.add_argument(flag, nargs="+", metavar="NAME", help=COMMANDS[flag].help)
    CONFIG.add(parser)
    parser.add_argument(VERSION, action="store_true", help="show the version")
    group = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name in QUESTIONS:
        command = COMMANDS[name]
        parser_of_one = group.add_parser(
            name,
            help=command.help,
            description=command.help,
            prog=f"vip_mgmt {name}",
            usage=f"%(prog)s [options] {command.words}".rstrip(),
        )
        _fill(parser_of_one, command)
    group.add_parser(
        IMPORT,
        help="each data centre's bgpd.conf becomes vip.toml and exabgp.conf: vip_mgmt import --help",
        add_help=False,
    )
    return parser
