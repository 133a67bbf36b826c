"""Proves what is read from /proc/net/ip_vs, and what is not believed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaker.health.ipvs.proc import ProcReader
from speaker.health.ipvs.proc_text import Parser, TextError
from speaker.health.ipvs.table import IpvsTable, TableAccessError, TableError
from tests.unit.health.ipvs.tables import (
    HEADING,
    RECORDED,
    RECORDED_TEXT,
    TABLES,
    real,
    render,
    table,
)

if TYPE_CHECKING:
    from pathlib import Path

TEXT = (RECORDED / "linux-6.1-proc.txt").read_bytes()
ONE = table({"tcp 192.0.2.1 80": [real("198.51.100.1")]}, {})
TWO = table({"tcp 192.0.2.1 80": [real("198.51.100.1")], "tcp 192.0.2.2 80": []}, {})
NONE = IpvsTable()
SERVICE = b"TCP  C0000201:0050 rr  \n"
DEST = b"  -> C6336401:1F90      Masq    1      0          0         \n"


def test_recorded() -> None:
    """What Linux 6.1 wrote is read: TCP, UDP, SCTP, IPv6, marks, weight 0, flags, no realservers."""
    assert Parser().parse(TEXT) == RECORDED_TEXT


@given(TABLES, st.lists(st.integers(0, 2**31 - 1), min_size=1))
def test_round_trip(shown: IpvsTable, counters: list[int]) -> None:
    """Every table is read back from the text that the kernel makes of it."""
    assert Parser().parse(render(shown, counters)) == shown


@given(TABLES, TABLES)
def test_no_memory(first: IpvsTable, second: IpvsTable) -> None:
    """What was read before does not show in what is read now."""
    parser = Parser()
    parser.parse(render(first))
    assert parser.parse(render(second)) == second


def outcome(parser: Parser, text: bytes) -> IpvsTable | str:
    try:
        return parser.parse(text)
    except TextError as error:
        return str(error)


@given(
    TABLES,
    st.data(),
    st.sampled_from([b"", b"\x00", b"->", b"\n", DEST, SERVICE, SERVICE + DEST, DEST + SERVICE]),
)
def test_what_differs(first: IpvsTable, data: st.DataObject, more: bytes) -> None:
    """A text of which something is missing, or has more, says what it says by itself: a table or an error."""
    parser, text = Parser(), render(first)
    parser.parse(text)
    ends = [at + 1 for at, byte in enumerate(text) if byte == ord("\n") and at + 1 >= len(HEADING)]
    start, stop = sorted(data.draw(st.tuples(st.sampled_from(ends), st.sampled_from(ends))))
    changed = text[:start] + more + text[stop:]
    assert outcome(parser, changed) == outcome(Parser(), changed)
    assert outcome(parser, text) == first


@given(TABLES, st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=8))
def test_piece_by_piece(first: IpvsTable, changes: list[tuple[int, int]]) -> None:
    """A virtual server that gains, loses or reorders realservers is read anew; others keep theirs."""
    parser, seen = Parser(), first
    parser.parse(render(seen))
    for which, what in changes:
        servers = [*seen.services]
        if not servers:
            break
        server = servers[which % len(servers)]
        found = seen.services[server]
        new = (found[1:], (*found, real("198.51.100.77")), found[::-1], found)[what]
        before = parser.parse(render(seen))
        seen = IpvsTable({**seen.services, server: new}, seen.marks)
        after = parser.parse(render(seen))
        assert after == seen
        for other in servers:
            if other != server:
                assert after.services[other] is before.services[other]


def test_counters() -> None:
    """While only connection counters change, the same object is returned."""
    parser = Parser()
    first = parser.parse(render(RECORDED_TEXT, [0]))
    assert parser.parse(render(RECORDED_TEXT, [7, 123456, 0])) is first


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    """Bytes that are no table are refused with the one error."""
    with pytest.raises(TextError):
        Parser().parse(data)


@given(st.binary(max_size=200))
def test_any_bytes_behind_the_heading(data: bytes) -> None:
    """Behind a right heading, too, there is a table or the one error."""
    with contextlib.suppress(TextError):
        Parser().parse(HEADING + data)


@given(st.data())
def test_cut_short(data: st.DataObject) -> None:
    """A text that ends within a line is no table, however much of it could be read."""
    end = data.draw(st.integers(0, len(TEXT) - 1).filter(lambda at: TEXT[at - 1 : at] != b"\n"))
    with pytest.raises(TextError):
        Parser().parse(TEXT[:end])


@given(st.data(), st.sampled_from([b"\x00", b"->", b"?", b"\n", b" x ", b"\n\n"]))
def test_damaged(data: st.DataObject, damage: bytes) -> None:
    """A damaged text is refused, or says what it said: the damage was where nothing counts."""
    at = data.draw(st.integers(len(HEADING), len(TEXT)))
    try:
        seen = Parser().parse(TEXT[:at] + damage + TEXT[at:])
    except TextError:
        return
    assert seen == RECORDED_TEXT


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"", "line 1: '': not the heading"),
        (b"\n", "line 1: '': not the heading"),
        (TEXT[len(HEADING) :], "line 1: 'TCP  .*: not the heading"),
        (HEADING + b"IP  C0000201:0050 rr \n", "line 4: .*: neither a virtual server nor"),
        (HEADING + SERVICE + b"TCP  C0000201 rr \n", "line 5: .*: neither"),
        (HEADING + SERVICE + b"\n", "line 5: '': neither"),
        (HEADING + SERVICE + DEST + SERVICE, "line 6: .*: a second time"),
        (HEADING + DEST, "line 4: .*: a realserver of no virtual server"),
        (HEADING + SERVICE + DEST.replace(b" 1 ", b" x "), "line 5: .*: neither"),
        (HEADING + SERVICE + DEST.replace(b"C6336401", b"G"), "line 5: .*: not a realserver's"),
        (HEADING + SERVICE + DEST.rstrip() + DEST, "line 5: .*: neither|cut short"),
        (HEADING + SERVICE + b"x" + DEST, "line 5: 'x  -> .*: neither"),
        (HEADING + SERVICE + DEST + DEST[:-20], "line 6: .*: cut short"),
    ],
)
def test_errors_name_the_line(text: bytes, error: str) -> None:
    """What is wrong is told with the number of its line, and the line."""
    with pytest.raises(TextError, match=error):
        Parser().parse(text)


@pytest.mark.parametrize(
    "text",
    [
        SERVICE.replace(b"rr", b"rr ops future-flag 12") + DEST,
        SERVICE + DEST.replace(b"\n", b" 17 more\n"),
        SERVICE + DEST.replace(b"Masq", b"Newway"),
    ],
)
def test_unknown_words(text: bytes) -> None:
    """Flags, columns and ways of forwarding that a later kernel may add change nothing."""
    assert Parser().parse(HEADING + text) == ONE


class Script:
    """Reads a file that says something else each time."""

    def __init__(self, *texts: IpvsTable | bytes | OSError) -> None:
        self.texts = list(texts)

    def __call__(self, _path: Path) -> bytes:
        text = self.texts.pop(0)
        if isinstance(text, OSError):
            raise text
        return text if isinstance(text, bytes) else render(text)


def look(script: Script, *, times: int = 1) -> IpvsTable:
    """Look some times, and return what was seen last."""

    async def looks() -> IpvsTable:
        reader = ProcReader(fetch=script)
        for _ in range(times - 1):
            await reader.read()
        return await reader.read()

    seen = asyncio.run(looks())
    assert script.texts == []
    return seen


def test_read_twice() -> None:
    """A first table is believed once it was read twice alike."""
    assert look(Script(ONE, ONE)) == ONE


def test_read_once() -> None:
    """A table like the last one is read once."""
    assert look(Script(ONE, ONE, ONE, ONE), times=3) == ONE


def test_torn() -> None:
    """A virtual server that one reading has lost is not gone."""
    assert look(Script(TWO, TWO, ONE, TWO), times=2) == TWO


def test_change() -> None:
    """A change is seen in the look in which it is there, and is what the next is compared with."""
    assert look(Script(TWO, TWO, ONE, ONE, ONE), times=3) == ONE


def test_torn_text() -> None:
    """A text that repeats a virtual server was torn, and is read again."""
    twice = HEADING + SERVICE + SERVICE
    assert look(Script(twice, ONE, ONE)) == ONE


def test_garbage_between() -> None:
    """Two readings alike must follow each other."""
    assert look(Script(ONE, b"", ONE, ONE)) == ONE


def test_restless() -> None:
    """A table that never stands still is unknown."""
    with pytest.raises(TableError, match="changes while it is being read; read 5 times"):
        look(Script(ONE, TWO, ONE, TWO, NONE))


def test_garbage() -> None:
    """A file that is something else is unknown, and its line is named."""
    with pytest.raises(TableError, match=r"^IPVS: /proc/net/ip_vs: line 1: 'x': not the heading"):
        look(Script(*[b"x"] * 5))


def test_after_an_error() -> None:
    """An error leaves no trace: the next look stands for itself."""

    async def looks() -> IpvsTable:
        reader = ProcReader(fetch=Script(*[b"x"] * 5, ONE, ONE))
        with pytest.raises(TableError):
            await reader.read()
        return await reader.read()

    assert asyncio.run(looks()) == ONE


def test_file(tmp_path: Path) -> None:
    """A real file is read, whole."""
    path = tmp_path / "ip_vs"
    path.write_bytes(TEXT)
    assert asyncio.run(ProcReader(path).read()) == RECORDED_TEXT


def test_no_ip_vs(tmp_path: Path) -> None:
    """Where the file is missing in a folder that is there, the kernel has no ip_vs: no other way."""
    with pytest.raises(
        TableError, match=r"no such file; this kernel has no ip_vs.*modprobe"
    ) as info:
        asyncio.run(ProcReader(tmp_path / "ip_vs").read())
    assert not isinstance(info.value, TableAccessError)


def test_no_proc(tmp_path: Path) -> None:
    """Where the folder is missing as well, another way may be open."""
    with pytest.raises(TableAccessError, match="mount /proc"):
        asyncio.run(ProcReader(tmp_path / "proc" / "ip_vs").read())


def test_not_permitted() -> None:
    """Where the file may not be read, another way may be open."""
    with pytest.raises(TableAccessError, match="Permission denied; it must be readable"):
        look(Script(PermissionError(13, "Permission denied")))
