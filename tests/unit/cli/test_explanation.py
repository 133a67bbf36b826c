"""What `explain` prints: any answer, on a terminal of any width, and to a pipe."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from speaker.api import Explanation, HistoryEntry, Sentence
from speaker.cli.explanation import explanation, explanation_json

LONG = "v" * 56 + ".tld"
PLAIN = Explanation(
    vip=LONG,
    prefix="2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/128",
    announced=True,
    peers={"2001:db8:ffff:ffff:ffff:ffff:ffff:fffe": True, "203.0.113.1": False},
    up=("2001:db8:ffff:ffff:ffff:ffff:ffff:fffe", "203.0.113.1"),
    lack="not sent to 203.0.113.1",
    as_path=(64699,),
    rank=0,
    prepends=0,
    realservers=2,
    health="up",
    intent="auto",
    reason="up: 2 realservers",
    wanted=True,
    as_wanted=False,
    dc="par1",
    prefer=("par1", "lyo1"),
    profile="prepend-0: as-path [ 64699 ] origin igp med 0",
    operator="auto",
    decided_by="health",
    history=(HistoryEntry(0.0, "192.0.2.1/32", "announced", "up: 2 realservers"),),
)
TEXTS = st.text(max_size=300)


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=5), TEXTS, st.integers(40, 200))
def test_no_line_is_wider(told: list[tuple[str, str]], trouble: str, width: int) -> None:
    """No line is wider than the terminal, whatever is told; nothing that is told can begin a line of its own."""
    sentences = tuple(Sentence(about=about, text=text) for about, text in told)
    answer = replace(PLAIN, sentences=sentences, trouble=(trouble,))
    lines = explanation([answer, answer], width).split("\n")
    assert max(map(len, lines)) <= width
    assert all(line.isprintable() for line in lines)


def test_to_a_pipe() -> None:
    """A pipe gets each sentence on one line, under a head that says what is not as it should be."""
    sentences = (
        Sentence(about="peer", text="203.0.113.1 " + "word " * 40),
        Sentence(about="peer", text="second"),
    )
    head, first, second, history = explanation([replace(PLAIN, sentences=sentences)]).split("\n")
    assert head == (
        f"{LONG} {PLAIN.prefix}: announced to 1 of 2 sessions, NOT AS DECIDED: not sent to 203.0.113.1"
    )
    assert first.startswith("  peer        203.0.113.1 word word")
    assert second == "              second"
    assert history == "  history     1970-01-01T00:00:00Z announced: up: 2 realservers"


def test_what_is_planned() -> None:
    """A drain that is to come has a line of its own."""
    lines = explanation([replace(PLAIN, planned="drained from 2026-12-01T01:00:00Z")]).split("\n")
    assert "  planned     drained from 2026-12-01T01:00:00Z" in lines
    assert not any("planned" in line for line in explanation([PLAIN]).split("\n"))


def test_of_an_older_watchdog() -> None:
    """A watchdog that tells no sentences is still told of by what it has."""
    text = explanation([PLAIN])
    for part in ("announce, by health: up: 2 realservers", "rank 0 of par1, lyo1", PLAIN.profile):
        assert part in text


def test_json() -> None:
    """`--json` has the keys of the state of a prefix, those that explain it, and the sentences."""
    (found,) = json.loads(explanation_json([PLAIN]))
    assert found == json.loads(json.dumps(PLAIN.to_json()))
    assert {"vip", "prefix", "operator", "decided_by", "history", "sentences"} <= found.keys()
