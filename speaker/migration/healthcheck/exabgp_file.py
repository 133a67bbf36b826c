"""exabgp.conf: its neighbors, each with the processes that feed it, and the healthcheck programs among these."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from policy.asn import parse_asn
from policy.errors import PolicyError
from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.healthcheck import exabgp_text
from speaker.units import address as address_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from policy.asn import Asn
    from speaker.migration.healthcheck.exabgp_text import ConfSection, Entry
    from speaker.units import IpAddress

_BOTH = frozenset((4, 6))
_MODULES = ("exabgp", "exabgp.application.healthcheck")


@dataclass(frozen=True, slots=True)
class ExabgpSession:
    """A neighbor of exabgp.conf. `local` is None where ExaBGP finds it; `processes` are those that it lists."""

    where: str
    address: IpAddress
    local: IpAddress | None
    router_id: str | None
    local_as: Asn
    peer_as: Asn
    families: frozenset[int]
    processes: frozenset[str]


@dataclass(frozen=True, slots=True)
class HealthcheckProcess:
    """A process that is ExaBGP's healthcheck: its name, and the words after the program's."""

    where: str
    name: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExabgpFile:
    """What is of concern in an exabgp.conf. `others` are processes that run something else."""

    sessions: tuple[ExabgpSession, ...]
    healthchecks: tuple[HealthcheckProcess, ...]
    others: tuple[str, ...]


def read(file: str, text: str) -> ExabgpFile:
    """Read one.

    Raises:
        MigrationError: it makes no sense, or no process of it is ExaBGP's healthcheck.
    """
    # A file of healthcheck's own options has no sections: it is not refused for what its lines lack.
    top = exabgp_text.parse(file, text if "{" in text else "")
    templates = {
        each.head.words[1]: each
        for section in top.inside("template")
        for each in section.inside("neighbor")
        if len(each.head.words) == 2
    }
    found, others = [], []
    for section in top.inside("process"):
        name = " ".join(section.head.words[1:])
        made = _healthcheck(name, section)
        if made is None:
            others.append(name)
        else:
            found.append(made)
    if not found:
        raise MigrationError(
            f"{file}: no process in it runs ExaBGP's healthcheck; is it the right exabgp.conf? A file of healthcheck's own "
            "options is read where a process names it by --config"
        )
    sessions = tuple(_session(each, templates) for each in top.inside("neighbor"))
    return ExabgpFile(sessions, tuple(found), tuple(others))


def _healthcheck(name: str, section: ConfSection) -> HealthcheckProcess | None:
    """Return the process of a section, None where it runs another program."""
    for entry in section.values("run"):
        words = entry.words[1:]
        if words and words[0].rpartition("/")[2] == "env":
            words = words[1:]
        after = _after_program(words)
        if after is not None:
            return HealthcheckProcess(entry.where, name, tuple(after))
    return None


def _after_program(words: Sequence[str]) -> Sequence[str] | None:
    """Return the words after healthcheck's name; None where it is another program."""
    program, rest = (words[0].rpartition("/")[2], words[1:]) if words else ("", ())
    if program in ("healthcheck", "healthcheck.py", "exabgp-healthcheck"):
        return rest
    if re.fullmatch(r"python[0-9.]*", program):
        flags = [index for index, word in enumerate(rest) if not word.startswith("-")]
        first = flags[0] if flags else len(rest)
        if "-m" not in rest[:first]:
            return _after_program(rest[first:])
        module, rest = rest[first] if flags else "", rest[first + 1 :]
        if module not in _MODULES:
            return None
        program = "exabgp"
        if module != program:
            return rest
    if program != "exabgp":
        return None
    rest = rest[1:] if rest[:1] in (("--run",), ["--run"]) else rest
    return rest[1:] if [*rest[:1]] == ["healthcheck"] else None


def _session(section: ConfSection, templates: Mapping[str, ConfSection]) -> ExabgpSession:
    head = section.head
    chain = [section, *_inherited(section, templates)]
    try:
        address = ip_address(head.words[1] if len(head.words) == 2 else "")
    except ValueError as error:
        raise MigrationError(
            f"{head.where}: {' '.join(head.words)}: is not one address; write a neighbor for each router"
        ) from error
    local = _one(chain, "local-address")
    router_id = _one(chain, "router-id")
    try:
        own = None if local is None or local.words[1] == "auto" else address_of(local.words[1])
    except ValueError as error:
        where = "" if local is None else f"{local.where}: local-address: "
        raise MigrationError(f"{where}{error}") from error
    return ExabgpSession(
        head.where,
        address,
        own,
        None if router_id is None else router_id.words[1],
        _asn(head, _one(chain, "local-as"), "local-as"),
        _asn(head, _one(chain, "peer-as"), "peer-as"),
        _families(chain),
        frozenset(_processes(chain)),
    )


def _inherited(section: ConfSection, templates: Mapping[str, ConfSection]) -> Iterator[ConfSection]:
    for entry in section.values("inherit"):
        for name in entry.words[1:]:
            if name in "[],":
                continue
            if name not in templates:
                raise MigrationError(f"{entry.where}: inherit {name}: there is no such template")
            yield templates[name]


def _one(chain: Sequence[ConfSection], key: str) -> Entry | None:
    """Return the statement that counts: the neighbor's own, else its template's."""
    for section in chain:
        for entry in reversed(section.values(key)):
            if len(entry.words) != 2:
                raise MigrationError(f"{entry.where}: {key}: is not one value; correct it")
            return entry
    return None


def _asn(head: Entry, entry: Entry | None, key: str) -> Asn:
    if entry is None or entry.words[1] == "auto":
        raise MigrationError(
            f"{head.where}: {' '.join(head.words)}: its {key} is not said; write its number in a copy"
        )
    try:
        return parse_asn(entry.words[1])
    except PolicyError as error:
        raise MigrationError(f"{entry.where}: {key}: {error}; correct it") from error


def _families(chain: Sequence[ConfSection]) -> frozenset[int]:
    """Return the families of a session: all, where none is said."""
    said = [
        entry.words
        for section in chain
        for each in section.inside("family")
        for entry in each.entries
    ]
    found = {
        version for version in _BOTH for words in said if words[:2] == (f"ipv{version}", "unicast")
    }
    return _BOTH if not said or ("all",) in said else frozenset(found)


def _processes(chain: Sequence[ConfSection]) -> Iterator[str]:
    """Yield the processes that announce to a neighbor."""
    for api in (api for section in chain for api in section.inside("api")):
        for entry in api.values("processes-match"):
            raise MigrationError(
                f"{entry.where}: processes-match is not read; list the processes by name in a copy of the file"
            )
        for entry in api.values("processes"):
            yield from (word for word in entry.words[1:] if word not in ("[", "]", ","))
