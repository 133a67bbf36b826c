"""In which mode bgpd reads each line of its configuration.

bgpd reads by mode and not by indentation: a statement that the current mode does not know is
tried in the mode around it (docs/decisions/own-parser-for-bgpd.md). No I/O.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from speaker.migration.bgpd_conf import blocks
from speaker.migration.bgpd_conf.statement import CommandMode, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SPACE = re.compile(r"[ \t\r\v\f]+")
_ADDRESS_FAMILY: dict[tuple[str, ...], CommandMode] = {
    ("ipv4",): CommandMode.IPV4,
    ("ipv4", "unicast"): CommandMode.IPV4,
    ("ipv6",): CommandMode.IPV6,
    ("ipv6", "unicast"): CommandMode.IPV6,
    **{
        (version, what): CommandMode.OTHER_FAMILY
        for version in ("ipv4", "ipv6")
        for what in ("multicast", "vpn", "labeled-unicast", "flowspec", "encap")
    },
    **{
        (what,): CommandMode.OTHER_FAMILY
        for what in ("vpnv4", "vpnv6", "encap", "encapv4", "encapv6")
    },
    ("vpnv4", "unicast"): CommandMode.OTHER_FAMILY,
    ("vpnv6", "unicast"): CommandMode.OTHER_FAMILY,
    ("l2vpn", "evpn"): CommandMode.OTHER_FAMILY,
}
"""After any other one, bgpd stays where it is."""
_FAMILY_WORDS = frozenset(
    "neighbor network redistribute aggregate-address distance maximum-paths table-map import "
    "export rd rt label nexthop sid advertise-all-vni advertise vni".split()
)
_ROUTER_WORDS = _FAMILY_WORDS | frozenset(
    "bgp timers auto-summary synchronization coalesce-time read-quanta write-quanta update-delay "
    "vnc bmp segment-routing address-family exit-address-family ipv6 srv6 use-underlays-nexthop-weight".split()
)
_ROUTER_ONLY = frozenset(
    "remote-as local-as description password ebgp-multihop ttl-security update-source timers "
    "shutdown port passive interface capability dont-capability-negotiate override-capability "
    "strict-capability-match disable-connected-check advertisement-interval version bfd".split()
)
"""What is said of a neighbour outside of any address family."""
_OF_PREFIXES = ("network", "aggregate-address")
"""What `router bgp` takes for IPv4 wherever it stands, and is back in its own mode then."""
_IPV4 = re.compile(r"[0-9]+(\.[0-9]+){3}(/[0-9]+)?( |$)")
_MAP_WORDS = frozenset("match set call continue on-match description optimization".split())
_LINE_WORDS = frozenset("exec-timeout login access-class ipv6 password".split())
_BLOCKS = frozenset(
    "vrf bfd rpki segment-routing pbr-map nexthop-group l2vpn pseudowire".split()
)  # of other daemons, or of no concern; with `router`, `key chain`
OTHER_ROUTERS = frozenset("ospf ospf6 rip ripng isis babel eigrp openfabric pim pim6".split())
_TOP_WORDS = frozenset(
    "router route-map interface line hostname domainname password enable log service debug banner "
    "frr access-list username agentx dump".split()
)
_TOP_PAIRS = frozenset({
    ("ip", "prefix-list"), ("ip", "as-path"), ("ip", "community-list"), ("ip", "large-community-list"),
    ("ip", "extcommunity-list"), ("ip", "route"), ("ip", "forwarding"), ("ip", "protocol"),
    ("ip", "nht"), ("ip", "router-id"), ("ipv6", "prefix-list"), ("ipv6", "access-list"),
    ("ipv6", "route"), ("ipv6", "forwarding"), ("ipv6", "protocol"), ("ipv6", "nht"),
    ("bgp", "as-path"), ("bgp", "community-list"), ("bgp", "large-community-list"),
    ("bgp", "extcommunity-list"), ("key", "chain"), ("ip", "ssh"), ("ip", "multicast-routing"),
    ("bgp", "route-map"), ("bgp", "multiple-instance"), ("bgp", "config-type"), ("bgp", "no-rib"),
    ("bgp", "send-extra-data"), ("bgp", "session-dscp"), ("bgp", "community"),
    ("bgp", "input-queue-limit"), ("bgp", "output-queue-limit"), ("bgp", "ipv6-auto-ra"),
})  # fmt: skip
_TOP_WORDS_TOO = frozenset(
    "smux mpls zebra router-id vni fpm vrrp watchfrr allow-reserved-ranges allow-external-route-update "
    "nhrp affinity-map evpn mac Building Current".split()
)
_TOP_PAIRS_TOO = frozenset({
    *((family, word) for family in ("ip", "ipv6") for word in ("pim", "multicast", "mroute", "table")),
    ("ip", "igmp"), ("ip", "msdp"), ("ip", "mroute"), ("ip", "import-table"), ("ip", "nhrp"),
    ("ip", "multicast-lookup"), ("ipv6", "mld"),
})  # fmt: skip
"""What other blocks have as well."""
_ENDS_OTHERS = frozenset("vrf pbr-map nexthop-group l2vpn".split())
_ENDS_OTHERS_ALONE = frozenset({("bfd",), ("rpki",)})
_ENDS_INTERFACES = frozenset({("segment-routing",), ("mpls", "ldp")})
"""What opens a block of the top level: in any other daemon's; without more words; in an interface, as OSPF and IS-IS have it."""


def statements(file: str, content: bytes) -> tuple[Statement, ...]:
    """Return the statements of a file, each in its mode.

    Comments may be in any encoding. Words are split at blanks and tabs, as bgpd does.
    """
    return tuple(_Reader(file).read(content))


def decode(content: bytes) -> str:
    """Return the text of a file: UTF-8, else Latin-1, which has a character for every byte."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


class _Reader:
    def __init__(self, file: str) -> None:
        self._file = file
        self._stack: list[tuple[CommandMode, tuple[str, ...]]] = [(CommandMode.TOP, ())]

    def read(self, content: bytes) -> Iterator[Statement]:
        for number, line in enumerate(decode(content).split("\n"), start=1):
            words = tuple(word for word in _SPACE.split(line) if word)
            if not words or words[0][0] in "!#":
                continue
            mode, block = self._place(words)
            yield Statement(self._file, number, words, mode, block)

    def _place(self, words: tuple[str, ...]) -> tuple[CommandMode, tuple[str, ...]]:
        """Return where a statement stands, and be where it leads."""
        here = self._stack[-1]
        match words:
            case ("end",):
                del self._stack[1:]
                return here
            case ("exit" | "quit",) | ("exit-address-family",) if len(self._stack) > 1:
                if (
                    words[0] != "exit-address-family"
                    or here[0] in _FAMILY_MODES
                    or blocks.ends(here[1], words)
                ):
                    self._stack.pop()
                return here
        if blocks.ends(here[1], words):
            self._stack.pop()
            return here
        if here[0] is CommandMode.OTHER and blocks.keeps(here[1], words):
            return here
        within = self._within(words)
        if within is not None:
            del self._stack[within + 1 :]
            self._stack.append((_mode_within(self._stack[within][0]), words))
            return self._stack[within]
        depth = next(
            (
                depth
                for depth in range(len(self._stack) - 1, -1, -1)
                if _known(self._stack[depth][0], words)
            ),
            None,
        )
        if depth is None:
            return here
        del self._stack[depth + 1 :]
        place = self._stack[-1]
        opened = _opens(place[0], words)
        if opened is not None:
            is_ours = opened in (CommandMode.ROUTE_MAP, CommandMode.INTERFACE)
            self._stack.append((opened, words[1:] if is_ours else words))
        return place

    def _within(self, words: tuple[str, ...]) -> int | None:
        """Return where in the stack a statement opens a block within one of another daemon."""
        for depth in range(len(self._stack) - 1, 0, -1):
            mode, block = self._stack[depth]
            if mode is CommandMode.INTERFACE:
                block = ("interface",)
            if mode in _OF_OTHERS and blocks.opens(block, words):
                return depth
        return None


def _mode_within(mode: CommandMode) -> CommandMode:
    return CommandMode.OTHER if mode is CommandMode.INTERFACE else mode


def top_words() -> frozenset[str]:
    """Return the first words of what the top level has."""
    pairs = _TOP_PAIRS | _TOP_PAIRS_TOO
    return _TOP_WORDS | _BLOCKS | _TOP_WORDS_TOO | frozenset(first for first, _ in pairs)


def family_mode(family: Sequence[str]) -> CommandMode | None:
    """Return the mode of an address family, None where bgpd has no such family."""
    return _ADDRESS_FAMILY.get(tuple(family))


def is_of_a_block(words: Sequence[str]) -> bool:
    """Return whether a statement means something in `router bgp` or in a route-map only."""
    return words[0] in _ROUTER_WORDS | _MAP_WORDS


_OF_OTHERS = (CommandMode.INTERFACE, CommandMode.OTHER, CommandMode.OTHER_FAMILY)
_FAMILY_MODES = (CommandMode.IPV4, CommandMode.IPV6, CommandMode.OTHER_FAMILY)


def _known(mode: CommandMode, words: tuple[str, ...]) -> bool:
    """Return whether a mode knows a statement, by its first words."""
    if words[0] == "no" and len(words) > 1:
        words = words[1:]
    first = words[0]
    match mode:
        case CommandMode.TOP:
            if first == "router":
                return words[1:2] == ("bgp",) or (len(words) > 1 and words[1] in OTHER_ROUTERS)
            return (
                first in _TOP_WORDS | _BLOCKS | _TOP_WORDS_TOO
                or words[:2] in _TOP_PAIRS | _TOP_PAIRS_TOO
            )
        case CommandMode.BGP:
            return (
                first in _ROUTER_WORDS
                and words[:2] not in _TOP_PAIRS
                and (first != "ipv6" or words[1:2] == ("bgp",))
            )
        case CommandMode.IPV4 | CommandMode.IPV6:
            return _known_of_family(mode, words)
        case CommandMode.ROUTE_MAP:
            return first in _MAP_WORDS
        case CommandMode.LINE:
            return first in _LINE_WORDS and words[:2] not in _TOP_PAIRS
        case CommandMode.OTHER_FAMILY if first in ("address-family", "timers") or _is_router_only(
            words
        ):
            return False
        case CommandMode.INTERFACE | CommandMode.OTHER | CommandMode.OTHER_FAMILY:
            return (
                first not in _TOP_WORDS - {"password"}
                and words[:2] not in _TOP_PAIRS
                and not _ends_block(mode, words)
            )


def _ends_block(mode: CommandMode, words: tuple[str, ...]) -> bool:
    """Return whether another daemon's block ends where a line opens one of the top level, as vtysh has it."""
    if mode is CommandMode.OTHER_FAMILY:
        return False
    if words[0] in _ENDS_OTHERS or words in _ENDS_OTHERS_ALONE:
        return True
    return mode is CommandMode.INTERFACE and words in _ENDS_INTERFACES


def _is_router_only(words: tuple[str, ...]) -> bool:
    """Return whether a line is of a neighbour, and of no address family."""
    return words[0] == "neighbor" and not _ROUTER_ONLY.isdisjoint(words[2:3])


def _known_of_family(mode: CommandMode, words: tuple[str, ...]) -> bool:
    if _is_router_only(words):
        return False
    if mode is CommandMode.IPV6 and words[0] in _OF_PREFIXES and _IPV4.match(" ".join(words[1:])):
        return False
    return words[0] in _FAMILY_WORDS or words[:2] == ("bgp", "dampening")


def _opens(mode: CommandMode, words: tuple[str, ...]) -> CommandMode | None:
    """Return the mode that a statement opens, if it opens one."""
    match mode, words:
        case CommandMode.TOP, ("router", "bgp", *_):
            return CommandMode.BGP
        case CommandMode.TOP, ("route-map", _, "permit" | "deny", _):
            return CommandMode.ROUTE_MAP
        case CommandMode.TOP, ("interface", _, *_):
            return CommandMode.INTERFACE
        case CommandMode.TOP, ("line", _, *_):
            return CommandMode.LINE
        case CommandMode.TOP, ("router", word, *_) if word in OTHER_ROUTERS:
            return CommandMode.OTHER
        case CommandMode.TOP, ("key", "chain", _) | ("mpls", "ldp"):
            return CommandMode.OTHER
        case CommandMode.TOP, (first, *_) if first in _BLOCKS:
            return CommandMode.OTHER
        case CommandMode.BGP, ("address-family", *family):
            return family_mode(family)
        case CommandMode.BGP, ("segment-routing" | "vnc" | "bmp", *rest) if rest[:1] != ["mirror"]:
            return CommandMode.OTHER_FAMILY
    return None
