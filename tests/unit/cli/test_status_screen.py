"""`status` on a terminal: no line wider than it, what is not as wanted first, nothing that acts on the terminal."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from speaker.cli.connections import ConnectionsShown
from speaker.cli.status_rows import (
    FOLDED_FROM,
    MOST,
    Attention,
    changes,
    head,
    level,
    path,
    peers,
    rows,
)
from speaker.cli.status_screen import text
from tests.unit.cli.test_nagios import DOWN, DRAINED, GOOD, LACKING, UNKNOWN, UP, WELL

if TYPE_CHECKING:
    from speaker.api import PrefixStatus

LONG = "v" * 56 + ".tld"
V6 = "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/128"
TEXTS = st.text(max_size=80)
ANY = st.builds(
    replace,
    st.sampled_from([GOOD, DRAINED, LACKING, UNKNOWN]),
    vip=st.sampled_from([LONG, "vip-1.tld"]) | TEXTS,
    prefix=st.sampled_from([V6, "192.0.2.1/32"]) | TEXTS,
    as_path=st.lists(st.sampled_from([64699, 4200000000]), max_size=20).map(tuple),
    reason=TEXTS,
    lack=TEXTS,
    intent=st.sampled_from(["auto", "drained"]) | TEXTS,
)


@settings(deadline=None)
@given(
    st.lists(ANY, max_size=6),
    TEXTS,
    st.sampled_from([60, 80, 119, 120, 200]),
    st.booleans(),
    st.none() | st.integers(0, 2**40),
)
def test_no_line_is_wider(
    routes: list[PrefixStatus],
    trouble: str,
    width: int,
    colour: bool,  # noqa: FBT001 - Hypothesis gives it
    count: int | None,
) -> None:
    """No line is wider than the terminal, whatever names, prefixes, reasons and connections; nothing but colours acts on it."""
    status = replace(WELL, routes=tuple(routes), trouble=(trouble,), peers=(UP, DOWN))
    connections = None
    if count is not None:
        connections = {r.prefix: ConnectionsShown(count, count, count / 7) for r in routes[:3]}
    shown = text(status, width, {r.prefix for r in routes[:1]}, connections, colour=colour)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert colour or plain == shown
    for line in plain.split("\n"):
        assert cell_len(line) <= width
        assert line.isprintable()


def test_nothing_is_lost_at_80_columns() -> None:
    """Names, prefixes and reasons as long as they come are whole at 80 columns, over two lines where they must."""
    route = replace(
        LACKING, vip=LONG, prefix=V6, reason="down: 0 realservers, tcp/80 [bold]gone[/bold]"
    )
    shown = text(replace(WELL, routes=(route,)), 80, colour=False)
    together = re.sub(r"\s+", "", shown)
    for part in (LONG, V6, route.full_reason):
        assert re.sub(r"\s+", "", part) in together


def test_without_colour() -> None:
    """What needs attention is seen without colours: by a mark, its place and words."""
    routes = (GOOD, replace(DRAINED, vip="vip-2.tld"), replace(LACKING, vip="vip-3.tld"))
    lines = text(replace(WELL, routes=routes), 80, colour=False).splitlines()
    marked = [line[0] for line in lines if line[:1] in "!?-" and "/32" in line]
    assert marked == ["!", "-"]
    assert [name for line in lines for name in re.findall(r"vip-\d\.tld", line)][:3] == [
        "vip-3.tld",
        "vip-2.tld",
        "vip-1.tld",
    ]


def test_long_sites_are_folded() -> None:
    """Of a long site each VIP that is as wanted has one row, and the rest a count; what is not as wanted has all."""
    good = [replace(GOOD, vip=f"vip-{n // 2}.tld", prefix=f"198.51.100.{n}/32") for n in range(200)]
    bad = [replace(LACKING, vip="bad.tld"), replace(GOOD, vip="bad.tld", prefix="192.0.2.2/32")]
    status = replace(WELL, routes=(*good, *bad))
    found = rows(status)
    assert [row.name for row in found[:4]] == [
        "bad.tld",
        "192.0.2.1/32",
        "192.0.2.2/32",
        "vip-0.tld (2 prefixes)",
    ]
    assert len(found) == 3 + MOST + 1
    assert found[-1].name.startswith(f"and {100 - MOST} more VIPs, all as wanted")
    assert len(rows(status, unfold=True)) == len(status.routes) + 101
    few = replace(WELL, routes=tuple(good[: FOLDED_FROM - 1]))
    assert [row for row in rows(few) if row.name == "198.51.100.3/32"]


def test_what_differs_within_a_fold() -> None:
    """Where a folded VIP's prefixes differ that is shown, never one of them for all."""
    routes = [
        replace(GOOD, vip=f"vip-{n // 2}.tld", prefix=f"198.51.100.{n}/32") for n in range(60)
    ]
    routes[1] = replace(routes[1], as_path=(64699, 64699), realservers=1)
    routes[3] = replace(DRAINED, vip="vip-1.tld", prefix="198.51.100.3/32")
    shown = {row.name: row for row in rows(replace(WELL, routes=tuple(routes)))}
    first, second = shown["vip-0.tld (2 prefixes)"], shown["vip-1.tld (2 prefixes)"]
    assert (first.path, first.live, first.announced) == ("…", "1", "yes")
    assert (second.announced, second.intent, second.level) == ("…", "…", Attention.INTENT)


def test_levels() -> None:
    """What is not as wanted, what is not known, what an operator wants, and what is well."""
    found = [level(route) for route in (LACKING, UNKNOWN, DRAINED, GOOD)]
    assert found == [Attention.WRONG, Attention.UNKNOWN, Attention.INTENT, Attention.WELL]


def test_paths() -> None:
    """An AS that stands several times in a row is written once, with how often; nothing where it is not announced."""
    assert path(replace(GOOD, as_path=(64699, 64699, 64496, 64699))) == "64699 x2 64496 64699"
    assert path(DRAINED) == "-"


def test_sessions() -> None:
    """To how many of those that are up it was sent: none where none is up, or has its family; what is not known is not none."""
    nobody = replace(UNKNOWN, announced=False)
    assert [peers(each) for each in (GOOD, nobody)] == ["1/1", "0/0"]
    doubtful = replace(UNKNOWN, peers={"203.0.113.11": False, "203.0.113.12": None})
    assert [peers(each) for each in (UNKNOWN, doubtful)] == ["?", "?"]


def test_the_head() -> None:
    """What is wrong stands above the table: alarms, and sessions of which nothing is known."""
    status = replace(WELL, peers=(UP, replace(DOWN, up=None)), trouble=("state: full",))
    assert [line for _, line in head(status)] == [
        "par1 on exabgp: 1 of 2 sessions up; looked 0.2s ago",
        "TROUBLE: state: full",
        "session 203.0.113.12 AS64496: not known whether it is up",
    ]


def test_changes() -> None:
    """What changed of a prefix is told in words, with what it was and is."""
    other = replace(
        WELL, routes=(replace(LACKING, realservers=0), replace(GOOD, prefix="192.0.2.9/32"))
    )
    before = replace(WELL, routes=(GOOD, replace(DRAINED, prefix="192.0.2.8/32")))
    assert changes(before, other) == {
        "192.0.2.1/32": "announced yes -> no; AS_PATH 64699 -> -; live 2 -> 0",
        "192.0.2.9/32": "new",
        "192.0.2.8/32": "no longer there",
    }
    assert changes(other, other) == {}
