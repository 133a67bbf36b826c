"""What stands at the top level of bgpd.conf and of an integrated frr.conf, and is not BGP's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speaker.migration.bgpd_conf.placing import OTHER_ROUTERS, is_of_a_block
from speaker.migration.bgpd_conf.router import GRACEFUL_SHUTDOWN
from speaker.migration.bgpd_conf.statement import UNKNOWN, MigrationError, PassedOverError
from speaker.migration.bgpd_conf.stray import NO_BLOCK

if TYPE_CHECKING:
    from speaker.migration.bgpd_conf.statement import Statement

_TERMINAL = "is for bgpd's own terminal and log"
_DAEMON = "is for another daemon"
_NEXT_HOPS = "is for routes received"

_SHOWN = "is what vtysh says around a configuration"
_OTHER_WORDS = (
    "fpm vrrp watchfrr allow-reserved-ranges allow-external-route-update nhrp affinity-map evpn mac "
    "pseudowire"
).split()
_OTHER_PAIRS = (
    *(f"{family} {word}" for family in ("ip", "ipv6") for word in ("multicast", "mroute", "table")),
    *("ipv6 pim", "ipv6 mld", "ip msdp", "ip import-table", "ip nhrp", "ip multicast-lookup"),
)

TOP_HARMLESS: dict[tuple[str, ...], str] = {
    ("hostname",): _TERMINAL,
    ("domainname",): _TERMINAL,
    ("password",): _TERMINAL,
    ("enable", "password"): _TERMINAL,
    ("log",): _TERMINAL,
    ("service",): _TERMINAL,
    ("debug",): _TERMINAL,
    ("banner",): _TERMINAL,
    ("username",): _TERMINAL,
    ("line",): _TERMINAL,
    ("agentx",): _TERMINAL,
    ("smux",): _TERMINAL,
    ("dump",): _TERMINAL,
    ("frr",): _TERMINAL,
    ("interface",): _DAEMON,
    **{("router", word): _DAEMON for word in sorted(OTHER_ROUTERS)},
    ("key", "chain"): _DAEMON,
    ("vrf",): _DAEMON,
    ("bfd",): _DAEMON,
    ("vni",): _DAEMON,
    **{(word,): _DAEMON for word in _OTHER_WORDS},
    **{tuple(pair.split()): _DAEMON for pair in _OTHER_PAIRS},
    ("Building", "configuration..."): _SHOWN,
    ("Current", "configuration:"): _SHOWN,
    ("rpki",): _NEXT_HOPS,
    ("segment-routing",): _DAEMON,
    ("pbr-map",): _DAEMON,
    ("nexthop-group",): _DAEMON,
    ("l2vpn",): _DAEMON,
    ("mpls",): _DAEMON,
    ("zebra",): _DAEMON,
    ("ip", "route"): _DAEMON,
    ("ip", "forwarding"): _DAEMON,
    ("ip", "protocol"): _DAEMON,
    ("ip", "nht"): _NEXT_HOPS,
    ("ip", "multicast-routing"): _DAEMON,
    ("ip", "pim"): _DAEMON,
    ("ip", "igmp"): _DAEMON,
    ("ip", "ssh"): _DAEMON,
    ("ipv6", "route"): _DAEMON,
    ("ipv6", "forwarding"): _DAEMON,
    ("ipv6", "protocol"): _DAEMON,
    ("ipv6", "nht"): _NEXT_HOPS,
    ("ip", "extcommunity-list"): "counts where a route-map matches it, which is not translated",
    ("bgp", "extcommunity-list"): "counts where a route-map matches it, which is not translated",
    ("bgp", "route-map"): "is how soon bgpd looks at a changed route-map",
    ("bgp", "no-rib"): "is for the kernel's routes",
    ("bgp", "send-extra-data"): "is for the kernel's routes",
    ("bgp", "suppress-fib-pending"): "is for routes received",
    ("bgp", "session-dscp"): "marks bgpd's packets; ExaBGP has a mark of its own",
    ("bgp", "update-delay"): "is how soon bgpd sends",
    ("bgp", "community", "alias"): "is how bgpd shows it",
    ("bgp", "input-queue-limit"): "is how bgpd works",
    ("bgp", "output-queue-limit"): "is how bgpd works",
    ("bgp", "ipv6-auto-ra"): "is for neighbours by interface",
    ("bgp", "multiple-instance"): "says nothing of what is sent",
    ("route-map", "optimization"): "is how bgpd works",
}

TOP_REFUSED: dict[tuple[str, ...], str] = {
    ("bgp", "graceful-shutdown"): GRACEFUL_SHUTDOWN,
    ("bgp", "config-type"): "another kind of bgpd configuration; its defaults are not known here",
    ("router",): UNKNOWN,
    ("route-map",): "is incomplete, or abbreviated; write `route-map NAME permit 10`",
}

TOP_PASSED_OVER: dict[tuple[str, ...], str] = {
    (
        "bgp",
        "long-lived-graceful-restart",
    ): "ExaBGP has none (RFC 9494), see docs/restart.md; remove the line",
}
"""What is off, or lost, and says nothing of what is sent."""
_OF_LISTS = ("ip", "ipv6", "bgp")
"""What lists begin with."""


def of_others(statement: Statement) -> str:
    """Return why a line that is no list's and opens no block of BGP has no effect.

    Raises:
        MigrationError: it may have one, or is unknown.
    """
    plain = statement.said or statement.words
    for start, reason in TOP_HARMLESS.items():
        if plain[: len(start)] == start:
            return reason
    if not statement.plain and plain[:2] == ("bgp", "graceful-shutdown"):
        return "is off anyway"
    for start, remedy in TOP_REFUSED.items():
        if plain[: len(start)] == start:
            raise MigrationError(remedy)
    for start, remedy in TOP_PASSED_OVER.items():
        if plain[: len(start)] == start:
            raise PassedOverError(remedy)
    if is_of_a_block(plain):
        raise MigrationError(NO_BLOCK)
    if plain[0] in _OF_LISTS:
        raise MigrationError(UNKNOWN)
    raise PassedOverError("is unknown here; correct it, or remove it")
