"""Blocks within the blocks of other daemons, and what ends them: without them an `exit` would end too much.

As vtysh reads a file, every `exit` leaves one block. What stands in these says nothing of BGP, so
of each only its name counts here. No I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_WITHIN: dict[str, frozenset[str]] = {
    block: frozenset(openers.split())
    for block, openers in {
        "bfd": "profile peer",
        "key": "key",
        "segment-routing": "traffic-eng srv6",
        "traffic-eng": "segment-list policy pcep",
        "pcep": "pce-config pce pcc",
        "srv6": "locators encapsulation formats static-sids",
        "locators": "locator",
        "formats": "format",
        "mpls": "address-family",
        "address-family": "interface",
        "vrf": "rpki",
        "interface": "link-params",
        "isis": "flex-algo",
        "evpn": "vni",
    }.items()
}
"""By the word that opens a block, those that open another one in it."""
_OF_A_VRF = frozenset(
    (family, word) for family in ("ip", "ipv6") for word in "route nht protocol router-id".split()
)
"""What the top level has as well: in a VRF it is the VRF's."""
ENDS = {
    "exit-vrf": "vrf",
    "exit-vni": "vni",
    "exit-link-params": "link-params",
    "exit-address-family": "address-family",
    "exit-ldp-if": "interface",
    "exit-vnc": "vnc",
}


def opens(block: Sequence[str], words: Sequence[str]) -> bool:
    """Return whether a line within a block opens another one.

    Args:
        block: the line that opened the block.
        words: of the line.
    """
    within = kind(block)
    match within, *words:
        case "policy", "candidate-path", *_, last:
            return last == "dynamic"
        case "l2vpn", "member", what, *_:
            return what == "pseudowire"
        case "isis", "segment-routing", what, *_:
            return what == "srv6"
    return words[0] in _WITHIN.get(within, ())


def keeps(block: Sequence[str], words: Sequence[str]) -> bool:
    """Return whether a block takes a line that the top level knows too."""
    said = words[1:] if words[0] == "no" else words
    if kind(block) == "link-params":
        return said[0] != "exit-link-params"
    return kind(block) == "vrf" and tuple(said[:2]) in _OF_A_VRF


def kind(block: Sequence[str]) -> str:
    """Return the word that a block is known by: `isis` for `router isis 1`, `evpn` for its family."""
    match [*block]:
        case ["router", protocol, *_]:
            return protocol
        case ["address-family", "l2vpn", "evpn"]:
            return "evpn"
        case [first, *_]:
            return first
    return ""


def ends(block: Sequence[str], words: Sequence[str]) -> bool:
    """Return whether a line ends a block by a word of its own."""
    return len(words) == 1 and ENDS.get(words[0]) == kind(block)
