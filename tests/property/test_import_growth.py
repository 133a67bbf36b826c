"""An import's work grows with the lines of its files and no faster, whatever they are full of: counted, not timed."""

from __future__ import annotations

import sys
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest

from speaker.migration.bgpd_conf.model import Dialect
from speaker.migration.bgpd_conf.reader import read
from speaker.migration.target import exabgp_site, inferred_policy, local
from speaker.migration.target.vip_names import name_all
from speaker.migration.updates.evaluate import evaluate
from speaker.migration.updates.verdicts import account

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD = [
    "router bgp 64699",
    "bgp router-id 203.0.113.10",
    "no bgp ebgp-requires-policy",
    "neighbor 203.0.113.1 remote-as 64500",
]
OWN = local.parse(["par1=203.0.113.10/24"], ["par1"])["par1"]


def host(number: int) -> str:
    """Return one of 65,536 addresses."""
    return str(ip_address(f"198.18.{number // 256}.{number % 256}"))


def each(line: str, n: int) -> list[str]:
    """Return a line for each number up to n: `{0}` is the number, `{1}` an address of it."""
    return [line.format(number + 1, host(number)) for number in range(n)]


def single(n: int) -> list[str]:
    """Networks, each with a clause of one route-map and a list of its own."""
    return [
        *HEAD,
        *each("network {1}/32 route-map ALL", n),
        *[
            line
            for k in range(n)
            for line in (
                f"route-map ALL permit {k + 1}",
                f"match ip address prefix-list P{k}",
                "set metric 7",
            )
        ],
        *each("ip prefix-list P{0} permit {1}/32", n),
    ]


KINDS: dict[str, Callable[[int], list[str]]] = {
    "networks": lambda n: [*HEAD, *each("network {1}/32", n)],
    "maps": lambda n: [
        *HEAD,
        *each("network {1}/32 route-map M{0}", n),
        *[f"route-map M{k + 1} permit 10" for k in range(n)],
    ],
    "clauses": lambda n: [
        *HEAD,
        "network 192.0.2.1/32 route-map ALL",
        *[line for k in range(n) for line in (f"route-map ALL permit {k + 1}", "match metric 9")],
    ],
    "clauses-of-all": single,
    "prefix-list": lambda n: [
        *HEAD,
        *each("network {1}/32", n),
        "neighbor 203.0.113.1 prefix-list P out",
        *each("ip prefix-list P permit {1}/32", n),
    ],
    "access-list": lambda n: [
        *HEAD,
        *each("network {1}/32", n),
        "neighbor 203.0.113.1 distribute-list D out",
        *each("access-list D permit {1}/32 exact-match", n),
    ],
    "redistributed": lambda n: [
        *HEAD,
        "redistribute static route-map ALL",
        "route-map ALL permit 10",
        "match ip address prefix-list P",
        *each("ip route {1}/32 blackhole", n),
        *each("ip prefix-list P permit {1}/32", n),
    ],
    "aggregates": lambda n: [
        *HEAD,
        *each("network {1}/32", n),
        *[f"aggregate-address {host(4 * k)}/30 summary-only" for k in range(n // 4)],
    ],
    "neighbors": lambda n: [
        *HEAD,
        "network 192.0.2.1/32",
        *[f"neighbor 203.0.{k // 256}.{k % 256} remote-as 64500" for k in range(n)],
    ],
    "interfaces": lambda n: [
        *[
            line
            for k in range(n)
            for line in (f"interface e{k}", f"ip address 10.{k // 256}.{k % 256}.1/24", "exit")
        ],
        *HEAD,
        "network 192.0.2.1/32",
        *[f"neighbor 10.{k // 256}.{k % 256}.2 remote-as 64500" for k in range(n)],
    ],
    "groups": lambda n: [
        *HEAD,
        "neighbor G peer-group",
        "neighbor G remote-as 64500",
        "network 192.0.2.1/32",
        *[f"neighbor 203.0.{k // 256}.{k % 256} peer-group G" for k in range(n)],
        *["neighbor G activate" for _ in range(n)],
    ],
    "unknown": lambda n: [*HEAD, *each("network {1}/32", n), *each("foo{0} bar", n)],
    "refused": lambda n: [*HEAD, *each("network {1}/32 route-map M", n), "route-map M permit 10",
                          *each("set extcommunity rt 64699:{0}", n)],
    "blocks": lambda n: [*each("vrf V{0}", n), *each("bfd", n), *HEAD, "network 192.0.2.1/32"],
    "again": lambda n: [*HEAD, *["network 192.0.2.1/32" for _ in range(n)]],
}  # fmt: skip


def work(text: bytes) -> int:
    """Return how many calls it takes to read, evaluate and lay out a file; an error ends it as well."""
    count = 0

    def profile(_: object, event: str, __: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        found = read("frr.conf", text, Dialect.FRR)
        evaluation = evaluate(found)
        account(found, evaluation)
        for neighbor in found.neighbors[:1]:
            for prefix in found.networks:
                evaluation.doubts(neighbor.address, prefix)
        site = exabgp_site.make("par1", found, evaluation, OWN)
        names = name_all([*site.routes], [], lambda _: {}, None).names
        inferred_policy.fit([site], names)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("kind", KINDS)
def test_work_grows_with_the_lines(kind: str) -> None:
    """Twice the lines are twice the calls, and a little."""
    few, some, many = (work("\n".join([*KINDS[kind](n), ""]).encode()) for n in (64, 128, 256))
    assert many - some < 2.4 * (some - few), (few, some, many)
