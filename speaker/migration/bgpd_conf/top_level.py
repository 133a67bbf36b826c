"""What stands at the top level of bgpd.conf and of an integrated frr.conf, and is not BGP's."""

from __future__ import annotations

from speaker.migration.bgpd_conf.statement import OTHER_ROUTERS

_TERMINAL = "is for bgpd's own terminal and log"
_DAEMON = "is for another daemon"
_NEXT_HOPS = "is for routes received"

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
    ("ip", "extcommunity-list"): "is for extended communities, which VIPs have not",
    ("bgp", "extcommunity-list"): "is for extended communities, which VIPs have not",
    ("ip", "large-community-list"): "what names it is refused where it counts",
    ("bgp", "large-community-list"): "what names it is refused where it counts",
    ("bgp", "route-map"): "is how soon bgpd looks at a changed route-map",
    ("bgp", "multiple-instance"): "says nothing of what is sent",
    ("route-map", "optimization"): "is how bgpd works",
}

TOP_REFUSED: dict[tuple[str, ...], str] = {
    ("bgp", "config-type"): "another kind of bgpd configuration; its defaults are not known here",
    ("router",): "is unknown; correct it, or remove it",
    ("route-map",): "is incomplete; write `route-map NAME permit 10`",
}
