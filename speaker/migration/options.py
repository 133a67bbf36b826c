"""The command line of `vip_mgmt import`: which files, whose they are, and what is said besides."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from speaker import units
from speaker.migration.bgpd_conf import answers
from speaker.migration.bgpd_conf.machine import RUNNING
from speaker.migration.bgpd_conf.model import Dialect
from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.target import local

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from speaker.migration.bgpd_conf.answers import Answers
    from speaker.migration.target.local import Own
    from speaker.units import Endpoint


@dataclass(frozen=True, slots=True)
class Import:
    """What was asked for. `files` and `own` are by data centre."""

    files: Mapping[str, Path]
    out: Path
    own: Mapping[str, Own]
    names: tuple[str, ...] = ()
    dns: bool = False
    resolver: Endpoint | None = None
    strict: bool = False
    force: bool = False
    dialects: Mapping[str, Dialect] = field(default_factory=dict)
    """Whose files are, by data centre, for those that do not tell."""
    here: str | None = None
    """The data centre that this machine is in, whose kernel is asked for addresses."""
    exabgp: Path | None = None
    """What validates exabgp.conf; None for the one beside this program."""
    answers: Mapping[str, Answers] = field(default_factory=dict)
    """What the files do not tell, by data centre."""
    running: str | None = None
    """The data centre that this machine is in, which is asked in place of a file."""
    vtysh: Path = Path("/usr/bin/vtysh")
    """What asks bgpd."""
    words: tuple[str, ...] = ()
    """The command line itself, after `import`."""
    healthcheck: bool = False
    """Whether the files are exabgp.conf's, whose healthcheck programs are meant."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise MigrationError(f"{message}\n{self.format_usage().rstrip()}")


def import_parser() -> _Parser:
    """Return the parser of what follows `vip_mgmt import`."""
    parser = _Parser(
        prog="vip_mgmt import",
        description="Generates vip.toml and each data centre's exabgp.conf from bgpd's configuration.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "files",
        nargs="+",
        metavar="DC=FILE",
        help="a data centre, and its bgpd.conf or frr.conf; or @running for this machine's bgpd, kernel and IPVS",
    )
    parser.add_argument(
        "--healthcheck",
        action="store_true",
        help="files are exabgp.conf's, and what ExaBGP's own healthcheck programs in them do is meant",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="where to write")
    parser.add_argument(
        "--name", action="append", default=[], help="a VIP's name, looked up in DNS"
    )
    parser.add_argument("--dns", action="store_true", help="ask DNS for the addresses' names")
    parser.add_argument(
        "--local",
        action="append",
        default=[],
        metavar="DC[:NEIGHBOR]=ADDRESS",
        help="an address of the machine there, with its /LENGTH for several neighbours; or of one session",
    )
    parser.add_argument(
        "--local-from-kernel",
        action="append",
        default=[],
        metavar="DC",
        help="this machine is in DC: use the address that it would connect from",
    )
    _add_answers(parser)
    _add_dialects(parser)
    parser.add_argument("--resolver", metavar="ADDRESS:PORT", help="the name server to ask")
    parser.add_argument(
        "--exabgp",
        metavar="PROGRAM",
        help="validates exabgp.conf; default: the one beside vip_mgmt",
    )
    parser.add_argument("--strict", action="store_true", help="write nothing if a line is refused")
    parser.add_argument("--force", action="store_true", help="overwrite files")
    return parser


def _add_dialects(parser: _Parser) -> None:
    """Have a parser take whose the files are."""
    for each in Dialect:
        parser.add_argument(
            f"--{each}",
            action="append",
            default=[],
            nargs="?",
            metavar="DC",
            help=f"read files as {each.brand}'s where they do not show it; with =DC that data centre's",
        )


def _add_answers(parser: _Parser) -> None:
    """Have a parser take what no file tells."""
    parser.add_argument(
        "--peer-as",
        action="append",
        default=[],
        metavar="[DC:]NEIGHBOR=ASN",
        help="the AS of a neighbour or peer-group that is `remote-as external`",
    )
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="[DC:]INTERFACE=ADDRESS",
        help="the router's address where the neighbour is an interface",
    )
    parser.add_argument(
        "--vtysh", default="/usr/bin/vtysh", metavar="PROGRAM", help="asks bgpd, for @running"
    )
    parser.add_argument(
        "--vrf", metavar="NAME", help="the VRF of `router bgp`, where several are there; or default"
    )


def parse(arguments: Sequence[str]) -> Import:
    """Parse the command line after `import`.

    Raises:
        MigrationError: it makes no sense.
    """
    flags = {f"--{each}": f"--{each}={_ALL}" for each in Dialect}
    options = import_parser().parse_intermixed_args([flags.get(word, word) for word in arguments])
    files: dict[str, Path] = {}
    for word in options.files:
        dc, file = _pair(word, "DC=FILE")
        if dc in files:
            raise MigrationError(
                f"{word}: {dc} is {files[dc]} already; one file for a data centre: where its machines "
                "differ in their own addresses, take one, and change them in a copy of exabgp-DC.conf"
            )
        files[dc] = Path(file)
    here = options.local_from_kernel
    for dc in here:
        if dc not in files:
            raise MigrationError(
                f"--local-from-kernel {dc}: no file is given for {dc}; correct one"
            )
    running = [dc for dc, file in files.items() if str(file) == RUNNING]
    here = [*here, *running]
    if len({*here}) > 1:
        raise MigrationError(
            f"--local-from-kernel and {RUNNING}: this machine is in one data centre; name one"
        )
    try:
        resolver = None if options.resolver is None else units.endpoint(options.resolver)
    except ValueError as error:
        raise MigrationError(f"--resolver: {error}") from error
    return Import(
        files,
        Path(options.out),
        local.parse(options.local, files),
        tuple(options.name),
        options.dns,
        resolver,
        options.strict,
        options.force,
        _dialects(files, {each: getattr(options, each) for each in Dialect}),
        here[0] if here else None,
        None if options.exabgp is None else Path(options.exabgp),
        answers.parse(options.peer_as, options.peer, files, options.vrf),
        running[0] if running else None,
        Path(options.vtysh),
        tuple(arguments),
        _healthcheck(options),
    )


def _healthcheck(options: argparse.Namespace) -> bool:
    """Tell whether healthchecks are meant; what is of bgpd alone is refused beside them."""
    if not options.healthcheck:
        return False
    given = (
        options.name,
        options.dns,
        options.peer_as,
        options.peer,
        options.vrf,
        *(getattr(options, each) for each in Dialect),
    )
    flags = ("--name", "--dns", "--peer-as", "--peer", "--vrf", *(f"--{each}" for each in Dialect))
    for flag, value in zip(flags, given, strict=True):
        if value:
            raise MigrationError(f"{flag}: is of no use with --healthcheck; remove it")
    if any(RUNNING in word for word in options.files):
        raise MigrationError(f"{RUNNING}: is bgpd's; with --healthcheck name an exabgp.conf")
    return True


_ALL = "*"


def _dialects(files: Iterable[str], said: Mapping[Dialect, Sequence[str]]) -> Mapping[str, Dialect]:
    """Return whose files are, by data centre: what is said of one, else what is said of all."""
    for each, words in said.items():
        for dc in words:
            if dc != _ALL and dc not in files:
                raise MigrationError(f"--{each}={dc}: no file is given for {dc}; correct one")
    found: dict[str, Dialect] = {}
    for dc in files:
        of_it = [each for each, words in said.items() if dc in words]
        of_it = of_it or [each for each, words in said.items() if _ALL in words]
        if len(of_it) > 1:
            raise MigrationError(f"{dc}: --frr and --quagga; use one for each file")
        found |= dict.fromkeys([dc], of_it[0]) if of_it else {}
    return found


def _pair(word: str, form: str) -> tuple[str, str]:
    dc, equals, rest = word.partition("=")
    if not (equals and rest and re.fullmatch(r"[A-Za-z0-9_-]+", dc)):
        raise MigrationError(
            f"{word}: not of the form {form}; a data centre's name is of letters, digits, - and _"
        )
    return dc, rest
