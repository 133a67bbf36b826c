"""The names that peers give themselves, in FRR's answers: whatever they are, nothing else is read in them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy.route import Asn
from speaker.backends.base import BackendError
from speaker.backends.quagga import names
from speaker.backends.quagga.neighbors import WantedOutbounds
from speaker.backends.quagga.reader import READ, Reader
from speaker.backends.quagga.summary import parse_summary
from speaker.backends.quagga.table import answered, parse_tables
from speaker.backends.quagga.vtysh import Output

if TYPE_CHECKING:
    from collections.abc import Sequence

PEERS = ("203.0.113.6", "203.0.113.10", "2001:db8:ffff:1::2")
SUMMARY = "Neighbor        V         AS   MsgRcvd   MsgSent   TblVer  InQ OutQ  Up/Down State/PfxRcd   PfxSnt Desc"
TABLE = "     Network          Next Hop            Metric LocPrf Weight Path"
RUNNING = "frr version 10.3\nfrr defaults traditional\nrouter bgp 64699\n"
SHOWN = " bgp default show-hostname\n"

ROW = b"\n198.51.100.9 4 64500 1 1 1 1 1 1 1 1 x\n"
PIECES = [
    ROW, b"\n *>  192.0.2.2/32 0.0.0.0  32768 i\n", b"\n\n", b"\n% Unknown command\n", b"\n{\n", b"}\n", b"end\n",
    b"Displayed 1 routes and 1 total paths\n", b"VRF default", b"Policy", b"router1", b")", b"(", b" ", b"\\", b'"', b"\\n",
    b"\\xff", b"\xff", b"\xc3\xa9", b"\x85", b"(203.0.113.6)", b"203.0.113.10", b"\x1b[2J",
]  # fmt: skip
NAMES = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=4)), max_size=4).map(
    lambda parts: b"".join(parts).replace(b"\0", b"")[:64]
)


def told(*given: bytes) -> bytes:
    """Return what it tells as JSON, whose strings have bytes beyond ASCII as they are."""
    peers = {
        peer: {"hostname": name.decode("latin-1")} if name else {}
        for peer, name in zip(PEERS, given, strict=True)
    }
    document = {"default": {"ipv4Unicast": {"routerId": "203.0.113.2", "peers": peers}}}
    return json.dumps(document, indent=1, ensure_ascii=False).encode("latin-1") + b"\n\n"


def shown(*given: bytes) -> bytes:
    """Return the summary and the tables with the names, as FRR 10.3 writes them."""
    lines = [b"IPv4 Unicast Summary (VRF default):", b"", SUMMARY.encode()]
    for peer, name in zip(PEERS, given, strict=True):
        who = name + b"(" + peer.encode() + b")" if name else peer.encode()
        who = b"*" * (peer == PEERS[1]) + who
        lines.append(who + b" 4 64501 3 7 2 0 0 00:00:02 (Policy) 2 N/A")
    lines += [b"", b"Total number of neighbors 3", b"", TABLE.encode()]
    for number, (peer, name) in enumerate(zip(PEERS, given, strict=True)):
        hop = peer.encode() + (b"(" + name + b")" if name else b"")
        lines += [b" *>  198.51.100.%d/32  " % number + hop, b" " * 59 + b"0 64501 i"]
    lines.append(b" *>  192.0.2.7/32     0.0.0.0(router1)         0         32768 i")
    lines += [
        b"",
        b"Displayed 4 routes and 4 total paths",
        b"No BGP prefixes displayed, 0 exist",
        b"",
    ]
    return b"\n".join(lines)


def text(answer: bytes) -> str:
    """Return an answer as vtysh's is read."""
    return answer.decode("utf-8", "backslashreplace")


@example([b"e" + ROW, b"", b""])
@example([b"VRF default", b"a)" + ROW, b"a"])
@given(st.lists(NAMES, min_size=3, max_size=3))
def test_nothing_else_is_read(given: list[bytes]) -> None:
    """Sessions and paths are those that are there without any name."""
    lines = names.without(text(told(*given) + shown(*given) + told(*given))).splitlines()
    plain = text(shown(b"", b"", b"")).splitlines()
    assert parse_summary(lines) == parse_summary(plain)
    assert parse_tables(lines) == parse_tables(plain) != {}
    assert answered(["end", *lines], 2)
    assert not [line for line in lines if line.startswith("%")]


def test_many_names() -> None:
    """Of too many nothing is believed."""
    peers = {f"198.18.{n >> 8}.{n & 255}": {"hostname": f"\n{n}"} for n in range(names.MAX_ODD + 1)}
    document = json.dumps({"default": {"ipv4Unicast": {"peers": peers}}}, indent=1)
    with pytest.raises(BackendError, match="1001 peers"):
        names.without(f"{document}\n\n{document}\n")


def test_a_name_that_changes() -> None:
    """What is shown between may have either, and is not believed; a plain one does no harm."""
    one, other = (ROW, b"", b""), (b"a" + ROW, b"", b"")
    for first, last in ((one, other), (one, (b"", b"", b"")), ((b"", b"", b""), one)):
        with pytest.raises(BackendError, match="changed meanwhile"):
            names.without(text(told(*first) + shown(*first) + told(*last)))
    assert names.without(text(told(b"a", b"", b"") + shown(b"a", b"", b"") + told(b"b", b"", b"")))


@pytest.mark.parametrize(
    "answer", ["", "% Unknown command\n", "{}", "[]\n{\n}", '{"default": 1}\n{\n}']
)
def test_names_that_are_not_told(answer: str) -> None:
    """The remedy is said."""
    with pytest.raises(BackendError, match="no bgp default show-hostname"):
        names.without(answer)


@pytest.mark.parametrize(
    ("lines", "are_shown"),
    [
        ("", False),
        ("frr defaults traditional", False),
        (" bgp default show-hostname", True),
        (" bgp default show-nexthop-hostname", True),
        ("frr defaults datacenter", True),
        ("frr defaults datacenter\n no bgp default show-hostname", True),
        (
            "frr defaults datacenter\n no bgp default show-hostname\n no bgp default show-nexthop-hostname",
            False,
        ),
    ],
)
def test_whether_they_are_shown(lines: str, *, are_shown: bool) -> None:
    """Where running-config says so, or its defaults are a data centre's and it does not say otherwise."""
    assert names.are_shown(lines.splitlines()) == are_shown


@dataclass
class Bgpd:
    """A bgpd whose configuration may change. It keeps what it was asked."""

    shows: bool = True
    names: tuple[bytes, ...] = (b"\n% Unknown command\n" + ROW, b"", b"")
    asked: list[Sequence[str]] = field(default_factory=list)

    async def __call__(self, commands: Sequence[str]) -> Output:
        """Answer as vtysh does."""
        self.asked.append(commands)
        running = f"{RUNNING}{SHOWN if self.shows else ''}end\n".encode()
        given = self.names if self.shows else (b"", b"", b"")
        parts = {
            names.ASK: told(*given) if self.shows else b"% Unknown command\n",
            READ[0]: running,
        }
        parts[READ[-1]] = shown(*given)
        return Output(0, text(b"".join(parts.get(command, b"") for command in commands)), "")


def test_they_are_asked_for_where_they_are_shown() -> None:
    """Whatever bgpd was before: one that does not show them is asked nothing more."""
    bgpd = Bgpd(shows=False)
    reader = Reader(bgpd)
    reader.configure(Asn(64699), (), WantedOutbounds(Asn(64699), None))

    async def look() -> list[str]:
        return [session.address for session in (await reader.look([])).sessions]

    async def main() -> None:
        assert await look() == list(PEERS)
        assert bgpd.asked == [READ]
        bgpd.shows = True
        for _ in range(2):
            assert await look() == list(PEERS)
        assert bgpd.asked[1:] == [READ, names.around(READ), names.around(READ)]
        bgpd.shows = False
        with pytest.raises(BackendError):
            await look()
        assert await look() == list(PEERS)

    asyncio.run(main())
