"""Regular expressions of checks mean what Python's mean, and are searched in linear time."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from speaker import pattern
from speaker.pattern import BodyPattern, PatternError

ATOMS = st.sampled_from(
    ["a", "b", "ab", ".", "^", "$", "[ab]", "[^a]", "[a-c-]", r"\d", r"\W", r"[\s\d]", r"\.", r"\n", "", "]"]
)  # fmt: skip


def repeated(inner: str, times: str) -> str:
    return f"(?:{inner}){times}"


EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds(repeated, inner, st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}", ""])),
        st.builds("{}|{}".format, inner, inner).map("({})".format),
        st.builds("{}{}".format, inner, inner),
    ),
    max_leaves=6,
)
BODIES = st.text("abc1. \n_-]", max_size=8)


@given(EXPRESSIONS, BODIES)
@example("^(?:)*$", "")
@example("a$", "a\n")
@example("(?:^)*a", "ba")
def test_they_mean_the_same(expression: str, body: str) -> None:
    """What Python finds is found, and nothing else; `$` is the end, as `\\Z`."""
    meant = re.compile(expression.replace("$", r"\Z"), re.ASCII)
    assert BodyPattern(expression).search(body) is bool(meant.search(body))


def test_case() -> None:
    """`(?i)` makes no difference between cases."""
    assert BodyPattern("(?i)^Status: [a-z]+$").search("STATUS: OK")
    assert not BodyPattern("^status").search("STATUS")


@pytest.mark.parametrize("expression", ["(a*)*b", "(a|aa)+$b", "(.*)(.*)(.*)(.*)x", "(a{0,9}){9}b"])
def test_no_expression_takes_long(expression: str) -> None:
    """A body that has Python's matcher try for years is read once: each character leads one step on."""

    class Counted(BodyPattern):
        steps = 0

        def _step(self, reached: frozenset[int], character: str) -> frozenset[int]:
            self.steps += 1
            return super()._step(reached, character)

    found = Counted(expression)
    assert not found.search("a" * 5000)
    assert found.steps <= 5000


def test_what_is_kept_is_bounded() -> None:
    """Sets of states are forgotten when they are too many, and nothing else becomes of that."""
    found = BodyPattern("(?:a|b)*a" + "(?:a|b)" * 12 + "c")
    body = "".join("ab"[index * index % 7 % 2] for index in range(20_000))
    assert not found.search(body)
    assert len(found._kept) <= pattern.MAX_KEPT
    assert found.search(body[:13] + "a" + "b" * 12 + "c")


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("a)", "closes nothing"),
        ("(a", "nothing closes"),
        ("[a", "nothing closes"),
        ("*a", "repeats nothing"),
        ("a**", "can't be repeated"),
        ("a{x}", r"write \\{"),
        ("a{101}", "more than 100"),
        ("a{3,2}", "less than nothing"),
        (r"(a)\1", r"\\1"),
        ("(?=a)", r"\(\?"),
        ("[b-a]", "a range"),
        ("(?:a{100}){100}", "more than 300 states"),
        ("(" * 50, "more than 20 groups"),
        ("a" * 501, "longer than 500"),
    ],
)
def test_what_is_refused(expression: str, why: str) -> None:
    """What is no expression, or would take more than a step for each character, is refused with the reason."""
    with pytest.raises(PatternError, match=why):
        BodyPattern(expression)
