"""vip_mgmt believes an answer only where it is of the form, and about what was asked for."""

from __future__ import annotations

import json
from dataclasses import fields
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.route import parse_prefix
from speaker.api import (
    Explanation,
    HistoryEntry,
    IntentOutcome,
    IntentRequest,
    PlannedChange,
    Reloaded,
    Status,
)
from speaker.control.outcomes import outcomes_from_json
from speaker.json_value import FormError, Value
from tests.support.lab.growth import SIZE, counting
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


def made(of: type[Value]) -> st.SearchStrategy[Value]:
    """Return a strategy for any value of a class, in all of its fields."""
    hints = get_type_hints(of, include_extras=True)
    return st.builds(of, **{each.name: _any(hints[each.name]) for each in fields(of)})


def _any(hint: Any) -> st.SearchStrategy[Any]:
    inner = get_args(hint)
    if get_origin(hint) is tuple:
        return st.lists(_any(inner[0]), max_size=2).map(tuple)
    if get_origin(hint) is dict:
        return st.dictionaries(_any(inner[0]), _any(inner[1]), max_size=2)
    if get_origin(hint) is Annotated:
        return st.floats(allow_nan=False) if inner[0] is float else _any(inner[0])
    if get_origin(hint) in (Union, UnionType):
        return st.one_of(*map(_any, inner))
    return made(hint) if isinstance(hint, type) and issubclass(hint, Value) else st.from_type(hint)


@pytest.mark.parametrize(
    "of", [Status, Explanation, HistoryEntry, PlannedChange, IntentOutcome, Reloaded]
)
@given(data=st.data())
def test_what_is_written_is_read(of: type[Value], data: st.DataObject) -> None:
    """A value that is told as JSON is the same value at the other end, whatever it has in it."""
    value = data.draw(made(of))
    assert of.from_json(json.loads(json.dumps(value.to_json()))) == value


def test_what_was_not_told_long_ago() -> None:
    """A watchdog that was started before a key existed is understood; its peers' name is their address."""
    peer = {"address": "203.0.113.11", "asn": 64496, "up": True}
    answer = {"dc": "par1", "backend": "exabgp", "peers": [peer], "routes": [], "trouble": []}
    status = Status.from_json(answer)
    assert status.peers[0].name == "203.0.113.11"
    assert (status.sessions, status.last_cycle, status.configuration.state) == ((), None, "unknown")


@pytest.mark.parametrize(
    ("request_", "where"),
    [
        (b"{", "request: "),
        (b"[]", "request: "),
        (b'{"mode": "drained"}', "request: has no prefixes"),
        (b'{"mode": "off", "prefixes": ["192.0.2.1"]}', "request.mode: "),
        (b'{"mode": "drained", "prefixes": []}', "request.prefixes: "),
        (b'{"mode": "drained", "prefixes": [5]}', "request.prefixes[0]: "),
        (b'{"mode": "drained", "prefixes": ["192.0.2.1/24"]}', "request.prefixes[0]: "),
        (b'{"mode": "drained", "prefixes": ["192.0.2.1"], "seconds": 0}', "request.seconds: "),
        (b'{"mode": "drained", "prefixes": ["192.0.2.1"], "seconds": true}', "request.seconds: "),
        (b'{"mode": "drained", "prefixes": ["192.0.2.1"], "forced": 1}', "request.forced: "),
        (
            b'{"mode": "drained", "prefixes": ["192.0.2.1"], "force": true}',
            "request: force: ",
        ),
        (b'{"mode": "drained", "prefixes": ["192.0.2.1"], "reason": "a\\nb"}', "request: "),
    ],
)
def test_no_request(request_: bytes, where: str) -> None:
    """A request of another form, or with a key that means nothing, is refused, and says where."""
    with pytest.raises(FormError) as refused:
        IntentRequest.from_text(request_)
    assert str(refused.value).startswith(where)


def test_a_prefix_is_checked_once() -> None:
    """A request for many prefixes parses each, and nothing checks again what was parsed."""

    def calls(count: int) -> int:
        prefixes = [f"198.18.{number // 256}.{number % 256}/32" for number in range(count)]
        text = json.dumps({"mode": "drained", "prefixes": prefixes}).encode()
        IntentRequest.from_text(text)  # so that no parsing is counted
        with counting() as work:
            IntentRequest.from_text(text)
        return work.calls

    assert calls(2 * SIZE) - calls(SIZE) <= 3 * SIZE
