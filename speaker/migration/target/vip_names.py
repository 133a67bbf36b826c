"""The names of VIPs: those that the operator lists, those that DNS has, or made from addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.route import parse_prefix
from speaker.resolver.resolver import NameLookupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from policy.route import Prefix
    from speaker.resolver.resolver import Answer
    from speaker.units import IpAddress

    Lookup = Callable[[Iterable[str]], Mapping[str, Answer | NameLookupError]]
    Reverse = Callable[[Iterable[IpAddress]], Mapping[IpAddress, str | NameLookupError]]


@dataclass(frozen=True, slots=True)
class Named:
    """The VIP's name by prefix, and what is to be said about names."""

    names: Mapping[Prefix, str]
    notes: tuple[str, ...]


def name_all(
    prefixes: Sequence[Prefix], listed: Sequence[str], lookup: Lookup, reverse: Reverse | None
) -> Named:
    """Name the VIP of each prefix.

    Args:
        prefixes: all that is announced.
        listed: the names that the operator gave.
        lookup: asks DNS for the addresses of names.
        reverse: asks DNS for the names of addresses; None to ask nothing.
    """
    names, notes = _listed(prefixes, lookup(listed) if listed else {})
    rest = [p for p in prefixes if p not in names and p.prefixlen == p.max_prefixlen]
    if reverse is not None:
        for address, said in reverse([prefix.network_address for prefix in rest]).items():
            if isinstance(said, NameLookupError):
                notes.append(f"{said}; a name is made of the address")
            else:
                names[parse_prefix(str(address))] = _plain(said)
    for prefix in prefixes:
        names.setdefault(prefix, _made(prefix))
    return Named(names, tuple(notes))


def _listed(
    prefixes: Sequence[Prefix], answers: Mapping[str, Answer | NameLookupError]
) -> tuple[dict[Prefix, str], list[str]]:
    """Return the names that the operator listed by prefix, and what is to be said of them."""
    names: dict[Prefix, str] = {}
    notes: list[str] = []
    for name, answer in answers.items():
        if isinstance(answer, NameLookupError):
            notes.append(str(answer))
            continue
        found = [parse_prefix(str(address)) for address in answer.addresses]
        mine = [prefix for prefix in found if prefix in prefixes]
        if answer.failed:  # of what it did not answer nothing is known
            left = "its other addresses are used" if mine else "it is left out"
            notes.append(f"name: {name}: {answer.reason}; {left}")
        elif not mine:
            notes.append(f"name: {name}: none of its addresses is announced; it is left out")
        for prefix in mine:
            other = names.setdefault(prefix, _plain(name))
            if other != _plain(name):
                notes.append(f"name: {name}: {prefix} is of {other} already, and stays there")
    return names, notes


def _plain(name: str) -> str:
    return name.lower().removesuffix(".")


def _made(prefix: Prefix) -> str:
    """Return a name made from an address: `vip-192-0-2-1`, `vip-203-0-113-0-24`."""
    text = str(prefix.network_address).replace(".", "-").replace(":", "-")
    wide = prefix.prefixlen < prefix.max_prefixlen
    return f"vip-{text}{f'-{prefix.prefixlen}' if wide else ''}"
