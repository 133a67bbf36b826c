"""What pydantic found wrong with vip.toml, in this program's words: what was found, and what to do.

Its own sentences speak of Python (`Input should be a valid dictionary`), and of what is wrong alone. An
error of a kind that is not known here is told without them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel

from speaker.config.fault import Fault
from speaker.config.schema import Document
from speaker.config.toml_text import toml_path
from speaker.form_words import bound, words_of
from speaker.nearest import Suggestions
from speaker.printable import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from speaker.config.fault import KeyPath

_WANTED = {
    "bool_type": "is neither true nor false; write one of them, without quotes",
    "int_type": "is not a whole number; write it like 3, without quotes",
    "float_type": "is not a number; write it like 1.5, without quotes",
    "finite_number": "is not a number to count with; write it like 1.5",
    "string_type": "is not a string; put it in quotes",
    "path_type": 'is not a path; write it in quotes, like "/run/vip-speaker/control.sock"',
    "list_type": "is not a list; put it in brackets, and commas between its items",
    "dict_type": "is not a table; write its keys and values below its name in brackets",
    "model_type": "is not a table; write its keys and values below its name in brackets",
}


MAX_NAME = 255
"""The longest name that is shown in a heading."""
_ELSE = "can't stand here; see vip.toml(5)"


def faults(found: Iterable[Any]) -> Iterator[Fault]:
    """Return the faults that pydantic's errors are, in their order."""
    suggestions = Suggestions()
    errors = [(error, tuple(part for part in error["loc"] if part != "[key]")) for error in found]
    torn = {path[:2] for error, path in errors if _unquoted(error, path)}
    for error, path in errors:
        if error["type"] != "missing" or path[:2] not in torn:  # it stands under the whole name
            yield Fault(path, _message(error, path, suggestions))


def _message(error: Any, path: KeyPath, suggestions: Suggestions) -> str:
    kind, found, context = error["type"], error["input"], error.get("ctx", {})
    match kind:
        case "extra_forbidden":
            if name := _unquoted(error, path):
                return f"unknown key; put the name in quotes: [{toml_path((path[0], name))}]"
            near = suggestions.of(path[-1], keys_beside(path))
            return f"unknown key{near or '; correct its spelling, or remove it'}"
        case "missing":
            return "missing; write it, because it has no default"
        case "value_error":
            return str(context["error"])
        case "literal_error" | "enum":
            words = words_of(context)
            near = suggestions.of(found, words.split('"')[1::2])
            return f"{shown(found)} is none of its words; write {words}{near}"
        case _:
            wanted = _WANTED.get(kind) or bound(kind, found, context)
            return f"{shown(found)} {wanted or _ELSE}"


def _unquoted(error: Any, path: KeyPath) -> str:
    """Return the name that stands without quotes in a heading, where its dots make tables of its parts; else nothing."""
    if error["type"] != "extra_forbidden" or len(path) != 3:
        return ""
    known = keys_beside(path)
    if get_origin(Document.model_fields[str(path[0])].annotation) is not dict:
        return ""
    inner, parts = error["input"], [*path[1:]]
    while isinstance(inner, dict) and inner and not inner.keys() & {*known}:
        part, inner = next(iter(inner.items()))
        parts.append(part)
    name = ".".join(map(str, parts))
    return name if isinstance(inner, dict) and len(name) <= MAX_NAME else ""


def keys_beside(path: KeyPath) -> list[str]:
    """Return all keys that the table of a key may have."""
    table: type[BaseModel] = Document
    is_name = False  # the next part: of one of several tables, or its place in a list
    for part in path[:-1]:
        if is_name:
            is_name = False
            continue
        field = next(field for key, field in _fields(table).items() if key == part)
        table = next(_tables(field.annotation))
        is_name = get_origin(field.annotation) in {dict, list}
    return [*_fields(table)]


def _fields(table: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field for name, field in table.model_fields.items()}


def _tables(annotation: Any) -> Iterator[type[BaseModel]]:
    """Return the tables that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _tables(part)
