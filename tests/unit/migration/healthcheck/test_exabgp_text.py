"""exabgp.conf is read as ExaBGP reads it; its own code is the oracle."""

from __future__ import annotations

import pytest
from exabgp.configuration.core.format import tokens  # type: ignore[import-untyped]  # ExaBGP has none
from hypothesis import example, given
from hypothesis import strategies as st

from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.healthcheck.exabgp_text import MAX_DEPTH, ConfSection, parse

PIECES = st.sampled_from(
    [
        *"ab ;{}[],#'\"\n",
        "\\",
        "\\\n",
        "\t",
        "run x;",
        "neighbor {",
        "\\u0041",
        "\\n",
        "--a='b c'",
        ";\n",
    ]
)


def flat(section: ConfSection) -> list[list[str]]:
    """Return the statements of a file in the order of their lines, with what ends them."""
    found = [[*each.words, ";"] for each in section.entries]
    for each in section.sections:
        found += [[*each.head.words, "{"], *flat(each), ["}"]]
    return sorted(found)


def of_exabgp(text: str) -> list[list[str]]:
    """Return what ExaBGP makes of a file; the lines that a backslash continues are one, as in Tokeniser.set_file()."""
    lines, begun = [], ""
    for current in text.split("\n"):
        begun += current.rstrip()
        if not begun.endswith("\\"):
            lines.append(begun)
            begun = ""
    lines += [begun] if begun else []
    found = [[word for _, _, word in parsed] for parsed in tokens(lines)]
    return sorted(words for words in found if words != [";"])


@given(pieces=st.lists(PIECES, max_size=20))
@example(pieces=["a \"b 'c d' e\" f;"])
@example(pieces=['process x { run a "b c", [ d ];}'])
def test_as_exabgp(pieces: list[str]) -> None:
    """Statements have the words that ExaBGP gives them; what ExaBGP refuses is refused."""
    text = "".join(pieces)
    try:
        found = flat(parse("f", text))
    except MigrationError:
        return  # also what ExaBGP refuses later, by its sections
    assert found == of_exabgp(text)


@given(pieces=st.lists(PIECES, max_size=20))
def test_what_exabgp_refuses(pieces: list[str]) -> None:
    """What ExaBGP does not read is not read here either."""
    text = "".join(pieces)
    try:
        of_exabgp(text)
    except ValueError:
        with pytest.raises(MigrationError):
            parse("f", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("neighbor 192.0.2.1 {", "f:1: the section has no end; add a }"),
        ("\n}", "f:2: } ends no section; correct it"),
        ("a {\nb }", "f:2: } ends no section; correct it"),
        ("{", "f:1: { begins a section without a name; correct it"),
        ("a { " * (MAX_DEPTH + 2), f"f:1: sections in {MAX_DEPTH} others; correct it"),
        ("\n\nrun x", "f:3: the statement does not end in its line; add a ;"),
        ("a \\u00g0;", "f:1: \\u00g0 is no character; correct it"),
    ],
)
def test_refused(text: str, expected: str) -> None:
    """A file that makes no sense is refused with its line."""
    with pytest.raises(MigrationError) as error:
        parse("f", text)
    assert str(error.value) == expected


def test_lines() -> None:
    """A statement stands at its first line; a backslash continues it."""
    found = parse("f", "# c\nprocess x {\n  run a \\\n   b;\n}\n")
    (section,) = found.sections
    (entry,) = section.entries
    assert (section.head.where, entry.where, entry.words) == ("f:2", "f:3", ("run", "a", "b"))
