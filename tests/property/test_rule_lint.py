"""Whether a rule can be up, or down, at all: the search says what trying everything says."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy.health import Health
from policy.lint.rules import can_be
from policy.rule import AtLeast, Not, Rule, Said, Term, terms, value
from tests.support.strategies.checks import rules

NAMES = ("a", "b", "c", "d")
A = Term("a")


def tried(rule: Rule, goal: Health) -> bool:
    """Try all that the sources may say, unknown too."""
    names = sorted({*terms(rule)})
    return any(
        value(rule, dict(zip(names, map(Said, says), strict=True))) is goal
        for says in product(Health, repeat=len(names))
    )


@given(rules(NAMES), st.sampled_from([Health.UP, Health.DOWN]))
@example(AtLeast(2, (A, Not(A))), Health.UP)
@example(AtLeast(1, (A, Not(A))), Health.DOWN)
def test_the_search_is_exhaustive(rule: Rule, goal: Health) -> None:
    """It finds what is there, and nothing else, over all three values."""
    assert can_be(rule, goal) is tried(rule, goal)


@pytest.mark.parametrize("goal", [Health.UP, Health.DOWN])
def test_many_sources(goal: Health) -> None:
    """What has a hundred sources is settled in few steps where any way leads there; else it is said to take too long."""
    many = tuple(Term(str(index)) for index in range(100))
    assert can_be(AtLeast(50, many), goal, most=150) is True
    hard = AtLeast(2, (AtLeast(50, many), Not(AtLeast(50, many))))
    assert can_be(hard, Health.UP, most=100) is None
