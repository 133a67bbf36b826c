"""Owns what is asked of a live FRR to record its goldens: a start, and commands in their order."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.support.lab.frr import CURED

BGP = ("configure terminal", "router bgp 64699")
IPV6 = (*BGP, "address-family ipv6")
RUNNING = ("show running-config",)
TABLE4, TABLE6 = ("show bgp ipv4 unicast",), ("show bgp ipv6 unicast",)
SUMMARIES = ("show ip bgp summary",), ("show bgp summary",)
MAPS = (
    "route-map BGP1 permit 10",
    " set as-path prepend 64699",
    "exit",
    "route-map BGP2 permit 10",
    " set as-path prepend 64699 64699",
    "exit",
)
QUICK = "bgp route-map delay-timer 1"


def of(prefix: str) -> tuple[str]:
    """Return the question for one prefix."""
    return (f"show bgp ipv{6 if ':' in prefix else 4} unicast {prefix}",)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A start file's `router bgp`, and the runs.

    Attributes:
        runs: the commands of each.
        options: lines of `router bgp`.
        peer: whether the far peer's session is up before the first run.
        originate: what the far peer announces.
        uid: the user who asks.
        down: whether bgpd is stopped first.
        maps: the route-maps of the file.
        networks: whether the file has network lines.
    """

    runs: Sequence[tuple[str, ...]]
    options: Sequence[str] = CURED
    peer: bool = False
    originate: Sequence[str] = field(default=())
    uid: int = 0
    down: bool = False
    maps: Sequence[str] = MAPS
    networks: bool = True


SCENARIOS = {
    "00-defaults-quagga-config-on-frr": Scenario(
        [
            TABLE4,
            of("192.0.2.1/32"),
            ("show bgp summary",),
            RUNNING,
            (*BGP, "no bgp network import-check"),
            TABLE4,
            (*BGP, "no bgp ebgp-requires-policy"),
            ("clear bgp * soft out",),
            ("show bgp summary",),
        ],
        options=(),
        peer=True,
    ),
    "01-show-present": Scenario([of("192.0.2.1/32"), of("192.0.2.1"), of("2001:db8::1/128")]),
    "02-show-absent": Scenario([of("192.0.2.99/32"), of("2001:db8::99/128")]),
    "03-show-table": Scenario([TABLE4, TABLE6, *SUMMARIES], peer=True),
    "04-empty-table": Scenario([RUNNING, TABLE4, TABLE6], networks=False),
    "05-running-config": Scenario([RUNNING]),
    "06-no-neighbours": Scenario(
        [("show bgp summary",)], networks=False, options=("no neighbors",)
    ),
    "07-add": Scenario(
        [
            (*BGP, "network 192.0.2.10/32"),
            (*BGP, "network 192.0.2.11/32 route-map BGP1"),
            (*BGP, "network 192.0.2.11/32 route-map BGP1"),
            (*IPV6, "network 2001:db8::10/128 route-map BGP1"),
            (
                *BGP,
                "network 255.255.255.255/32",
                "address-family ipv6",
                "network 2001:db8:1:2:3:4:5:6/128",
            ),
            RUNNING,
            TABLE4,
            TABLE6,
        ]
    ),
    "08-change-routemap": Scenario(
        [
            (*BGP, "network 192.0.2.1/32 route-map BGP2"),
            of("192.0.2.1/32"),
            (*BGP, "network 192.0.2.1/32"),
            of("192.0.2.1/32"),
            RUNNING,
        ]
    ),
    "09-remove": Scenario(
        [
            (*BGP, "no network 192.0.2.1/32"),
            (*BGP, "no network 192.0.2.2/32 route-map BGP1"),
            (*BGP, "no network 192.0.2.200/32"),
            (*BGP, "no network 192.0.2.200/32", "network 192.0.2.201/32"),
            (*BGP, "no network 192.0.2.201/32"),
            (*IPV6, "no network 2001:db8::1/128"),
            (*BGP, "no network 2001:db8::2/128"),
            RUNNING,
        ]
    ),
    "10-missing-routemap": Scenario(
        [
            (*BGP, "network 192.0.2.30/32 route-map NOSUCH"),
            of("192.0.2.30/32"),
            RUNNING,
            TABLE4,
            ("configure terminal", "route-map NOSUCH permit 10", "set as-path prepend 64699"),
            of("192.0.2.30/32"),
            ("configure terminal", "no route-map NOSUCH"),
            of("192.0.2.30/32"),
        ],
        options=(*CURED, QUICK),
    ),
    "11-errors": Scenario(
        [
            ("bogus command",),
            ("show bgp ipv4 unicst",),
            (*BGP, "netwrk 192.0.2.40/32"),
            (*BGP, "network 192.0.2.300/32"),
            (*BGP, "network 2001:db8::41/128"),
            (*BGP, "network 192.0.2.43/32 route-map"),
            (*BGP, "bogus1", "network 192.0.2.44/32"),
            (*IPV6, "network fe80::1/128"),
            ("show running-config", "bogus"),
        ]
    ),
    "12-wrong-as": Scenario(
        [
            ("configure terminal", "router bgp 64511"),
            ("configure terminal", "router bgp 64511", "no network 192.0.2.2/32"),
            RUNNING,
        ]
    ),
    "13-permission": Scenario([of("192.0.2.1/32"), (*BGP, "no network 192.0.2.2/32")], uid=65534),
    "14-bgpd-down-zebra-up": Scenario(
        [of("192.0.2.1/32"), (*BGP, "no network 192.0.2.2/32"), RUNNING], down=True
    ),
    "16-learned-route": Scenario(
        [
            of("192.0.2.1/32"),
            TABLE4,
            TABLE6,
            (*BGP, "no network 192.0.2.1/32", "address-family ipv6", "no network 2001:db8::1/128"),
            RUNNING,
            of("192.0.2.1/32"),
            TABLE4,
            TABLE6,
        ],
        peer=True,
        originate=["192.0.2.1/32", "192.0.2.0/24", "2001:db8::1/128", "0.0.0.0/0"],
    ),
    "17-no-instance": Scenario(
        [RUNNING, TABLE4, ("show bgp summary",), (*BGP, "no network 192.0.2.1/32"), RUNNING],
        options=("no instance",),
        maps=(),
    ),
}
"""By the name of the file. `no neighbors` and `no instance` are options of ours, not of bgpd."""
