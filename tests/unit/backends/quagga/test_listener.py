"""What bgpd's peers told is asked for where the table changed, now and then of all, and is unknown where bgpd does not tell."""

from __future__ import annotations

import asyncio
from typing import Any

from policy.asn import Asn
from policy.route import Community, parse_prefix
from policy.witness import Hearing, Witness
from speaker.backends.base import BackendError
from speaker.backends.quagga.learned import entries
from speaker.backends.quagga.listener import AGAIN, BATCH, Listener
from speaker.backends.quagga.summary import SessionState, SummarySession

PEER, ASN = "203.0.113.6", Asn(64699)
V4, SECOND = map(parse_prefix, ("192.0.2.1/32", "192.0.2.2/32"))
HEAD = "   Network          Next Hop            Metric LocPrf Weight Path"
OWN = "*> 192.0.2.2/32     0.0.0.0                  0         32768 i"
ROW = "*  192.0.2.1/32     203.0.113.6              7             0 64500 64511 i"
OTHER = ROW.replace("64511", "64512")


def entry(mark: str) -> list[str]:
    """Answer a question about the prefix."""
    return [
        "BGP routing table entry for 192.0.2.1/32, version 1",
        "  64500 64511",
        "    203.0.113.6 from 203.0.113.6 (203.0.113.254)",
        "      Origin IGP, metric 7, valid, external",
        f"      Community: {mark}",
    ]


class Bgpd:
    """A bgpd with one neighbour, that notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.mark = "64699:2"
        self.fails = self.is_empty = False
        self.listener = Listener(self._answer)
        self.listener.listen_for([V4, SECOND])

    async def _answer(self, commands: object) -> list[str]:
        assert isinstance(commands, list)
        self.asked.append(commands)
        if self.fails:
            raise BackendError("bgpd: away")
        return ["% Network not in table"] if self.is_empty else entry(self.mark)

    def read(self, *rows: str, received: str = "1", since: str = "01:00:00") -> Witness:
        """Have it read once, and return the witness."""
        session = SummarySession(PEER, Asn(64500), {4: SessionState(received, "1", since)})
        asyncio.run(self.listener.listen([session], [HEAD, *rows, ""], ASN))
        (witness,) = self.listener.heard()
        return witness

    @property
    def marks(self) -> list[Community]:
        """The communities of the prefix's path."""
        (witness,) = self.listener.heard()
        return [mark for path in witness.paths.get(V4, ()) for mark in path.attributes.communities]


def test_only_what_changed() -> None:
    """A prefix is asked about when its rows change, and all of them now and then: no row shows communities."""
    bgpd = Bgpd()
    assert bgpd.read(ROW, OWN).hearing is Hearing.WHOLE
    assert (bgpd.asked, bgpd.marks) == (
        [["show bgp ipv4 unicast 192.0.2.1/32"]],
        [Community(64699, 2)],
    )
    first = bgpd.listener.heard()
    bgpd.read(ROW, OWN)
    assert (len(bgpd.asked), bgpd.listener.heard()) == (1, first)
    assert bgpd.listener.heard() is first
    bgpd.read(OTHER, OWN)
    assert len(bgpd.asked) == 2
    bgpd.mark = "64699:3"
    for _ in range(AGAIN):
        bgpd.read(OTHER, OWN)
    assert (len(bgpd.asked), bgpd.marks) == (3, [Community(64699, 3)])


def test_gone() -> None:
    """What is in no row any more is gone; a session that brought routes stays a witness until it is down."""
    bgpd = Bgpd()
    assert not bgpd.read(OWN, received="0").brings
    assert bgpd.read(ROW, OWN).brings
    left = bgpd.read(OWN, received="0")
    assert (left.brings, left.paths, left.hearing) == (True, {}, Hearing.WHOLE)
    down = bgpd.read(OWN, received="Idle")
    assert (down.brings, down.hearing) == (False, Hearing.DOWN)
    assert bgpd.read(OWN, received="0", since="00:00:04").hearing is Hearing.LEARNING


def test_not_told() -> None:
    """Where bgpd does not tell, nothing of it is known, and it is asked again; so it is where it can't be read."""
    bgpd = Bgpd()
    bgpd.fails = True
    unknown = bgpd.read(ROW)
    assert (unknown.hearing, unknown.paths) == (Hearing.UNKNOWN, {})
    assert "bgpd: away" in unknown.reason
    bgpd.fails = False
    assert bgpd.read(ROW).paths
    bgpd.listener.unread()
    (witness,) = bgpd.listener.heard()
    assert (witness.hearing, witness.paths) == (Hearing.UNKNOWN, {})
    assert bgpd.read(ROW).hearing is Hearing.WHOLE


def test_many() -> None:
    """Thousands are asked about in several questions."""
    bgpd = Bgpd()
    prefixes = [parse_prefix(f"10.{n >> 8 & 255}.{n & 255}.1/32") for n in range(BATCH + 1)]
    bgpd.listener.listen_for(prefixes)
    bgpd.read(*(f"*  {p!s:16} 203.0.113.6              7             0 64500 i" for p in prefixes))
    assert [len(each) for each in bgpd.asked] == [BATCH, 1]


def test_gone_meanwhile() -> None:
    """What was in the table, and is gone when it is asked about, is gone: what was told of it before holds no more."""
    bgpd = Bgpd()
    assert bgpd.read(ROW, OWN).paths
    bgpd.is_empty = True
    assert bgpd.read(OTHER, OWN).paths == {}


class Counted(list[str]):
    """Lines that count how many of them are read."""

    reads = 0

    def __getitem__(self, key: Any) -> Any:
        """Return what is asked for."""
        found = super().__getitem__(key)
        self.reads += len(found) if isinstance(key, slice) else 1
        return found


def test_growth() -> None:
    """Answers are read in time that grows with their number: none is read again for each path of another."""
    counts = []
    for number in (100, 200):
        lines = Counted(entry("64699:2") * number)
        assert len([*entries(lines)]) == number
        counts.append(lines.reads)
    assert counts[1] <= 2.1 * counts[0]
