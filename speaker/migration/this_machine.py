"""This machine, as `DC=@running` asks it: bgpd's running configuration, the kernel's addresses and routes, IPVS's table.

Each is asked once, and none of it is changed. What pyroute2 answers becomes values here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from ipaddress import ip_interface
from typing import TYPE_CHECKING, Any

from policy.route import parse_prefix
from speaker.backends.quagga import version
from speaker.backends.quagga.running_config import is_whole
from speaker.backends.quagga.vtysh import Shell
from speaker.errors import SpeakerError
from speaker.files import bounded
from speaker.health.ipvs.source import usual
from speaker.health.ipvs.table import IpvsTable, TableAccessError
from speaker.migration.bgpd_conf.machine import RUNNING, MachineNow
from speaker.migration.bgpd_conf.model import Dialect, Taken
from speaker.migration.bgpd_conf.reader import read
from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.target import kernel
from speaker.printable import reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from ipaddress import IPv4Interface, IPv6Interface
    from pathlib import Path

    from policy.route import Prefix
    from speaker.backends.quagga.vtysh import Vtysh
    from speaker.health.ipvs.table import TableReader
    from speaker.migration.bgpd_conf.answers import Answers
    from speaker.migration.bgpd_conf.model import Configuration, Neighbor
    from speaker.migration.target.local import Kernel

_MAIN = 254
_UNICAST, _BLACKHOLE, _UNREACHABLE, _PROHIBIT = 1, 6, 7, 8
_ZEBRA = 11
_OF_FRR = range(186, 200)
_STATIC_OF_FRR = 196
_NOT_KERNEL = frozenset((0, 1, 2, _ZEBRA, *_OF_FRR))
"""rtm_protocol of routes that zebra takes for none of the kernel's: unknown, redirects, addresses', its own."""
_LISTED = (_UNICAST, _BLACKHOLE, _UNREACHABLE, _PROHIBIT)


@dataclass(frozen=True, slots=True)
class KernelDump:
    """What the kernel answers: its links, its addresses and its routes, as pyroute2 has them."""

    links: Sequence[Any]
    addresses: Sequence[Any]
    routes: Sequence[Any]


def _dump() -> KernelDump:
    """Ask the kernel for what is in the main table, and on interfaces."""
    from pyroute2 import IPRoute, NetlinkError  # noqa: PLC0415 - 20 MB, for those who need it

    try:
        with IPRoute() as route:
            return KernelDump(
                [*route.get_links()], [*route.get_addr()], [*route.get_routes(table=_MAIN)]
            )
    except (OSError, NetlinkError) as error:  # such as a table that changes while it is read
        raise MigrationError(f"@running: netlink: {reason(error)}; try again, as root") from error


@dataclass(frozen=True, slots=True)
class MachineAsked:
    """Who is asked.

    Attributes:
        source: from which address the kernel would reach a neighbour.
        vtysh: runs commands in bgpd's vtysh, which is at the path that it is given.
        dump: asks the kernel.
        tables: the ways to IPVS's table, best first.
    """

    source: Kernel = kernel.source
    vtysh: Callable[[Path], Vtysh] = lambda path: Shell(path, max_output=bounded.MAX_SIZE)
    dump: Callable[[], KernelDump] = _dump
    tables: Callable[[], Sequence[TableReader]] = lambda: usual(frozenset())


@dataclass(frozen=True, slots=True)
class MachineSeen:
    """What was found; `table` is None where IPVS could not be read, and `trouble` says why."""

    content: bytes
    dialect: Dialect
    now: MachineNow
    table: IpvsTable | None
    trouble: str = ""


def read_it(
    file: Path, said: Dialect | None, answers: Answers, asking: MachineAsked, program: Path
) -> tuple[Configuration, MachineSeen | None]:
    """Read a file, or this machine's bgpd where `@running` stands in its place; return what was found here, too.

    Args:
        file: its path.
        said: whose it is, None where it tells.
        answers: what else it does not tell. What the machine has is added.
        asking: who is asked.
        program: the vtysh.

    Raises:
        MigrationError: it can't be read, or makes no sense.
    """
    if str(file) != RUNNING:
        try:
            content = bounded.read(file)
        except OSError as error:
            raise MigrationError(
                f"{file}: {error.strerror}; name a bgpd.conf or frr.conf"
            ) from error
        return read(str(file), content, said, answers), None
    seen = look(asking, program, answers.named_vrf)
    answers.now = seen.now
    found = read(RUNNING, seen.content, said or seen.dialect, answers)
    if answers.named_vrf is None:  # what is asked about is the main table
        found = replace(
            found, neighbors=tuple(_as_kernel(each, asking.source) for each in found.neighbors)
        )
    taken = Taken(RUNNING, seen.dialect, "`show version` says so")
    return (found if said else replace(found, read_as=taken)), seen


def _as_kernel(neighbor: Neighbor, source: Kernel) -> Neighbor:
    """Return a neighbour with the address from which the kernel reaches it, where nothing but networks told one."""
    if not neighbor.is_inferred:
        return neighbor
    local = source(neighbor.address)
    return neighbor if local is None else replace(neighbor, local=local)


def look(asking: MachineAsked, program: Path, vrf: str | None = None) -> MachineSeen:
    """Ask all once.

    Args:
        asking: who is asked.
        program: the vtysh.
        vrf: whose interfaces are meant; None for those of no VRF.

    Raises:
        MigrationError: bgpd or the kernel can't be asked, or the configuration is not whole.
    """
    try:
        dialect, content = asyncio.run(_bgpd(asking.vtysh(program)))
        now = _now(asking.dump(), dialect, vrf)  # has an event loop of its own
        table, trouble = asyncio.run(_table(asking.tables()))
    except MigrationError:
        raise
    except SpeakerError as error:
        raise MigrationError(f"@running: {error}") from error
    return MachineSeen(content, dialect, now, table, trouble)


async def _bgpd(vtysh: Vtysh) -> tuple[Dialect, bytes]:
    """Return whose bgpd runs, and with which configuration."""
    found = version.parse_version((await vtysh([version.SHOW])).stdout.splitlines())
    if found is None:
        raise MigrationError("@running: vtysh: `show version` names neither FRR nor Quagga")
    dialect = Dialect.FRR if found.name == Dialect.FRR.brand else Dialect.QUAGGA
    output = await vtysh(["show running-config"])
    if output.status or not is_whole(output.stdout.splitlines()):
        raise MigrationError(
            f"@running: vtysh: show running-config: exit status {output.status}, and no `end`; try it by hand"
        )
    return dialect, output.stdout.encode()


async def _table(readers: Iterable[TableReader]) -> tuple[IpvsTable | None, str]:
    trouble = "IPVS: no way to read it"
    for reader in readers:
        try:
            return await reader.read(), ""
        except TableAccessError as error:
            trouble = str(error)
        except SpeakerError as error:
            return None, str(error)
    return None, trouble


def _now(found: KernelDump, dialect: Dialect, vrf: str | None) -> MachineNow:
    """Return what the kernel answered as values: of a VRF its addresses alone, because the main table has no routes of it."""
    vrfs = {link["index"]: link.get("IFLA_IFNAME") for link in found.links if _is_vrf(link)}
    names = {
        link["index"]: link.get("IFLA_IFNAME")
        for link in found.links
        if vrfs.get(link["index"], vrfs.get(link.get("IFLA_MASTER"))) == vrf
    }
    addresses: dict[str, list[IPv4Interface | IPv6Interface]] = {}
    for each in found.addresses:
        # On a point-to-point link IFA_ADDRESS is the other end's.
        text = each.get("IFA_LOCAL") or each.get("IFA_ADDRESS")
        name = names.get(each["index"])
        if text and name:
            address = ip_interface(f"{text}/{each['prefixlen']}")
            if not address.is_link_local:
                addresses.setdefault(name, []).append(address)
    sources: dict[str, dict[Prefix, bool]] = {} if vrf else {"kernel": {}}
    if dialect is Dialect.FRR and not vrf:  # Quagga's zebra marks all of its routes alike
        sources["static"] = {}
    for each in found.routes:
        source = _source(each["proto"])
        prefix = _prefix(each)
        if source in sources and prefix is not None and each["type"] in _LISTED:
            by_gateway = any(each.get(key) for key in ("RTA_GATEWAY", "RTA_VIA", "RTA_MULTIPATH"))
            sources[source][prefix] = by_gateway
    return MachineNow({name: tuple(found) for name, found in addresses.items()}, sources)


def _is_vrf(link: Any) -> bool:
    return bool(link.get(("linkinfo", "kind")) == "vrf")


def _source(protocol: int) -> str:
    if protocol == _STATIC_OF_FRR:
        return "static"
    return "" if protocol in _NOT_KERNEL else "kernel"


def _prefix(route: Mapping[str, Any]) -> Prefix | None:
    """Return where a route leads, None for a default route, which is no VIP."""
    text = route.get("RTA_DST")
    return None if not text else parse_prefix(f"{text}/{route['dst_len']}")
