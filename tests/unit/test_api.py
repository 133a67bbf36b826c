"""vip_mgmt believes an answer only where it is of the form, and about what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.route import parse_prefix
from speaker.api import Explanation, HistoryEntry, PlannedChange, Status, outcomes_from_json
from speaker.json_value import FormError
from tests.unit.test_vip_mgmt import V4, V6, state

if TYPE_CHECKING:
    from collections.abc import Callable

ASKED = [parse_prefix(V4), parse_prefix(V6)]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
READERS: dict[str, Callable[[object], object]] = {
    "status": Status.from_json,
    "explanations": Explanation.all_from_json,
    "history": HistoryEntry.all_from_json,
    "plan": PlannedChange.all_from_json,
}


def test_an_outcome_of_each() -> None:
    """An outcome of each prefix is one, in any order; keys that are not known do not matter."""
    outcomes_from_json([state(V6), state(V4, new=1)], ASKED)


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
        [{"prefix": V4, "recorded": "done"}, {"prefix": V6, "recorded": True}],
        [{"prefix": V4, "recorded": "done"}],
    ],
)
def test_no_outcome_of_each(answer: Any) -> None:
    """Nothing, too little, too much, of other prefixes, or of another type: it is no answer."""
    with pytest.raises(FormError):
        outcomes_from_json(answer, ASKED)


@given(JSON)
def test_any_outcome(answer: Any) -> None:
    """Whatever comes is refused with one error, or is about both prefixes."""
    try:
        outcomes_from_json(answer, ASKED)
    except FormError:
        return
    pytest.fail(f"taken: {answer!r}")


@pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())
@given(answer=JSON)
def test_any_answer(read: Callable[[object], object], answer: Any) -> None:
    """Whatever comes, reading it ends with nothing or one error."""
    try:
        read(answer)
    except FormError:
        return
    assert answer == []
