"""What is of another form is told in this program's words, with what to write; never in those of a library."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from policy.errors import PolicyError
from policy.extended import ExtendedCommunity
from policy.local_time import parse_moment
from policy.route import parse_prefix
from speaker.api import Question, Status
from speaker.form_words import of_json
from speaker.json_value import FormError, Value
from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.bgpd_conf.tokens import identifier
from speaker.migration.target.local import parse as own_addresses
from speaker.planned import Cancellation, WindowRequest
from speaker.reported import ReportRequest
from speaker.site_values import SiteOrder

if TYPE_CHECKING:
    from collections.abc import Callable

OF_PYTHON = (
    *("does not appear", "octets", "Octet", "not permitted", "is not a valid", "ambiguous"),
    *("must be in", "out of range", "day is", "timedelta", "hextet", "At most", "At least"),
)
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


class Utc:
    """A place where clocks are never changed. It is `Zone`."""

    def seconds(self, local: datetime) -> float:
        return local.replace(tzinfo=UTC).timestamp()

    def local(self, seconds: float) -> datetime:
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)

    def name(self, seconds: float) -> str:
        del seconds
        return "UTC"


def local(text: str) -> object:
    return own_addresses([f"par1={text}"], ["par1"])


def moment(text: str) -> object:
    return parse_moment(text, Utc())


@pytest.mark.parametrize(
    ("parse", "texts"),
    [
        (
            parse_prefix,
            ["x", "192.0.2.1/33", "192.0.2.0/x", "192.0.2.1/24", "2001:db8::/129", ":::"],
        ),
        (ExtendedCommunity.parse, ["rt:192.0.2.256:1", "soo:1.2.3.04:5"]),
        (
            moment,
            ["2026-13-01T02:00", "2026-02-30T02:00Z", "2026-12-01T02:61", "2026-12-01T02:00+25:00"],
        ),
        (moment, ["0000-12-01T02:00"]),
        (identifier, ["x", "203.0.113.300", "1.2.3"]),
        (local, ["x", "192.0.2.1/33", "192.0.2.1/x"]),
    ],
)
def test_no_library_is_heard(parse: Callable[[str], object], texts: list[str]) -> None:
    """What a parser of a library says of a text is in no refusal: it names the text, and what to write."""
    for text in texts:
        with pytest.raises((PolicyError, MigrationError)) as error:
            parse(text)
        said = str(error.value)
        assert not [each for each in OF_PYTHON if each in said], said
        assert text in said
        assert re.search("; |: write ", said), said


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
