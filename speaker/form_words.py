"""What pydantic found wrong with a value, in this program's words: what was found, and what to write.

Its own sentences speak of Python (`Input should be a valid dictionary`), and of what is wrong alone. `config.refusal` has the words
for TOML, `of_json` those for JSON; the bounds are the same for both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from speaker.printable import printable, shown
from speaker.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_JSON = {
    "bool_type": "is neither true nor false; write one of them, without quotes",
    "int_type": "is not a whole number; write it like 3, without quotes",
    "int_from_float": "is not a whole number; write it like 3, without quotes",
    "float_type": "is not a number; write it like 1.5, without quotes",
    "finite_number": "is not a number to count with; write it like 1.5",
    "string_type": "is not a string; put it in quotes",
    "tuple_type": "is not a list; put it in brackets, and commas between its items",
    "list_type": "is not a list; put it in brackets, and commas between its items",
    "dict_type": "is not an object; put it in braces",
    "dataclass_type": "is not an object; put it in braces",
}
_PLACE = re.compile(r"line \d+ column \d+")
_UNKNOWN = {"extra_forbidden", "unexpected_keyword_argument"}


def of_json(error: Mapping[str, Any]) -> str:
    """Return what is wrong with a value of JSON, of one of pydantic's errors with its context."""
    kind, found, context = error["type"], error["input"], error.get("ctx", {})
    match kind:
        case "json_invalid":
            place = _PLACE.search(error["msg"])
            where = f", from {place[0]} on" if found and place else ""
            return f"{'no JSON' if found else 'empty'}{where}; write one object of JSON"
        case "value_error":
            return printable(str(context["error"]))
        case "literal_error" | "enum":
            return f"{shown(found)} is none of its words; write {words_of(context)}"
        case _ if kind in _UNKNOWN:
            return "unknown key; correct its spelling, or remove it"
        case _:
            wanted = _JSON.get(kind) or bound(kind, found, context) or "can't stand here; remove it"
            name = "null" if found is None else shown(found)
            return f"{name} {wanted}"


def words_of(context: Mapping[str, Any]) -> str:
    """Return the words of which one must be written, each in quotes."""
    return str(context["expected"]).replace("'", '"')


def bound(kind: str, found: object, context: Mapping[str, Any]) -> str:
    """Say which bound was passed; nothing for what is none."""
    match kind, context:
        case "less_than_equal", {"le": limit}:
            return f"is too much; write {_written(limit, found)} at most"
        case "greater_than_equal", {"ge": limit}:
            return f"is too little; write {_written(limit, found)} at least"
        case "greater_than", {"gt": limit}:
            return f"is too little; write more than {_written(limit, found)}"
        case "too_short", {"min_length": limit}:
            return f"has too few; write {limit} at least"
        case "too_long", {"max_length": limit}:
            return f"has too many; write {limit} at most"
        case "string_too_short", _:
            return "is too short; write something, or remove it"
        case "string_too_long", {"max_length": limit}:
            return f"is too long; write {limit} characters at most"
        case _:
            return ""


def _written(limit: float, found: object) -> str:
    """Return a bound as what was found is written: a text that has one is a duration."""
    return f'"{duration_text(limit)}"' if limit and isinstance(found, str) else f"{limit:.12g}"
