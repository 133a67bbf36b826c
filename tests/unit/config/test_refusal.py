"""What vip.toml is refused for is said in this program's words: the key, what was found, and what to do."""

import copy
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from functools import cache
from typing import Any, get_origin

import pytest
from pydantic import BaseModel, ValidationError
from pydantic_core._pydantic_core import list_all_errors

from speaker.config import refusal
from speaker.config.fault import Fault
from speaker.config.refusal import keys_beside
from speaker.config.schema import Document
from speaker.nearest import ENOUGH, Suggestions
from tests.unit.config.test_faults import refused
from tests.unit.config.test_load import HEAD

Path = tuple[Any, ...]

WHOLE: dict[str, Any] = {
    "node": {"dc": "par1", "next_hop": {}},
    "dc": {"par1": {"asn": 64699, "next_hop": {}}},
    "policy": {},
    "profile": {"near": {"prepends": 1}},
    "health": {"damping": {}},
    "drain": {},
    "check": {"web": {"http": "http://{address}/", "json": {"path": "up", "equals": 1}}},
    "rule": {"both": "ipvs"},
    "vip": {
        "vip-1.tld": {
            "addresses": [{"ip": "192.0.2.1"}],
            "services": {"tcp/80": {}},
            "health": {"damping": {}},
            "drain": {},
        }
    },
    "aggregate": {"192.0.2.0/24": {}},
    "peer": {"203.0.113.1": {}},
    "peer_group": {"transit": {"neighbors": ["203.0.113.2"]}},
    "backend": {"exabgp": {"next_hop": {}}, "quagga": {}},
    "metrics": {},
    "events": {},
    "report": {"backup": {}},
    "api": {"tokens": {"ops": {}}},
    "site": {"etcd": ["https://192.0.2.21:2379"]},
}
VALUES: list[object] = [
    *("", "x", "x" * 3000, "\x1b[2J\x9b1m\u202e", "\x00", "99999999d", "0s", "200%", "203.0.113.300"),
    *(0, -1, 2**40, 10**30, 1.5, -1.5, float("nan"), float("inf"), True, False),
    *([], ["x"], [1], [[]], [{}], ["x"] * 2000, {}, {"x": 1}, {"x": {}}, {"x": "y"}, {"x\x9b": []}),
    *({f"x{number}": "y" for number in range(60)}, datetime(2026, 12, 1, 2, tzinfo=UTC), date(2026, 12, 1), time(2)),
]  # fmt: skip


def at(document: Any, path: Path) -> Any:
    for part in path:
        document = document[part]
    return document


def keys(table: type[BaseModel] = Document, path: Path = ()) -> Iterator[Path]:
    """Every key of every table, and every place of a table among several."""
    for name, field in table.model_fields.items():
        key = (*path, field.alias or name)
        yield key
        tables = [*refusal._tables(field.annotation)]
        if not tables:
            continue
        many = get_origin(field.annotation) in {dict, list}
        found = at(WHOLE, key)
        places = [*(found if isinstance(found, dict) else range(len(found)))] if many else [None]
        for place in places:
            inner = key if place is None else (*key, place)
            if place is not None:
                yield inner
            yield from keys(tables[0], inner)


KEYS = [*keys()]


def errors(document: dict[str, Any]) -> list[Any]:
    try:
        Document.model_validate(document)
    except ValidationError as error:
        return [*error.errors()]
    return []


@cache
def wrong() -> list[tuple[Path, object, Any]]:
    """Each error that some value gives somewhere."""
    found = []
    for path in KEYS:
        for value in VALUES:
            document = copy.deepcopy(WHOLE)
            at(document, path[:-1])[path[-1]] = value
            found += [(path, value, error) for error in errors(document)]
        document = copy.deepcopy(WHOLE)
        place = at(document, path[:-1])
        if isinstance(place, dict) and place.pop(path[-1], None) is not None:
            found += [(path, None, error) for error in errors(document)]
    return found


TEMPLATES = {each["message_template_python"] for each in list_all_errors()} - {"{error}", ""}
LIBRARY = re.compile("|".join(re.sub(r"\\\{\w+\\\}", ".*", re.escape(each)) for each in TEMPLATES))


def test_what_is_tried() -> None:
    """All keys are, and each of them is refused something, but for those that all but a table may stand in."""
    assert len(KEYS) > 180
    assert {path for path, _, _ in wrong()} == {*KEYS}


def test_our_words() -> None:
    """Each refusal says what was found and what to do, on one line without a control character; none is the library's."""
    messages: dict[Fault, tuple[Path, object, str]] = {}
    for path, value, error in wrong():
        (fault,) = refusal.faults([error])
        said = (path, value, str(fault))
        assert fault.path[: len(path)] == path or path[: len(fault.path)] == fault.path, said
        messages[fault] = said
    for fault, said in messages.items():
        assert not LIBRARY.search(fault.message), said
        assert not re.search("Input|valid dictionary|<class|datetime", fault.message), said
        assert refusal._ELSE not in fault.message, said
        assert "; " in fault.message, said
        assert str(fault).isprintable(), said
        assert len(fault.message) < 400, said


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every part of pydantic's own form of the document."""
    if isinstance(schema, dict):
        if isinstance(schema.get("type"), str):
            yield schema
        for key, each in schema.items():
            if key not in {"metadata", "serialization", "config", "json_schema_input_schema"}:
                yield from nodes(each)
    elif isinstance(schema, list | tuple):
        for each in schema:
            yield from nodes(each)


def test_every_kind() -> None:
    """What pydantic can find wrong with these tables was tried: a type or a bound of another kind needs words first."""
    found = [*nodes(Document.__pydantic_core_schema__)]
    assert {each["type"] for each in found} <= {
        *("definitions", "definition-ref", "model", "model-fields", "model-field", "default", "nullable"),
        *("function-before", "function-after", "function-plain", "no-info", "dict", "list", "str", "union"),
        *("int", "float", "bool", "enum", "literal", "none", "any", "lax-or-strict", "json-or-python"),
        *("dataclass", "is-instance", "dataclass-args", "dataclass-field", "chain", "tuple", "url", "str-enum", "plain", "with-info"),
    }  # fmt: skip
    bounds = {"lt", "gt", "multiple_of", "pattern", "le", "ge", "min_length", "max_length", "allow_inf_nan"}  # fmt: skip
    assert {key for each in found for key in each} & bounds <= {
        *("le", "ge", "min_length", "max_length", "allow_inf_nan"),
    }
    tried = {error["type"] for _, _, error in wrong()}
    assert {*refusal._WANTED} <= tried
    assert {"too_short", "too_long", "string_too_short", "string_too_long"} <= tried


def test_an_unknown_kind() -> None:
    """An error that a later pydantic may have is told without its sentence."""
    error = {"type": "new_kind", "loc": ("node", "dc"), "msg": "Input should", "input": "x\x1b"}
    (fault,) = refusal.faults([error])
    assert str(fault) == r"node.dc: 'x\x1b' can't stand here; see vip.toml(5)"


@pytest.mark.parametrize("path", KEYS, ids=lambda path: ".".join(map(str, path)))
def test_mistyped_keys(path: Path) -> None:
    """A key with a letter too many, too few or two changed is named with the one that it may be."""
    key = path[-1]
    if isinstance(key, int) or key not in keys_beside(path) or len(key) < 3:
        return
    for typed in (f"{key}e", key[:-1] + "_", key[1] + key[0] + key[2:], key.upper() + "S"):
        if typed == key:
            continue
        document = copy.deepcopy(WHOLE)
        at(document, path[:-1])[typed] = 1
        faults = [fault for fault in refusal.faults(errors(document)) if fault.path[-1] == typed]
        (fault,) = faults
        assert fault.path == (*path[:-1], typed)
        assert (f"did you mean {key}" in fault.message) or f" or {key}" in fault.message, fault


NAMED = [
    ('[vips."a.tld"]\naddresses = ["192.0.2.1"]', "vips: unknown key; did you mean vip?"),
    (
        '[vip."a.tld"]\naddresses = ["192.0.2.1"]\nprefer = ["part1", "lyo1"]',
        "['part1', 'lyo1'] must name each data centre once: par1, lyo1; did you mean par1?",
    ),
    (
        '[vip."a.tld"]\naddresses = ["192.0.2.1"]\nonly = ["LYO"]',
        "['LYO'] must name some of the data centres, each once: par1, lyo1; did you mean lyo1?",
    ),
    (
        '[vip."a.tld"]\naddresses = ["192.0.2.1"]\nrule = "check/ap"\n[check.app]\nhttp = "http://{address}/"',
        '"check/ap" is unknown; name one of "check/app"; did you mean app?',
    ),
    (
        '[vip."a.tld"]\naddresses = ["192.0.2.1"]\nrule = "rule/dbs"\n[rule.db]\nany = ["ipvs"]',
        '"rule/dbs" is unknown; name one of "rule/db"; did you mean db?',
    ),
    (
        '[policy]\nranks = ["neer", "far"]\n[profile.near]\nprepends = 1\n[profile.far]\nprepends = 2',
        "neer have no [profile.…]; known are near, far; did you mean near?",
    ),
    (
        '[vip."a.tld"]\naddresses = ["192.0.2.1"]\n[peer."203.0.113.1"]\nannounce = ["atld"]\ndc = "pra1"',
        "name some of a.tld; did you mean a.tld?",
    ),
    (
        '[peer."203.0.113.1"]\ndc = "pra1"',
        "'pra1' is unknown; name one of par1, lyo1; did you mean par1?",
    ),
    (
        '[health]\nsource = "ipv"',
        "'ipv' is none of its words; write \"ipvs\", \"tcp\" or \"none\"; did you mean ipvs?",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), NAMED)
def test_mistyped_names(text: str, said: str) -> None:
    """So is a mistyped table, data centre, profile, check, rule, VIP and word."""
    found = refused(HEAD + text)
    assert [fault for fault in found if said in str(fault)], found


def test_the_wrong_data_centre() -> None:
    """So is the data centre that this machine is said to be in."""
    (fault,) = refused(HEAD.replace('"par1"', '"par"'))
    assert str(fault).endswith("did you mean par1?")


def test_a_table_called_like_a_key() -> None:
    """What a VIP is called changes nothing of what its keys may be."""
    found = refused(HEAD + '[vip.health]\naddresses = ["192.0.2.1"]\nservice = 1')
    assert Fault(("vip", "health", "service"), "unknown key; did you mean services?") in found


@pytest.mark.parametrize(
    ("text", "at", "heading"),
    [
        ('[vip.vip-1.tld]\naddresses = ["192.0.2.1"]', "vip.vip-1.tld", 'vip."vip-1.tld"'),
        ('[vip.a.b.tld]\naddresses = ["192.0.2.1"]', "vip.a.b", 'vip."a.b.tld"'),
        ('[vip.a.tld.health]\nrise = "1s"', "vip.a.tld", 'vip."a.tld"'),
        ("[peer.203.0.113.1]\nmed = 1", "peer.203.0", 'peer."203.0.113.1"'),
        ("[dc.par1.example]\nasn = 64699", "dc.par1.example", 'dc."par1.example"'),
    ],
)
def test_a_name_without_quotes(text: str, at: str, heading: str) -> None:
    """A name with dots that lacks its quotes is one fault of its heading, which says how it is written."""
    found = [str(each) for each in refused(HEAD + text)]
    assert f"{at}: unknown key; put the name in quotes: [{heading}]" in found, found
    assert not any("missing" in each for each in found), found


@pytest.mark.parametrize("table", ["helth", "foo"])
def test_a_table_that_is_no_name(table: str) -> None:
    """A table that a VIP does not have is not taken for a part of its name."""
    vip = f'[vip."a.tld"]\naddresses = ["192.0.2.1"]\n[vip."a.tld".{table}]\nrise = "5s"'
    assert not any("quotes" in str(each) for each in refused(HEAD + vip))


def test_looking_has_an_end() -> None:
    """Of many mistyped names beside many names, the first ones are looked for."""
    names = [f"vip-{number}.tld" for number in range(ENOUGH // 2)]
    suggestions = Suggestions()
    assert [bool(suggestions.of("vip-77tld", names)) for _ in range(4)] == [
        True,
        True,
        False,
        False,
    ]
