"""keepalived's statements -> its virtual servers and global definitions, as far as a VIP's health needs them.

What has no meaning that is sure is a note. Sources: keepalived.conf(5) of 2.2.7, and its answers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple

from policy.health import PROTOCOLS
from speaker.check.keepalived.ends import Sorry, family, is_port, is_tunnelled, reals, sorry_server
from speaker.check.keepalived.timing import Timing, timings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from speaker.check.keepalived.text import Place
    from speaker.check.keepalived.tree import ConfStatement, Tree
    from speaker.units import IpAddress

_SCRIPT_TIMEOUT = 10
_SERVERS = ("virtual_server", "virtual_server_group")
_NAMES = ("process_names", "process_name", "checker_process_name")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses of virtual servers: one, or all from `first` to `last`, and their port."""

    first: IpAddress
    last: IpAddress
    port: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A firewall mark. `version` is its family, None where that is not sure."""

    number: int
    version: int | None


@dataclass(frozen=True, slots=True)
class Server:
    """A `virtual_server`: where it is, how many realservers it has, and how they are checked."""

    place: Place
    title: str
    where: tuple[Addresses | Mark, ...]
    protocol: str
    sorry: tuple[Sorry, ...]
    timings: tuple[Timing, ...]
    realservers: int


@dataclass(slots=True)
class Conf:
    """What keepalived is configured to do. `complete`: there is nothing besides."""

    servers: list[Server] = field(default_factory=list)
    fifos: dict[str, tuple[Place, str]] = field(default_factory=dict)
    """Where keepalived writes what happens to realservers, by `lvs_notify_fifo` and `notify_fifo`. The first holds."""
    fifo_scripts: set[str] = field(default_factory=set)
    """Which of them a script reads that keepalived starts."""
    renamed: Place | None = None
    """Where its processes get another name, if they do."""
    scripts: tuple[Place, float] | None = None
    """How long scripts may take while it ends and starts, in seconds."""
    notes: list[str] = field(default_factory=list)
    complete: bool = True

    def doubt(self, place: Place, what: str) -> None:
        """Note something without a meaning that is sure."""
        self.notes.append(f"{place}: {what}: not understood")
        self.complete = False


def conf_of(tree: Tree) -> Conf:
    """Return what the statements mean."""
    conf = Conf(notes=[*tree.notes], complete=tree.complete)
    for block in tree.top.all("global_defs"):
        _globals(block, conf)
    groups = _Groups(tree, conf)
    for each in tree.top.all("virtual_server"):
        server = _server(each, groups, conf)
        if server is not None:
            conf.servers.append(server)
    _misplaced(tree, conf)
    return conf


def _misplaced(tree: Tree, conf: Conf) -> None:
    """Doubt what stands in a block that keepalived does not know: it passes over the brace alone, and reads on."""
    todo = [tree.top]
    while todo:
        block = todo.pop()
        for each in block.block:
            home = "virtual_server" if each.name == "real_server" else ""
            if each.name in {*_SERVERS, "real_server"} and block.name != home:
                conf.doubt(each.place, f"{each.name} within {block.name or 'no block'}")
                return
            if each.block:
                todo.append(each)


def _globals(block: ConfStatement, conf: Conf) -> None:
    for name in ("lvs_notify_fifo", "notify_fifo"):
        for each in block.all(name):
            if len(each.words) > 1 and name not in conf.fifos:
                conf.fifos[name] = each.place, each.words[1].strip("'")
        if any(block.all(f"{name}_script")):
            conf.fifo_scripts.add(name)
    for each in block.all(*_NAMES):
        conf.renamed = each.place
    for each in block.all("nftables_ipvs"):
        conf.doubt(each.place, "nftables_ipvs balances groups by firewall marks of its own")
    total = 0.0
    place = None
    for name in ("startup_script", "shutdown_script"):
        if (script := block.last(name)) is not None:
            place = script.place
            limit = block.last(f"{name}_timeout")
            seconds = None if limit is None else number(limit)
            total += _SCRIPT_TIMEOUT if seconds is None else seconds
    if place is not None:
        conf.scripts = place, total


def number(statement: ConfStatement) -> int | None:
    """Return the number that a statement gives, None where it is none."""
    text = statement.words[1] if len(statement.words) > 1 else ""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


class _Where(NamedTuple):
    """Where a virtual server is, and of which families that is; None among them where one is not sure."""

    all: tuple[Addresses | Mark, ...]
    versions: frozenset[int | None]


def _where(found: Iterable[Addresses | Mark]) -> _Where:
    every = tuple(found)
    versions = (each.version if isinstance(each, Mark) else each.first.version for each in every)
    return _Where(every, frozenset(versions))


class _Groups:
    """The groups of virtual servers. Each is read once, however many virtual servers name it."""

    def __init__(self, tree: Tree, conf: Conf) -> None:
        self._blocks: dict[str, ConfStatement] = {}
        for each in tree.top.all("virtual_server_group"):
            if len(each.words) == 2:
                self._blocks.setdefault(each.words[1], each)  # of two keepalived takes the first
        self._conf = conf
        self._found: dict[tuple[str, int | None], _Where] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._blocks

    def of(self, name: str, version: int | None) -> _Where:
        """Return what a group has, for a virtual server whose firewall marks are of a family."""
        key = name, version
        if key not in self._found:
            lines = self._blocks[name].block
            self._found[key] = _where(
                each for line in lines for each in _of_group(line, version, self._conf)
            )
        return self._found[key]


def _server(each: ConfStatement, groups: _Groups, conf: Conf) -> Server | None:
    where = _where(())
    match each.words[1:]:
        case ("fwmark", text):
            where = _where(_mark((text,), each.place, family(each), conf))
        case ("group", name) if name in groups:
            where = groups.of(name, family(each))
        case (_,) | (_, _) as words:  # of a range, which belongs into a group, it takes the first
            found = _addresses(words, each.place, conf)
            where = _where(replace(one, last=one.first) for one in found)
        case _:
            conf.doubt(each.place, " ".join(each.words))
    if not where.all:
        return None
    title = " ".join(each.words)
    taken = tuple(reals(each, where.versions, conf.notes))
    if not taken:
        conf.notes.append(f"{each.place}: {title}: no real_server: keepalived ignores it")
        return None
    if {4, 6} <= where.versions and not all(is_tunnelled(each, real) for real in taken):
        conf.notes.append(
            f"{each.place}: {title}: IPv4 and IPv6, not tunnelled: keepalived ignores it"
        )
        return None
    protocol = each.last("protocol")
    # With none it says so, and takes UDP.
    word = "udp" if protocol is None or len(protocol.words) < 2 else protocol.words[1].lower()
    if word not in PROTOCOLS:
        conf.doubt(each.place, f"protocol {word}")
        return None
    sorry = sorry_server(each, where.versions, conf.notes)
    count = len({real.words[1:] for real in taken if not _has_no_weight(each, real)})
    return Server(each.place, title, where.all, word, sorry, tuple(timings(each, taken)), count)


def _has_no_weight(server: ConfStatement, real: ConfStatement) -> bool:
    """Tell whether a realserver has weight 0 as long as no check of it gives it another."""
    found = real.last("weight") or server.last("weight")
    may_change = any(real.all("MISC_CHECK", "FILE_CHECK", "BFD_CHECK"))
    return found is not None and number(found) == 0 and not may_change


def _of_group(line: ConfStatement, version: int | None, conf: Conf) -> Iterator[Addresses | Mark]:
    if line.name == "fwmark":
        family = {"inet": 4, "inet6": 6}.get(line.words[-1]) or version
        yield from _mark(line.words[1:2], line.place, family, conf)
    else:
        yield from _addresses(line.words, line.place, conf)


def _mark(words: Sequence[str], place: Place, version: int | None, conf: Conf) -> Iterator[Mark]:
    if len(words) == 1 and re.fullmatch(r"[0-9]{1,10}", words[0]):
        yield Mark(int(words[0]), version)
    else:
        conf.doubt(place, f"fwmark {' '.join(words)}")


def _addresses(words: Sequence[str], place: Place, conf: Conf) -> Iterator[Addresses]:
    """Yield what `192.0.2.1 80`, `192.0.2.1-5 80`, `192.0.2.1-192.0.3.5 80`, `192.0.2.0/29 80` name."""
    port = words[1] if len(words) > 1 else "0"
    ends = _ends(words[0])
    if len(words) > 2 or ends is None or not is_port(port):
        conf.doubt(place, " ".join(words))
    else:
        yield Addresses(*ends, int(port))


def _ends(text: str) -> tuple[IpAddress, IpAddress] | None:
    """Return the first and the last address of a range."""
    try:
        if "/" in text:
            net = ip_network(text)
            return net.network_address, net.broadcast_address
        first, _, to = text.partition("-")
        start = ip_address(first)
        if not to:
            return start, start
        if "." in to or ":" in to:
            end = ip_address(to)
        elif start.version == 4:
            end = ip_address(f"{first.rpartition('.')[0]}.{to}")
        else:
            end = ip_address(f"{first.rpartition(':')[0]}:{to}")
    except ValueError:
        return None
    return (start, end) if start.version == end.version and int(start) <= int(end) else None
