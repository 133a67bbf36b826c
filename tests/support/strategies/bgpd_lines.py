"""Strategies of what bgpd's files may hold, sense or not: lines of known words, and any bytes."""

from __future__ import annotations

from hypothesis import strategies as st

WORDS = tuple(
    "router bgp 64699 64500 neighbor 203.0.113.1 2001:db8::1 G peer-group remote-as network "
    "192.0.2.1/32 2001:db8::1/128 192.0.2.1 mask 255.255.255.255 route-map M permit deny 10 20 "
    "match set ip ipv6 address prefix-list access-list as-path community community-list metric "
    "origin igp prepend additive none large-community extcommunity rt soo 64699:1:2 64699:100 no-export any ge le 24 "
    "out in activate shutdown password timers ebgp-multihop ttl-security hops update-source lo "
    "send-community both address-family unicast exit-address-family exit end no vrf view interface "
    "line vty frr version 8.4.4 defaults traditional hostname seq 5 call on-match next continue "
    "local-preference next-hop redistribute aggregate-address summary-only description default "
    "host remark exact-match standard expanded graceful-shutdown listen external internal vpn "
    "-1 0 4294967296 1.1 /32 + é \x85 ! # _".split(" ")
)
LINES = st.lists(st.sampled_from(WORDS), max_size=7).map(" ".join)

STATEMENTS = st.sampled_from([
    "router bgp 64699",
    "neighbor 203.0.113.1 remote-as 64500",
    "neighbor 203.0.113.1 route-map M out",
    "neighbor 203.0.113.1 prefix-list L out",
    "neighbor G peer-group",
    "neighbor 203.0.113.1 peer-group G",
    "neighbor 203.0.113.1 activate",
    "no neighbor 203.0.113.1 activate",
    "neighbor 203.0.113.1 local-as 64511",
    "network 192.0.2.1/32 route-map M",
    "network 2001:db8::1/128",
    "no network 192.0.2.1/32",
    "address-family ipv6",
    "address-family ipv4 vpn",
    "exit-address-family",
    "exit",
    "end",
    "route-map M permit 10",
    "route-map M deny 5",
    "match ip address prefix-list L",
    "match as-path A",
    "match tag 1",
    "set as-path prepend 64699",
    "set community no-export",
    "set metric +1",
    "ip prefix-list L permit 192.0.2.0/24 le 32",
    "ip as-path access-list A permit [[:digit:]]",
    "access-list 10 permit 192.0.2.0 0.0.0.255",
    "interface eth0",
    "ip address 203.0.113.9/24",
    "router ospf",
    "line vty",
    "bgp confederation identifier 64500",
    "timers bgp 3 9",
    "frr version 8.4.4",
    "",
    "! a comment",
    "  # another",
])  # fmt: skip

TEXTS = st.builds(
    lambda start, lines, join, end: (start + join.join(lines) + end).encode("utf-8", "replace"),
    st.sampled_from(["", "router bgp 64699\n", "\ufeffrouter bgp 64699\r\n"]),
    st.lists(st.one_of(LINES, STATEMENTS, STATEMENTS), max_size=30),
    st.sampled_from(["\n", "\r\n", "\n "]),
    st.sampled_from(["", "\n"]),
)
CONTENTS = st.one_of(TEXTS, TEXTS, st.binary(max_size=200))
"""The content of a file: mostly of bgpd's words, so that it is understood in parts."""
