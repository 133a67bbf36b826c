"""The lines of keepalived's fifo, in whatever pieces they come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaker.health.keepalived.events import MAX_LINE, FifoLines, is_event

MEASURED = b"""VS [192.0.2.1]:tcp:80 UP
VS FWM 7 UP
VS [G]:0 UP
RS [127.0.1.1]:tcp:8080 [192.0.2.1]:tcp:80 DOWN
RS [127.0.1.1]:none:8080 FWM 7 DOWN
RS [2001:db8:1::1]:udp:53 [2001:db8::1]:udp:53 UP
INSTANCE "VI_1" MASTER 100
""".splitlines()


@pytest.mark.parametrize("line", MEASURED)
def test_what_keepalived_writes(line: bytes) -> None:
    """Every line that was seen of keepalived is an event."""
    assert is_event(line)


@pytest.mark.parametrize(
    "line", [b"", b"VS", b"VS UP", b"vs x UP", b"VS x up", b"VS x UP ", b"VS \x1b[2J UP", b"\xff"]
)
def test_what_it_does_not(line: bytes) -> None:
    """Anything else is none."""
    assert not is_event(line)


@given(st.lists(st.binary(max_size=40)), st.data())
def test_pieces(pieces: list[bytes], data: st.DataObject) -> None:
    """However it is cut in pieces, the same lines come out, and the rest is waited for."""
    whole = b"\n".join(pieces)
    lines, found = FifoLines(), []
    while whole:
        size = data.draw(st.integers(1, len(whole)))
        found += lines.feed(whole[:size])
        whole = whole[size:]
    assert found == b"\n".join(pieces).split(b"\n")[:-1]


@given(st.integers(MAX_LINE + 1, 4 * MAX_LINE), st.integers(1, MAX_LINE))
def test_a_line_without_end(length: int, size: int) -> None:
    """A line that does not end is cut, once, takes no memory, and spoils no line after it."""
    text = b"x" * length + b"\n" + MEASURED[0] + b"\n"
    lines, found = FifoLines(), []
    for start in range(0, len(text), size):
        found += lines.feed(text[start : start + size])
        assert len(lines._rest) <= MAX_LINE
    assert found == [b"x" * MAX_LINE, MEASURED[0]]
