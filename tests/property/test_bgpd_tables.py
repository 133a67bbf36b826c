"""bgpd's tables parse to the same, whatever version of bgpd wrote them."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.route import Asn, AsPath, Origin, parse_prefix
from speaker.backends.quagga.table import TablePath, answered, parse_tables
from tests.support.fakes.bgpd_table import FORMS, Form, Row, table
from tests.support.strategies.policy import ANY_ASNS, MEDS, PREFIXES

if TYPE_CHECKING:
    from policy.route import Prefix

ORIGINS = {"i": Origin.IGP, "e": Origin.EGP, "?": Origin.INCOMPLETE}
each_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


@st.composite
def own(draw: st.DrawFn, prefix: Prefix) -> Row:
    """A path of this bgpd's own, in any state."""
    unspecified = "0.0.0.0" if prefix.version == 4 else "::"
    host = draw(st.sampled_from(["", "", "(lvs)", "(lvs-1.par1.example.net)"]))
    return Row(
        prefix,
        draw(st.sampled_from(["*> ", "*  ", "   ", "*u ", "Ru ", "R> ", "*>i", "*= "])),
        unspecified + host,
        draw(MEDS),
        # Where the hop has a line of its own, a longer one can't be told from a MED in front of it.
        draw(st.sampled_from([None, 0, 100, 9999999] + [4294967295] * (not host))),
        32768,
        draw(st.lists(ANY_ASNS, max_size=4)),
        draw(st.sampled_from(sorted(ORIGINS))),
        draw(st.sampled_from(["", "V", "I", "N"])),
    )


@st.composite
def learned(draw: st.DrawFn, prefix: Prefix) -> Row:
    """A path learned from a peer, though it may be shown with our own next hop, or our weight."""
    hops = ["203.0.113.1", "2001:db8:ffff:1:2:3:4:5", "203.0.113.1(router.example.net)"]
    unspecified = "0.0.0.0" if prefix.version == 4 else "::"
    hop, weight = draw(
        st.one_of(
            st.tuples(st.sampled_from(hops), st.sampled_from([0, 100, 32768])),
            st.tuples(st.just(unspecified), st.sampled_from([0, 3276, 65535])),
        )
    )
    path = draw(st.lists(st.one_of(ANY_ASNS, st.just(32768)), min_size=1, max_size=4))
    codes = draw(st.sampled_from(["*  ", "*> ", "*>i", "*= ", "s> ", "S  ", " h ", "d  "]))
    rpki = draw(st.sampled_from(["", "V", "I", "N"]))
    return Row(prefix, codes, hop, draw(MEDS), draw(MEDS), weight, path, "i", rpki)


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    """The paths of a table: some prefixes with a path of ours, and paths of peers before and behind it."""
    found: list[Row] = []
    for prefix in draw(st.lists(PREFIXES, max_size=6, unique=True)):
        found += draw(st.lists(learned(prefix), max_size=2))
        found += draw(st.lists(own(prefix), max_size=1))
        found += draw(st.lists(learned(prefix), max_size=2))
    return found


def expected(of: list[Row]) -> dict[Prefix, TablePath]:
    return {
        row.prefix: TablePath(
            "*" in row.codes,
            ">" in row.codes,
            row.med,
            AsPath(tuple(map(Asn, row.path))),
            ORIGINS[row.origin],
            passing="R" in row.codes or "u" in row.codes,
        )
        for row in of
        if row.weight == 32768 and row.hop.startswith(("0.0.0.0", "::"))
    }


@given(of=rows())
def test_a_table_parses_to_the_same_in_any_version(of: list[Row]) -> None:
    """Our own paths, each with its state, MED, AS_PATH and origin; and nobody else's."""
    for form in FORMS.values():
        lines = list(table(form, of))
        assert parse_tables(lines) == expected(of)
        assert answered([*lines, "end"], 1)


@given(of=rows(), form=st.sampled_from(sorted(FORMS)))
def test_a_cut_table_is_not_whole(of: list[Row], form: str) -> None:
    """Whatever is missing at its end, if only its last line: it proves nothing."""
    lines = list(table(FORMS[form], of))
    for cut in range(len(lines)):
        assert not answered(["end", *lines[:cut]], 1)
        assert not answered(["end", *lines, *lines[:cut]], 2)


@each_form
def test_tables_one_behind_the_other(form: Form) -> None:
    """As they come: the columns of each are those of its own head."""
    both = [
        Row(parse_prefix(text), "*> ", hop, 7, None, 32768, [64699])
        for text, hop in (("192.0.2.1", "0.0.0.0"), ("2001:db8::1", "::"))
    ]
    lines = [line for row in both for line in table(form, [row])]
    assert parse_tables(lines) == expected(both)
    assert answered(["end", *lines], 2)


@pytest.mark.parametrize("notation", [("1.10", 65546), ("0.64699", 64699), ("64699", 64699)])
def test_as_numbers_in_halves(notation: tuple[str, int]) -> None:
    """`router bgp … as-notation dot` of FRR writes AS numbers so, dot+ the small ones too."""
    text, number = notation
    lines = list(
        table(
            FORMS["frr-10.3"],
            [Row(parse_prefix("192.0.2.1"), "*> ", "0.0.0.0", 0, None, 32768, [])],
        )
    )
    lines = [line.replace(" i", f" {text} i") if "0.0.0.0" in line else line for line in lines]
    (path,) = parse_tables(lines).values()
    assert path.as_path == AsPath((Asn(number),))


def test_a_classful_prefix() -> None:
    """Quagga leaves out its length, and FRR does not."""
    prefix = IPv4Network("203.0.113.0/24")
    row = Row(prefix, "*> ", "0.0.0.0", 0, None, 32768, [])
    for form in FORMS.values():
        assert [*parse_tables(table(form, [row]))] == [prefix]
