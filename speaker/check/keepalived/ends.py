"""What a virtual server of keepalived balances to: its realservers and its sorry server, as far as keepalived takes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from speaker.check.keepalived.text import Place
    from speaker.check.keepalived.tree import ConfStatement
    from speaker.units import IpAddress

_OTHER = "of the other family, and not tunnelled: keepalived leaves it out"


@dataclass(frozen=True, slots=True)
class Sorry:
    """A sorry server. It has the virtual server's port where it names none."""

    place: Place
    address: IpAddress
    port: int | None


def reals(
    server: ConfStatement, versions: Collection[int | None], notes: list[str]
) -> Iterator[ConfStatement]:
    """Yield the realservers that keepalived takes: with an address, of the family where they are not tunnelled."""
    for real in server.all("real_server"):
        address = _endpoint(real)
        if address is None:
            notes.append(f"{real.place}: {' '.join(real.words)}: not understood")
        elif _is_reached(server, real, address, versions):
            yield real
        else:
            notes.append(f"{real.place}: {' '.join(real.words)}: {_OTHER}")


def _is_reached(
    server: ConfStatement,
    end: ConfStatement,
    address: IpAddress,
    versions: Collection[int | None],
) -> bool:
    """Tell whether a virtual server takes an address of this family: any where that is not sure."""
    return address.version in versions or None in versions or is_tunnelled(server, end)


def is_tunnelled(server: ConfStatement, end: ConfStatement) -> bool:
    """Tell whether a virtual server tunnels to a realserver or a sorry server, which may be of the other family then."""
    return (_method(end, "lvs_method") or _method(server, "lvs_method")) == "TUN"


def is_port(text: str) -> bool:
    """Tell whether keepalived takes a word for a port, of which 0 is one."""
    return re.fullmatch(r"[0-9]{1,5}", text) is not None and int(text) < 1 << 16


def _endpoint(end: ConfStatement) -> IpAddress | None:
    """Return the address of a realserver or a sorry server; None where it, or the port behind it, is none."""
    if len(end.words) > 2 and not is_port(end.words[2]):
        return None
    return _address(end.words[1]) if len(end.words) > 1 else None


def family(server: ConfStatement) -> int | None:
    """Return the family of a firewall mark's virtual server, where it is sure.

    Realservers tell it where they are not tunnelled to: then all are of its family.
    """
    own = server.last("ip_family")
    if own is not None:
        return {"inet": 4, "inet6": 6}.get(own.words[-1])
    for real in server.all("real_server"):
        address = _endpoint(real)
        if address is not None and not is_tunnelled(server, real):
            return address.version
    return None


def _method(statement: ConfStatement, name: str) -> str | None:
    found = statement.last(name) or statement.last("lb_kind")
    return found.words[1] if found is not None and len(found.words) > 1 else None


def _address(text: str) -> IpAddress | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def sorry_server(
    server: ConfStatement, versions: Collection[int | None], notes: list[str]
) -> tuple[Sorry, ...]:
    """Return the sorry server: the last that keepalived takes."""
    found: tuple[Sorry, ...] = ()
    for each in server.all("sorry_server"):
        address = _endpoint(each)
        if address is None:
            notes.append(f"{each.place}: {' '.join(each.words)}: not understood")
        elif _is_reached(server, each, address, versions):
            port = int(each.words[2]) if len(each.words) > 2 else None
            found = (Sorry(each.place, address, port),)
        else:
            notes.append(f"{each.place}: {' '.join(each.words)}: {_OTHER}")
    return found
