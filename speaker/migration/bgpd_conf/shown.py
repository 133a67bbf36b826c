"""A line as it may be shown to any user: words that are known to hold no secret. No I/O.

An integrated file has the passwords and keys of every daemon, and a mistyped line may hold one where
no one looks for it. So what is shown is listed, and the rest is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_WHOLE = frozenset(
    # of `router bgp`, and of its families
    "bgp network address-family exit-address-family timers redistribute aggregate-address distance "
    "maximum-paths table-map auto-summary synchronization coalesce-time read-quanta write-quanta "
    "update-delay import export rd rt label nexthop advertise advertise-all-vni "
    # of route-maps
    "match set call continue on-match description optimization "
    # of the top level
    "router route-map interface line vrf frr access-list hostname router-id end exit quit service "
    "bfd".split()
)
"""First words of lines that have no secret anywhere."""
_WHOLE_PAIRS = frozenset(
    (first, second)
    for first in ("ip", "ipv6")
    for second in "prefix-list access-list as-path community-list large-community-list "
    "extcommunity-list address route forwarding router-id bgp".split()
)
_OF_A_NEIGHBOR = frozenset(
    "remote-as peer-group activate route-map prefix-list filter-list distribute-list send-community "
    "timers ebgp-multihop ttl-security update-source port description shutdown interface local-as "
    "next-hop-self soft-reconfiguration maximum-prefix maximum-prefix-out allowas-in weight version "
    "advertisement-interval default-originate capability dont-capability-negotiate passive bfd "
    "override-capability strict-capability-match disable-connected-check enforce-multihop "
    "enforce-first-as graceful-restart graceful-restart-helper graceful-restart-disable solo "
    "graceful-shutdown remove-private-AS attribute-unchanged route-server-client as-override "
    "route-reflector-client transparent-as transparent-nexthop advertise-map unsuppress-map "
    "local-role addpath-tx-all-paths addpath-tx-bestpath-per-AS nexthop-local rpki".split()
)
"""What is said of a neighbour without a secret."""
_NAMED = frozenset("password".split())
"""What is said of a neighbour with one."""
_OF_TWO_WORDS = frozenset("ip ipv6 mpls isis key enable snmp-server".split())
"""First words that say little alone, and that a keyword follows."""


def shown(words: Sequence[str], *, elsewhere: bool) -> str:
    """Return a line without what may be a secret in it.

    Args:
        words: of the line.
        elsewhere: whether it stands in a block of another daemon, where words mean something else.
    """
    head, said = ([*words[:1]], words[1:]) if words[0] == "no" else ([], words)
    count = len(said)
    match said:
        case ("ip" | "ipv6", "address", *_):
            pass
        case (first, *_) if elsewhere or first not in _WHOLE | {"neighbor"}:
            if elsewhere or tuple(said[:2]) not in _WHOLE_PAIRS:
                count = 2 if first in _OF_TWO_WORDS and len(said) > 2 else 1
        case ("neighbor", _, what, *_) if what not in _OF_A_NEIGHBOR:
            count = 3 if what in _NAMED else 2
    rest = ["…"] if count < len(said) else []
    return " ".join([*head, *said[:count], *rest])
