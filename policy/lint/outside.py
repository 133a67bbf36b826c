"""Findings between vip.toml and what is outside: names in DNS, services in IPVS."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from policy.covering import Covering
from policy.health import FWMARK, Service
from policy.lint.finding import Code, Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from policy.route import IpAddress, Prefix
    from policy.topology import Topology, Vip


def names(
    topology: Topology, answers: Mapping[str, Mapping[int, Collection[IpAddress]]]
) -> tuple[Finding, ...]:
    """Return the VIPs of which DNS has other addresses than the topology.

    Args:
        topology: all VIPs.
        answers: the addresses in DNS, by the VIP's name and by 4 and 6. A family or a name that is
            not in it is not known.
    """
    return tuple(
        finding
        for vip in topology.vips
        for finding in _name(vip, answers.get(vip.name, {}), topology)
    )


def _name(
    vip: Vip, answer: Mapping[int, Collection[IpAddress]], topology: Topology
) -> Iterator[Finding]:
    found = [address for version in sorted(answer) for address in sorted(answer[version], key=int)]
    for address in found:
        home = topology.home(address)
        if home is not None and home[0] is vip:
            continue
        where = "no VIP has" if home is None else f"vip.toml has under {home[0].name}"
        verb = "add" if home is None else "move"
        yield Finding(
            Code.DNS_EXTRA,
            vip.name,
            f"DNS has {address}, which {where}",
            f"remove {address} from the name in DNS, or {verb} it to this VIP in vip.toml",
        )
    missing = [
        str(own.prefix.network_address) if own.prefix.num_addresses == 1 else str(own.prefix)
        for own in vip.addresses
        if own.prefix.version in answer and not any(address in own.prefix for address in found)
    ]
    if missing:
        what = ", ".join(missing)
        yield Finding(
            Code.DNS_MISSING,
            vip.name,
            f"DNS lacks {what}"
            if found
            else f"DNS has no address under this name, vip.toml has {what}",
            "add it to DNS, or remove it from vip.toml",
        )


def services(
    topology: Topology,
    balanced: Collection[str],
    found: Iterable[tuple[IpAddress, Service]],
    marks: Mapping[int, Collection[int | None]],
    dc: str | None = None,
) -> tuple[Finding, ...]:
    """Return what IPVS has and the topology lacks, and the other way round.

    Args:
        topology: all VIPs.
        balanced: the names of the VIPs that IPVS must have.
        found: IPVS's services, each with its address.
        marks: the families, 4 and 6, of IPVS's services by firewall mark; None where that is not
            known, for either.
        dc: the data centre, which must have what it announces; None for all of it.
    """
    by_address: dict[IpAddress, set[Service]] = defaultdict(set)
    for at, service in found:
        by_address[at].add(service)
    marked = {
        version: {Service(FWMARK, mark) for mark, of in marks.items() if {version, None} & {*of}}
        for version in (4, 6)
    }
    missing = []
    covering = Covering(topology.prefixes)
    by_prefix: dict[Prefix, set[Service]] = defaultdict(set)
    for at, own in by_address.items():
        for prefix in covering.of(at):
            by_prefix[prefix] |= own
    for vip, address in topology:
        if vip.name not in balanced or (dc is not None and dc not in address.prefer):
            continue
        have = by_prefix[address.prefix]
        required = vip.health.required.keys()
        lacking = sorted(required - have - marked[address.prefix.version])
        if lacking or not (have or required):
            missing.append(
                Finding(
                    Code.IPVS_MISSING,
                    f"{vip.name} {address.prefix}",
                    f"IPVS has no {', '.join(map(str, lacking)) or 'service'} on it, so it is not announced here",
                    "add it to keepalived, or correct the VIP in vip.toml",
                )
            )
    return (*_extra(topology, by_address), *missing)


def _extra(
    topology: Topology, by_address: Mapping[IpAddress, Collection[Service]]
) -> list[Finding]:
    """Return what IPVS has on addresses of no VIP."""
    return [
        Finding(
            Code.IPVS_EXTRA,
            str(at),
            f"IPVS balances {', '.join(map(str, sorted(have)))} on it and no VIP has it, so "
            "no data centre announces it",
            "add it to a VIP in vip.toml, or remove it from keepalived",
        )
        for at, have in sorted(by_address.items(), key=lambda item: (item[0].version, int(item[0])))
        if topology.home(at) is None
    ]
