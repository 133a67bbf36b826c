"""The names and versions that peers give of themselves, in FRR's answers: whatever they are, nothing else is read."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy.route import Asn
from speaker.backends.base import BackendError
from speaker.backends.quagga import peer_texts
from speaker.backends.quagga.reader import READ, Reader
from speaker.backends.quagga.summary import parse_summary
from speaker.backends.quagga.table import answered, parse_tables
from speaker.backends.quagga.vtysh import Output
from speaker.backends.quagga.wanted_outbounds import WantedOutbounds

if TYPE_CHECKING:
    from collections.abc import Sequence

PEERS = ("203.0.113.6", "203.0.113.10", "2001:db8:ffff:1::2")
SUMMARY = "Neighbor        V         AS   MsgRcvd   MsgSent   TblVer  InQ OutQ  Up/Down State/PfxRcd   PfxSnt Desc"
TABLE = "     Network          Next Hop            Metric LocPrf Weight Path"
RUNNING = "frr version 8.4\nfrr defaults traditional\nrouter bgp 64699\n"
NAME, ADDRESS = r"[0-9A-Za-z._-]*", f"(?:{'|'.join(map(re.escape, PEERS))})"
WHO = rf"(?:{NAME}\({ADDRESS}\)|{ADDRESS})"
DETAIL = re.compile(
    rf"|  Advertised to peers:|  64501|  {WHO}(?: {WHO})*|    {ADDRESS}(?:\({NAME}\))? from {WHO} \(192\.0\.2\.254\)"
)
"""A line about the paths of a prefix."""
ENTRY = "BGP routing table entry for 255.255.255.255/32, version 2"
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


@dataclass(frozen=True)
class Texts:
    """What the peers give, in their order."""

    names: Sequence[bytes] = (b"", b"", b"")
    versions: Sequence[bytes] = (b"n/a", b"n/a", b"n/a")
    are_names_shown: bool = True

    def told(self) -> bytes:
        """Return what is told as JSON, whose strings have bytes beyond ASCII as they are."""
        peers = {
            peer: {"softwareVersion": version.decode("latin-1")}
            | ({"hostname": name.decode("latin-1")} if name else {})
            for peer, name, version in zip(PEERS, self.names, self.versions, strict=True)
        }
        document = {"default": {"ipv4Unicast": {"routerId": "203.0.113.2", "peers": peers}}}
        return json.dumps(document, indent=1, ensure_ascii=False).encode("latin-1") + b"\n\n"

    def shown(self) -> bytes:
        """Return the summary and the tables, as FRR 10.3 writes them."""
        names = self.names if self.are_names_shown else (b"", b"", b"")
        lines = [b"IPv4 Unicast Summary (VRF default):", b"", SUMMARY.encode()]
        for peer, name, version in zip(PEERS, names, self.versions, strict=True):
            who = name + b"(" + peer.encode() + b")" if name else peer.encode()
            who = b"*" * (peer == PEERS[1]) + who
            lines.append(who + b" 4 64501 3 7 2 0 0 00:00:02 (Policy) 2 " + cut(version))
        lines += [b"", b"Total number of neighbors 3", b"", TABLE.encode()]
        for number, (peer, name) in enumerate(zip(PEERS, names, strict=True)):
            hop = peer.encode() + (b"(" + name + b")" if name else b"")
            lines += [b" *>  198.51.100.%d/32  " % number + hop, b" " * 59 + b"0 64501 i"]
        lines.append(b" *>  192.0.2.7/32     0.0.0.0(router1)         0         32768 i")
        lines += [b"", b"Displayed 4 routes and 4 total paths"]
        lines.append(b"No BGP prefixes displayed, 0 exist")
        lines += [ENTRY.encode(), b"  Advertised to peers:"]
        pairs = [*zip((peer.encode() for peer in PEERS), names, strict=True)]
        known = [name + b"(" + near + b")" if name else near for near, name in pairs]
        lines.append(b"  " + b" ".join(known))
        for (near, name), who in zip(pairs, known, strict=True):
            hop = near + (b"(" + name + b")" if name else b"")
            lines += [b"  64501", b"    " + hop + b" from " + who + b" (192.0.2.254)"]
        lines.append(b"")
        return b"\n".join([*lines, b""])

    def answer(self, after: Texts | None = None) -> str:
        """Return all of it as vtysh's is read, with what is told behind it."""
        return text(self.told() + self.shown() + (after or self).told())


def cut(version: bytes) -> bytes:
    """Return what FRR shows of a description: 20 letters, up to the last blank among them."""
    if len(version) < 20:
        return version
    blanks = [at for at in range(1, 20) if version[at : at + 1] == b" "]
    return version[: blanks[-1]] if blanks else version[:20]


def text(answer: bytes) -> str:
    """Return an answer as vtysh's is read."""
    return answer.decode("utf-8", "backslashreplace")


THREE = st.lists(NAMES, min_size=3, max_size=3)


@example(given=[b"e" + ROW, b"", b""], versions=[b"", b"", b""], are_names_shown=True)
@example(given=[b"VRF default", b"a)" + ROW, b"a"], versions=[b"", b"", b""], are_names_shown=True)
@example(
    given=[b"", b"", b""],
    versions=[b"SOFT\n% Unknown command", b"\n\nx", b"\nx"],
    are_names_shown=True,
)
@example(
    given=[b"X\n", b"X", b""],
    versions=[b"a\nX\n(203.0.113.6)", b"N/A\nX", b"2\n"],
    are_names_shown=True,
)
@example(given=[b"router1", b"X", b""], versions=[b"a\nb", b"\n%", b"\n"], are_names_shown=False)
@given(given=THREE, versions=THREE, are_names_shown=st.booleans())
def test_nothing_else_is_read(
    given: list[bytes], versions: list[bytes], *, are_names_shown: bool
) -> None:
    """Sessions and paths are those that are there without any text."""
    texts = Texts(given, versions, are_names_shown)
    lines = peer_texts.without(texts.answer()).split("\n")
    plain = text(Texts().shown()).split("\n")
    assert parse_summary(lines) == parse_summary(plain)
    assert parse_tables(lines) == parse_tables(plain) != {}
    assert answered(["end", *lines], 2)
    assert not [line for line in lines if line.startswith("%")]
    details = lines[lines.index(ENTRY) + 1 :]
    assert len([*filter(None, details)]) == 2 + 2 * len(PEERS)
    assert all(map(DETAIL.fullmatch, details))


def test_many_names() -> None:
    """Of too many nothing is believed."""
    peers = {
        f"198.18.{n >> 8}.{n & 255}": {"hostname": f"\n{n}"} for n in range(peer_texts.MAX_ODD + 1)
    }
    document = json.dumps({"default": {"ipv4Unicast": {"peers": peers}}}, indent=1)
    with pytest.raises(BackendError, match="1001 peers"):
        peer_texts.without(f"{document}\n\n{document}\n")


def test_a_text_that_changes() -> None:
    """What is shown between may have either, and is not believed; a plain one does no harm."""
    one, other, none = Texts((ROW, b"", b"")), Texts((b"a" + ROW, b"", b"")), Texts()
    version = Texts(versions=(b"\nx", b"", b""))
    for first, last in ((one, other), (one, none), (none, one), (none, version)):
        with pytest.raises(BackendError, match="changed meanwhile"):
            peer_texts.without(first.answer(last))
    assert peer_texts.without(Texts((b"a", b"", b"")).answer(Texts((b"b", b"", b""))))


@pytest.mark.parametrize(
    "answer", ["", "% Unknown command\n", "{}", "[]\n{\n}", '{"default": 1}\n{\n}']
)
def test_names_that_are_not_told(answer: str) -> None:
    """Then nothing is believed, and what is not answered is said."""
    with pytest.raises(BackendError, match="nothing that it shows is believed"):
        peer_texts.without(answer)


@pytest.mark.parametrize(
    ("lines", "are_shown"),
    [
        ("", False),
        ("frr defaults traditional", False),
        ("frr version 8.4.4", False),
        ("frr version 9.0", True),
        ("frr version 10.3-MyOwn", True),
        ("frr version master-site", True),
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
    """Where running-config says so, its version is 9 or later, or none that is known, or its defaults are a data centre's."""
    assert peer_texts.are_shown([*lines.splitlines(), "router bgp 64699"]) == are_shown


@dataclass
class Bgpd:
    """A bgpd whose configuration may change. It keeps what it was asked."""

    shows: bool = True
    texts: Texts = Texts((b"\n% Unknown command\n" + ROW, b"", b""))
    asked: list[Sequence[str]] = field(default_factory=list)

    async def __call__(self, commands: Sequence[str]) -> Output:
        """Answer as vtysh does."""
        self.asked.append(commands)
        running = f"{RUNNING}{SHOWN if self.shows else ''}end\n".encode()
        texts = self.texts if self.shows else Texts()
        parts = {
            peer_texts.ASK: texts.told() if self.shows else b"% Unknown command\n",
            READ[0]: running,
            READ[-1]: texts.shown(),
        }
        return Output(0, text(b"".join(parts.get(command, b"") for command in commands)), "")


def test_they_are_asked_for_where_they_are_shown() -> None:
    """Whatever bgpd was before: one that does not show them is asked for no more, once that is known."""
    bgpd = Bgpd(shows=False)
    reader = Reader(bgpd)
    reader.configure(Asn(64699), (), WantedOutbounds(Asn(64699), None))
    guarded = peer_texts.around(READ)

    async def look() -> list[Sequence[str]]:
        bgpd.asked.clear()
        assert [session.address for session in (await reader.look([])).sessions] == list(PEERS)
        return bgpd.asked[:]

    async def main() -> None:
        assert await look() == [guarded, READ]  # it does not know the question
        assert await look() == [READ]
        bgpd.shows = True
        assert await look() == [READ, guarded]
        assert await look() == [guarded]
        bgpd.shows = False
        with pytest.raises(BackendError):
            await look()
        assert await look() == [READ]

    asyncio.run(main())
