"""vip_mgmt believes an answer only where it is of the form, and about what was asked for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.route import parse_prefix
from speaker.control import answers
from speaker.control.answers import AnswerError, check, check_outcomes
from tests.unit.test_vip_mgmt import V4, V6, state

ASKED = [parse_prefix(V4), parse_prefix(V6)]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
FORMS = {
    "status": answers.STATUS,
    "explanations": answers.EXPLANATIONS,
    "history": answers.HISTORY,
    "plan": answers.PLAN,
}


def test_an_outcome_of_each() -> None:
    """An outcome of each prefix is one, in any order; keys that are not known do not matter."""
    check_outcomes([state(V6), state(V4, new=1)], ASKED)


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        None,
        "done",
        [state()],
        [state(), state()],
        [state(V6), state(V4), state(V4)],
        [state(), state("203.0.113.1/32")],
        [state(), V6],
        [state(), {}],
        [state(), state(V6, as_wanted=1)],
        [state(), state(V6, as_wanted=None)],
        [state(), state(V6, announced="no")],
        [state(), state(V6, before=0)],
        [state(), state(V6, reason=None)],
        [state(), state(V6, reason=["x"])],
        [state(), state(V6, as_path="64699")],
        [state(), state(V6, rank=True)],
        [state(), state(V6, peers={"203.0.113.11": "yes"})],
        [state(), state(V6, up={"203.0.113.11": 1})],
        [state(), {"prefix": V6, "recorded": "done"}],
    ],
)
def test_no_outcome_of_each(answer: Any) -> None:
    """Nothing, too little, too much, of other prefixes, or of another type: it is no answer."""
    with pytest.raises(AnswerError):
        check_outcomes(answer, ASKED)


@given(JSON)
def test_any_outcome(answer: Any) -> None:
    """Whatever comes is refused with one error, or is about both prefixes."""
    try:
        check_outcomes(answer, ASKED)
    except AnswerError:
        return
    pytest.fail(f"taken: {answer!r}")


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@given(answer=JSON)
def test_any_answer(form: answers.Form, answer: Any) -> None:
    """Whatever comes, checking it ends with nothing or one error."""
    try:
        check(answer, form)
    except AnswerError:
        return
    assert answer == []
