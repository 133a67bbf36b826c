"""What is of another form is told in this program's words, with what to write; never in those of a library."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from speaker.api import Question, Status
from speaker.form_words import of_json
from speaker.json_value import FormError, Value
from speaker.planned import Cancellation, WindowRequest
from speaker.reported import ReportRequest
from speaker.site_values import SiteOrder

WELL = {"state": "up", "ttl": "5m"}
ORDER = {"mode": "drained", "prefixes": ["192.0.2.1"]}
PLAN = {**ORDER, "at": 1.0}
RAW = "Invalid JSON", "Value error", "Input should", "should have", "Unexpected", "b'", "pydantic"


def refused(of: type[Value], body: Any) -> str:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(FormError) as error:
        of.from_text(text)
    said = str(error.value)
    assert not [each for each in RAW if each in said]
    assert "; " in said
    return said


@pytest.mark.parametrize(
    ("of", "body", "said"),
    [
        (ReportRequest, b"", "request: empty; write one object of JSON"),
        (ReportRequest, b"{", "request: no JSON, from line 1 column 1 on; write one object"),
        (ReportRequest, b'{"state": \xff}', "request: no JSON, from line 1 column "),
        (ReportRequest, b"[" * 300, "request: no JSON, from line 1 column "),
        (ReportRequest, [], "request: [] is not an object; put it in braces"),
        (ReportRequest, None, "request: null is not an object; put it in braces"),
        (ReportRequest, {"state": "up"}, "request: has no ttl; write it"),
        (
            ReportRequest,
            {**WELL, "state": "upp"},
            "request.state: 'upp' is none of its words; write \"up\", ",
        ),
        (
            ReportRequest,
            {**WELL, "ttl": "5 m"},
            "request.ttl: '5 m' is not a duration; write it like",
        ),
        (
            ReportRequest,
            {**WELL, "ttl": "999d"},
            "request.ttl: '999d' is too much; write \"1d\" at most",
        ),
        (
            ReportRequest,
            {**WELL, "ttl": "0s"},
            "request.ttl: '0s' is too little; write more than 0",
        ),
        (ReportRequest, {**WELL, "weight": 2}, "request.weight: 2 is too much; write 1 at most"),
        (
            ReportRequest,
            {**WELL, "weight": "1"},
            "request.weight: '1' is not a number; write it like 1.5",
        ),
        (
            ReportRequest,
            {**WELL, "reason": 3},
            "request.reason: 3 is not a string; put it in quotes",
        ),
        (
            ReportRequest,
            {**WELL, "reason": "a" * 300},
            "… is too long; write 200 characters at most",
        ),
        (
            ReportRequest,
            {**WELL, "reason": "\0"},
            "request: reason: '\\x00': too long, or not printable; write",
        ),
        (ReportRequest, {**WELL, "a\x1b": 1}, "request.a\\x1b: unknown key; correct its spelling"),
        (
            SiteOrder,
            {**ORDER, "prefixes": []},
            "request.prefixes: [] has too few; write 1 at least",
        ),
        (SiteOrder, {**ORDER, "prefixes": "x"}, "request.prefixes: 'x' is not a list; put it in"),
        (SiteOrder, {**ORDER, "prefixes": [5]}, "request.prefixes[0]: 5 is not a string; put it"),
        (
            SiteOrder,
            {**ORDER, "prefixes": ["192.0.2.1/33"]},
            "request.prefixes[0]: prefix: '192.0.2.1/33'",
        ),
        (
            SiteOrder,
            {**ORDER, "seconds": -1},
            "request.seconds: -1 is too little; write more than 0",
        ),
        (SiteOrder, {**ORDER, "dry_run": 1}, "request.dry_run: 1 is neither true nor false"),
        (WindowRequest, {**PLAN, "late": -3}, "request.late: -3 is too little; write 0 at least"),
        (WindowRequest, {**PLAN, "at": "x"}, "request.at: 'x' is not a number"),
        (
            Cancellation,
            {"number": "x"},
            "request.number: 'x' is not a whole number; write it like 3",
        ),
        (
            Cancellation,
            {"number": 1.5},
            "request.number: 1.5 is not a whole number; write it like 3",
        ),
        (Question, {"prefixes": {}}, "request.prefixes: {} is not a list; put it in brackets"),
    ],
)
def test_a_request(of: type[Value], body: Any, said: str) -> None:
    """Each kind of fault of a request is told with where it is, what was found, and what to write."""
    assert said in refused(of, body)


def test_a_kind_that_is_not_known() -> None:
    """A fault of a kind that no request has yet is told without the library's words, too."""
    with pytest.raises(ValidationError) as error:
        TypeAdapter(complex).validate_json('"x"')
    found = error.value.errors(include_url=False)[0]
    assert of_json(found) == "'x' can't stand here; remove it"


def test_an_answer() -> None:
    """What a watchdog answers in another form says what to do about it."""
    with pytest.raises(FormError) as error:
        Status.from_json({"dc": 3})
    assert str(error.value) == (
        "answer.dc: 3: not of the form that a watchdog gives; restart it if it is older than this vip_mgmt"
    )
