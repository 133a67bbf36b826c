"""The text of /proc/net/ip_vs -> Table. No I/O.

The kernel gives the file in pieces of about 4 KiB, and finds its place again for each piece by
counting virtual servers: where one vanishes between two pieces, another is left out of the text.
A table that differs from the last one is therefore believed only once it was read twice alike.

The line of a firewall mark's virtual server has no family. Its realservers tell it where one is not
tunnelled: the kernel takes those of the virtual server's own family only. A mark has at most one
virtual server of each family, so what is known of one shows the other. Else it stays open.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from speaker.health.ipvs.table import (
    IpvsTable,
    MarkService,
    RealServer,
    TableError,
    VirtualServer,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from speaker.units import IpAddress

_HEADING = re.compile(
    rb"IP Virtual Server version [^\n]*\n"
    rb"Prot LocalAddress:Port Scheduler Flags[^\n]*\n"
    rb"  -> RemoteAddress:Port Forward Weight ActiveConn InActConn[^\n]*\n"
)
# A realserver's line: what names it, and behind it how many connections are active and inactive.
_REALSERVER = re.compile(rb"  -> (\S+ +\S+ +-?[0-9]+) +([0-9]+) +([0-9]+)(?: [^\n>]*)?")
_HEAD = 3
"""How many lines the heading has."""
_ENDPOINT = rb"(?:([0-9A-Fa-f]{8})|\[((?:[0-9A-Fa-f]{4}:){7}[0-9A-Fa-f]{4})\]):([0-9A-Fa-f]{4})"
_DESTINATION = re.compile(_ENDPOINT + rb" +(\S+) +(-?[0-9]{1,10})")
_OWN_FAMILY = {b"Masq", b"Route"}
"""Ways to forward that need a realserver of the virtual server's family."""
_SERVICE = re.compile(rb"(TCP|UDP|SCTP) +" + _ENDPOINT + rb" +\S.*")
_MARK = re.compile(rb"FWM +([0-9A-Fa-f]{8}) +\S.*")


class TextError(TableError):
    """A text that ip_vs does not write: no table, or two halves of two tables."""


class _Block(NamedTuple):
    """A virtual server's line and its realservers' lines, and what they say."""

    line: bytes
    texts: list[bytes]
    server: VirtualServer | int
    realservers: tuple[RealServer, ...]
    version: int | None
    """The family that its realservers prove it to be of: 4, 6, None where they do not."""


class Parser:
    """Turns the file's bytes into a Table, quickly where little but connection counters has changed.

    It is read thousands of virtual servers at a time, and a withdrawal waits for it. So only the
    lines are parsed between the first that says something else than last time and the last such one.
    """

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._said: list[bytes | None] = []
        self._blocks: list[_Block] = []
        self._table = IpvsTable()
        self._destinations: dict[bytes, tuple[RealServer, bool]] = {}

    def parse(self, data: bytes) -> IpvsTable:
        """Parse the whole file. Equal tables in a row are the same object.

        A virtual server whose lines are as they were keeps its tuple of realservers.

        Raises:
            TextError: some line is not what the kernel writes; says which.
        """
        heading = _HEADING.match(data)
        if heading is None:
            raise _bad(1, data.partition(b"\n")[0], "not the heading that ip_vs writes")
        *lines, rest = data[heading.end() :].split(b"\n")
        if rest:
            raise _bad(_HEAD + len(lines) + 1, rest, "cut short, or not a realserver's line")
        head = self._alike(zip(lines, self._lines, self._said, strict=False))
        if head < len(lines) or head < len(self._lines):
            self._take(lines, head)
        self._lines = lines
        return self._table

    def connections(self) -> Iterator[tuple[VirtualServer | int, int, int]]:
        """Yield each virtual server of the last text, in its order, with its active and inactive connections.

        One of a firewall mark is the mark; those of one mark come in the order in which the table has them.
        """
        lines = iter(self._lines)
        for block in self._blocks:
            next(lines)
            matches = map(_REALSERVER.fullmatch, islice(lines, len(block.texts)))
            numbers = [(int(match[2]), int(match[3])) for match in matches if match]
            yield block.server, sum(each[0] for each in numbers), sum(each[1] for each in numbers)

    @staticmethod
    def _alike(pairs: Iterable[tuple[bytes, bytes, bytes | None]]) -> int:
        """Return how many lines say the same as in the last text, up to the first that does not."""
        count = 0
        for new, old, said in pairs:
            if new != old and (said is None or _says(new) != said):
                break
            count += 1
        return count

    def _take(self, lines: list[bytes], head: int) -> None:
        """Parse what differs from the last text, of which this many lines at its head do not."""
        blocks, old = self._blocks, len(self._lines)
        pairs = zip(reversed(lines), reversed(self._lines), reversed(self._said), strict=False)
        tail = self._alike(islice(pairs, min(len(lines), old) - head))
        # The last virtual server of those at the head may have got another realserver, which follows.
        first, start = 0, 0
        while first < len(blocks) and start + 1 + len(blocks[first].texts) < head:
            start += 1 + len(blocks[first].texts)
            first += 1
        last, end = len(blocks), old
        while last > first and end - 1 - len(blocks[last - 1].texts) >= old - tail:
            last -= 1
            end -= 1 + len(blocks[last].texts)
        known = {block.line: block for block in blocks[first:last]}
        middle = self._parse(lines[start : len(lines) - (old - end)], _HEAD + 1 + start, known)
        blocks = [*blocks[:first], *middle, *blocks[last:]]
        self._table = _table(blocks)
        self._blocks = blocks
        said = (text for block in middle for text in (None, *block.texts))
        self._said = [*self._said[:start], *said, *self._said[end:]]

    def _parse(
        self, lines: list[bytes], number: int, known: Mapping[bytes, _Block]
    ) -> list[_Block]:
        """Parse virtual servers.

        Args:
            lines: their lines.
            number: that of the first line.
            known: virtual servers as they were.
        """
        if len(self._destinations) > len(self._lines):  # most are there no more
            self._destinations = {}
        blocks = []
        for at, line, texts in _grouped(lines, number):
            block = known.get(line)
            if block is None or block.texts != texts:
                server = _virtual_server(at, line) if block is None else block.server
                block = self._block(at + 1, line, server, texts)
            blocks.append(block)
        return blocks

    def _block(
        self, number: int, line: bytes, server: VirtualServer | int, texts: list[bytes]
    ) -> _Block:
        for index, text in enumerate(texts):
            if text not in self._destinations:
                self._destinations[text] = _destination(number + index, text)
        found = [self._destinations[text] for text in texts]
        is_mark = isinstance(server, int)
        proven = {real.address.version for real, is_own in found if is_own and is_mark}
        if len(proven) > 1:
            raise _bad(number, texts[0], "beside one of the other family, and neither is tunnelled")
        realservers = tuple([real for real, _ in found])
        return _Block(line, texts, server, realservers, next(iter(proven), None))


def _table(blocks: list[_Block]) -> IpvsTable:
    services: dict[VirtualServer, tuple[RealServer, ...]] = {}
    marks: dict[int, list[_Block]] = {}
    for block in blocks:
        if isinstance(block.server, int):
            marks.setdefault(block.server, []).append(block)
        else:
            services[block.server] = block.realservers
    if len(services) + sum(map(len, marks.values())) < len(blocks):
        raise _twice(blocks)
    return IpvsTable(services, {mark: _told(mark, found) for mark, found in marks.items()})


def _twice(blocks: list[_Block]) -> TextError:
    seen = set()
    number = _HEAD + 1
    for block in blocks:
        if block.server in seen and not isinstance(block.server, int):
            break
        seen.add(block.server)
        number += 1 + len(block.texts)
    return _bad(number, block.line, "a second time in the same table")


def _told(mark: int, blocks: list[_Block]) -> tuple[MarkService, ...]:
    """Return a mark's virtual servers, each with its family where that is told."""
    versions = [block.version for block in blocks]
    told = {version for version in versions if version is not None}
    if len(blocks) > 2 or (len(blocks) == 2 and versions[0] == versions[1] and told):
        raise TextError(f"firewall mark {mark}: more than one virtual server of a family")
    if len(blocks) == 2 and told:
        versions = [{4: 6, 6: 4}[min(told)] if each is None else each for each in versions]
    return tuple(
        MarkService(version, block.realservers)
        for version, block in zip(versions, blocks, strict=True)
    )


def _says(line: bytes) -> bytes | None:
    """Return what a realserver's line says except its counters; None where it is another line."""
    match = _REALSERVER.fullmatch(line)
    return None if match is None else match[1]


def _grouped(lines: list[bytes], number: int) -> Iterator[tuple[int, bytes, list[bytes]]]:
    """Yield each virtual server: its line's number, its line, and the texts of its realservers."""
    server: bytes | None = None
    start, texts = number, list[bytes]()
    for at, line in enumerate(lines, number):
        if (text := _says(line)) is None:
            if server is not None:
                yield start, server, texts
            server, start, texts = line, at, []
        elif server is None:
            raise _bad(at, text, "a realserver of no virtual server")
        else:
            texts.append(text)
    if server is not None:
        yield start, server, texts


def _bad(number: int, line: bytes, found: str) -> TextError:
    shown = line[:80].decode("ascii", "backslashreplace")
    return TextError(f"line {number}: {shown!r}: {found}")


def _virtual_server(number: int, line: bytes) -> VirtualServer | int:
    """Parse a virtual server's line; a firewall mark is its number."""
    mark = _MARK.fullmatch(line)
    if mark is not None:
        return int(mark[1], 16)
    match = _SERVICE.fullmatch(line)
    if match is None:
        raise _bad(number, line, "neither a virtual server nor a realserver")
    return VirtualServer(
        match[1].decode("ascii").lower(), _address(match[2], match[3]), int(match[4], 16)
    )


def _destination(number: int, text: bytes) -> tuple[RealServer, bool]:
    """Parse a realserver, and tell whether it must be of its virtual server's family."""
    match = _DESTINATION.fullmatch(text)
    if match is None:
        raise _bad(number, text, "not a realserver's address, forwarding and weight")
    realserver = RealServer(_address(match[1], match[2]), int(match[3], 16), int(match[5]))
    return realserver, match[4] in _OWN_FAMILY


def _address(ipv4: bytes | None, ipv6: bytes) -> IpAddress:
    if ipv4 is not None:
        return IPv4Address(int(ipv4, 16))
    return IPv6Address(int(ipv6.replace(b":", b""), 16))
