"""What an operator typed -> the prefixes that it means."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.route import parse_prefix
from policy.sources import CHECK, REPORT
from speaker.cli.arguments import ALL
from speaker.cli.instead import instead
from speaker.errors import SpeakerError
from speaker.resolver.resolver import LookupOutcome, NameLookupError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from policy.route import Prefix
    from policy.topology import Topology, Vip
    from speaker.resolver.resolver import Answer

    Answers = Mapping[str, Answer | NameLookupError]
    Lookup = Callable[[Sequence[str]], Answers]


class TargetError(SpeakerError):
    """A name that can't be acted on. Nothing was changed for any name."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Prefixes, in the order named, and what is to be said about the names before going on.

    `reports`: those that history is asked about, as `report/NAME`; of other commands none.
    """

    prefixes: tuple[Prefix, ...]
    notes: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()


def find(
    names: Sequence[str],
    topology: Topology,
    lookup: Lookup,
    *,
    dns: bool = False,
) -> Targets:
    """Return the prefixes that names mean: a DNS name, an address, a prefix, or `all`.

    Args:
        names: what was typed.
        topology: the configuration's.
        lookup: asks DNS for names, all at once: however many are slow, that takes the time of one.
        dns: whether a VIP's name also means the addresses of other VIPs that DNS has under it.
            Without, a DNS server could widen what an operator asked for.

    Raises:
        TargetError: one of the names can't be acted on.
    """
    prefixes: dict[Prefix, None] = {}
    notes: list[str] = []
    asked = (_asked(name, topology) for name in names)
    answers = lookup([name for name in asked if name is not None])
    for name in names:
        found = _find(name, topology, answers, dns=dns)
        prefixes |= dict.fromkeys(found.prefixes)
        notes += found.notes
    return Targets(tuple(prefixes), tuple(notes))


def vip(name: str, topology: Topology) -> Vip | None:
    """Return the VIP that a name is, whatever its case; None for another name."""
    return topology.vip(name.lower().removesuffix("."))


def _asked(name: str, topology: Topology) -> str | None:
    """Return the name that DNS is asked for; None for what is no name."""
    if name == ALL:
        return None
    try:
        parse_prefix(name)
    except PolicyError:
        found = vip(name, topology)
        return name if found is None else found.name
    return None


def _find(name: str, topology: Topology, answers: Answers, *, dns: bool) -> Targets:
    if name == ALL:
        return Targets(topology.prefixes)
    try:
        prefix = parse_prefix(name)
    except PolicyError:
        found = vip(name, topology)
        if found is None and name.startswith(REPORT):
            raise TargetError(
                f"{name}: a report, and no VIP; vip_mgmt history without a NAME has its lines, vip_mgmt report what holds"
            ) from None
        if found is None and name.startswith(CHECK):
            raise TargetError(
                f"{name}: a check, and no VIP; vip_mgmt explain of a VIP whose rule asks it has what it says"
            ) from None
        if found is None:
            return _by_name(name, topology, answers[name])
        return _by_vip(found, topology, answers[found.name], dns=dns)
    if topology.find(prefix) is None:
        near = instead(name, topology) or "; name a VIP, or one of its addresses"
        raise TargetError(f"{name}: not in vip.toml{near}")
    return Targets((prefix,))


def _by_vip(
    vip: Vip, topology: Topology, answer: Answer | NameLookupError, *, dns: bool
) -> Targets:
    """Return the prefixes of a VIP; say where DNS has others for its name."""
    prefixes = dict.fromkeys(address.prefix for address in vip.addresses)
    if isinstance(answer, NameLookupError):
        return Targets(tuple(prefixes), (f"{answer}; using what vip.toml has",))
    notes = []
    if answer.outcome is LookupOutcome.ABSENT:
        return Targets(
            tuple(prefixes), (f"{vip.name}: DNS does not have it; using what vip.toml has",)
        )
    if answer.outcome is LookupOutcome.SILENT:
        return Targets(
            tuple(prefixes),
            (f"{vip.name}: {answer.reason}; using what vip.toml has",),
        )
    if answer.failed:
        notes.append(f"{vip.name}: {answer.reason}; using what vip.toml has")
    for address in answer.addresses:
        home = topology.home(address)
        if home is None:
            notes.append(f"{vip.name}: DNS has {address}, which vip.toml lacks; ignored")
        elif home[0] is not vip:
            taken = "included" if dns else "not included; --dns includes it"
            where = f"vip.toml has under {home[0].name}"
            notes.append(f"{vip.name}: DNS has {address}, which {where}; {taken}")
            if dns:
                prefixes[home[1].prefix] = None
    versions = {6 if family == "AAAA" else 4 for family in answer.failed}
    notes += (
        f"{vip.name}: vip.toml has {own.prefix}, which DNS lacks; included anyway"
        for own in vip.addresses
        if own.prefix.version not in versions
        and not any(address in own.prefix for address in answer.addresses)
    )
    return Targets(tuple(prefixes), tuple(notes))


def _of_a_prefix(name: str) -> PolicyError | None:
    """Return what is wrong with an address and a length, None where it is something else."""
    try:
        ip_address(name.partition("/")[0])
        parse_prefix(name)
    except PolicyError as error:
        return error
    except ValueError:
        pass
    return None


def _by_name(name: str, topology: Topology, answer: Answer | NameLookupError) -> Targets:
    """Return the prefixes of a name that only DNS knows: all of its addresses must be known."""
    if isinstance(answer, NameLookupError):
        why = _of_a_prefix(name) or answer
        raise TargetError(f"{why}{instead(name, topology)}\nUnable to lookup {name}. Exiting..")
    if answer.failed and answer.addresses:
        raise TargetError(
            f"{name}: not in vip.toml, and {answer.reason}; name it in vip.toml, or try again"
        )
    if not answer.addresses:
        detail = f"{name}: {answer.reason or answer.outcome}{instead(name, topology)}\n"
        raise TargetError(f"{detail}Unable to lookup {name}. Exiting..")
    homes = {address: topology.home(address) for address in answer.addresses}
    if unknown := [str(address) for address, home in homes.items() if home is None]:
        raise TargetError(f"{name}: {', '.join(unknown)} not in vip.toml; add it there first")
    return Targets(tuple(dict.fromkeys(home[1].prefix for home in homes.values() if home)))
