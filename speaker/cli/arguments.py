"""vip_mgmt's command line -> Call: which words and options go together, and what they mean."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from policy.intent import Mode
from speaker import units
from speaker.cli.at_option import check_together
from speaker.cli.commands import (
    ADD,
    COMMANDS,
    DELETE,
    IMPORT,
    OPTIONS,
    QUESTIONS,
    ROLL,
    TAKE_VALUES,
    USAGE,
    VERSION,
    UsageError,
    command_parser,
    whole_parser,
)
from speaker.cli.option_rules import check_options
from speaker.files import vip_toml
from speaker.nearest import nearest

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

MAX_SPAN = 3650 * 86400.0
ALL = "all"
"""The NAME that means every prefix of vip.toml."""
_END, _HELP = "--", {"-h", "--help"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What was asked for on the command line. `command` is `-a`, `-d` or a question. Spans in seconds."""

    command: str
    words: tuple[str, ...]
    path: Path
    mode: Mode = Mode.AUTO
    no_wait: bool = False
    last: bool = False
    force: bool = False
    until: bool = False
    """Whether to wait for witnesses: until it is gone, or seen."""
    timeout: float | None = None
    reason: str = ""
    seconds: float | None = None
    at: str = ""
    late: float | None = None
    here: bool = False
    everywhere: bool = False
    extent: str = ""
    """For whom it is, as a request has it; nothing where there is no [site], or it is not known yet."""
    dry_run: bool = False
    dns: bool = False
    as_json: bool = False
    unfold: bool = False
    watch: bool = False
    site: bool = False
    since: float | None = None
    follow: bool = False
    offline: bool = False
    form: bool = False
    nagios: bool = False
    without: tuple[str, ...] = ()
    matrix: bool = False
    beside: bool = False
    again: bool = False
    daemon: str = ""
    """Whose file compare is given, if that is said."""
    peer_as: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    vrf: str | None = None
    ttl: float | None = None
    weight: str = ""


def after_import(arguments: Sequence[str]) -> Sequence[str] | None:
    """Return what follows the command `import`, None where it is another one.

    `--config`, with which other commands begin, may stand before it; import needs no configuration.
    """
    words = [*arguments]
    while words and words[0].startswith("--config"):
        words = words[1 if "=" in words[0] else 2 :]
    return words[1:] if words[:1] == [IMPORT] else None


def help_on(arguments: Sequence[str]) -> str | None:
    """Return the help or the version that is asked for, None where neither is."""
    words = [*takewhile(lambda word: word != _END, arguments)]
    if not {*_HELP, VERSION} & {*words}:
        return None
    if not _HELP & {*words}:
        from speaker.cli.version import version

        return f"vip_mgmt {version()}"
    command = next((word for word in words if word in COMMANDS), None)
    parser = whole_parser() if command is None else command_parser(command)
    return parser.format_help().rstrip()


def parse(arguments: Sequence[str]) -> Call:
    """Parse a command line.

    Raises:
        UsageError: it makes no sense.
    """
    command, rest = _command(arguments)
    rest, behind = _behind(command, rest)
    options = _options(command, rest)
    words, wanted = behind or options.words, COMMANDS[command]
    if len(words) < wanted.least or (wanted.most is not None and len(words) > wanted.most):
        raise UsageError(wanted.lack)
    at = _at(options)
    given = {name: value for name, value in vars(options).items() if value}
    check_options(command, words, given)
    check_together(command, given, at)
    return Call(
        command=command,
        words=tuple(words),
        path=vip_toml.find(options.config, os.environ),
        mode=_mode(command, given),
        no_wait="no_wait" in given,
        last="last" in given,
        force=command == DELETE and "force" in given,
        until=bool({"until_gone", "until_seen"} & {*given}),
        timeout=_seconds(options, "timeout"),
        reason=given.get("reason", ""),
        seconds=_seconds(options, "for"),
        at=at,
        late=_seconds(options, "late"),
        here="here" in given,
        everywhere="everywhere" in given,
        dry_run="dry_run" in given,
        dns="dns" in given,
        as_json="json" in given,
        unfold="all" in given,
        watch="watch" in given,
        site="site" in given,
        since=_seconds(options, "since"),
        follow="follow" in given,
        offline="offline" in given,
        form="form" in given,
        nagios="nagios" in given,
        without=tuple(given.get("without", ())),
        matrix="peers" in given,
        beside="beside" in given,
        again="again" in given,
        peer_as=tuple(given.get("peer_as", ())),
        peers=tuple(given.get("peer", ())),
        vrf=given.get("vrf"),
        ttl=_seconds(options, "ttl"),
        weight=given.get("weight", ""),
        daemon="frr" if "frr" in given else "quagga" if "quagga" in given else "",
    )


def _behind(command: str, words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return what is meant for vip_mgmt, and the command that it is to run: what stands behind `--`."""
    if command != ROLL:
        return [*words], []
    ours = [*takewhile(lambda word: word != _END, words)]
    if any(not word.startswith("-") for n, word in enumerate(ours) if n in {*_places(ours)}):
        raise UsageError(COMMANDS[ROLL].lack)
    return ours, [*words[len(ours) + 1 :]]


def _at(options: Namespace) -> str:
    """Return what --at says, nothing where it is not given."""
    given: Sequence[str] = getattr(options, "at", ())
    if "" in given:  # of a variable that is not set: it must not begin now
        raise UsageError("--at: '': not a time; write such as 2026-12-01T02:00, or +30m")
    if len(given) > 1:
        raise UsageError(
            "--at: may be given once: what is planned is for this machine; plan it on each machine"
        )
    return given[0] if given else ""


def _mode(command: str, given: Collection[str]) -> Mode:
    """Return what an operator asks for."""
    if command == DELETE:
        return Mode.DRAINING if "soft" in given else Mode.DRAINED
    if command == ADD and "soft" in given:
        return Mode.RETURNING
    return Mode.FORCED if "force" in given else Mode.AUTO


def _command(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """Return the command, which may stand behind options, and all that is left without it."""
    places = [*_places(arguments)]
    wishes = [place for place in places if arguments[place] in (ADD, DELETE)]
    if len({arguments[place] for place in wishes}) > 1:
        raise UsageError(f"{ADD} and {DELETE} exclude each other")
    if wishes:
        return arguments[wishes[0]], [w for n, w in enumerate(arguments) if n not in wishes]
    place = next((place for place in places if not arguments[place].startswith("-")), None)
    names = ", ".join((*QUESTIONS, IMPORT))
    usage = f"use -a NAME, -d NAME, or one of {names}; vip_mgmt --help\nusage: {USAGE}"
    if place is None:
        raise UsageError(usage)
    word = arguments[place]
    if word not in COMMANDS:
        raise UsageError(f"{word!r} is no command{nearest(word, (*QUESTIONS, IMPORT))}; {usage}")
    return word, [*arguments[:place], *arguments[place + 1 :]]


def _places(arguments: Sequence[str]) -> Iterator[int]:
    """Yield where something stands that is not the value of an option, until `--`."""
    is_value = False
    for place, word in enumerate(arguments):
        if word == _END and not is_value:
            return
        if not is_value:
            yield place
        is_value = not is_value and word in TAKE_VALUES


def _options(command: str, words: Sequence[str]) -> Namespace:
    """Parse what there is beside the command."""
    known = {option.flag: option for option in OPTIONS}
    parser = command_parser(command)
    taken = {flag for action in parser._actions for flag in action.option_strings}  # noqa: SLF001 - argparse tells nobody else
    for place in _places(words):
        flag = words[place].partition("=")[0]
        if not flag.startswith("-") or flag in taken or flag == "-":
            continue
        if flag in known:
            raise UsageError(f"{flag} is only valid with {' or '.join(known[flag].commands)}")
        raise UsageError(
            f"{command}: unknown option {flag}{nearest(flag, known)}; vip_mgmt {command} --help"
        )
    return parser.parse_intermixed_args(words)


def _seconds(options: Namespace, name: str) -> float | None:
    span = getattr(options, name, None)
    if span is None:
        return None
    try:
        seconds = units.duration(span)
    except ValueError as error:
        raise UsageError(f"--{name}: {error}") from error
    if not 0 < seconds <= MAX_SPAN:
        raise UsageError(f"--{name}: {span!r}: must be more than 0, and ten years at most")
    return seconds


__all__ = [
    "ADD",
    "ALL",
    "DELETE",
    "IMPORT",
    "Call",
    "UsageError",
    "after_import",
    "help_on",
    "parse",
]
