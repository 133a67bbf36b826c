"""vip.toml's tables and types, and the faults of its form: what is faulty does not hide the rest."""

from __future__ import annotations

import copy
from typing import Any

from pydantic import ValidationError

from speaker.config.schema import Document
from speaker.config.toml_text import toml_path

_ROUNDS = 20
# What is faulty and may not be missing still exists: what names it is not at fault for that.
NOWHERE = "?"
NO_ADDRESS = "127.255.255.254"
_STAND_IN: dict[str, Any] = {"node": {"dc": NOWHERE}, "dc": {NOWHERE: {"asn": 1}}}


def form(document: dict[str, Any]) -> tuple[Document, list[str]]:
    """Return the document and the faults of its form.

    What is faulty is replaced until the rest has its form, so that the rest's sense can be
    checked in the same run.
    """
    faults: dict[str, None] = {}  # in their order, each once
    whole = document
    for _ in range(_ROUNDS):
        try:
            return Document.model_validate(whole), [*faults]
        except ValidationError as error:
            found = error.errors()
        if whole is document:
            whole = copy.deepcopy(document)  # only what has faults is changed
        faults |= dict.fromkeys(map(_line, found))
        for fault in reversed(found):
            _replace(whole, fault["loc"])
    return Document.model_validate(_STAND_IN), [*faults]


def _replace(document: dict[str, Any], path: tuple[int | str, ...]) -> None:
    """Remove what stands at a path, or put a stand-in where it may not be missing.

    In a list of addresses the others keep their places; other lists are removed as a whole.
    """
    match path:
        case ("node" | "dc" as key,) | ("node" as key, "dc"):
            document[key] = copy.deepcopy(_STAND_IN[key])
        case ("dc", name, *_):
            document["dc"][name] = {"asn": 1}
        case ("profile", name, *_):
            document["profile"].pop(name, None)
        case ("vip", name, "addresses"):
            document["vip"][name]["addresses"] = [NO_ADDRESS]
        case ("vip", name, "addresses", int(index)) | ("vip", name, "addresses", int(index), "ip"):
            document["vip"][name]["addresses"][index] = NO_ADDRESS
        case ("vip", name, "services", service, "realservers", *_):
            document["vip"][name]["services"][service]["realservers"] = [f"{NO_ADDRESS}:1"]
        case _:
            _remove(document, path)


def _remove(place: Any, path: tuple[int | str, ...]) -> None:
    """Remove what stands at a path, or the innermost thing around it that a table has."""
    part, *rest = path
    inner = place.get(part)
    if isinstance(inner, dict) and rest:
        _remove(inner, tuple(rest))
    elif isinstance(inner, list) and rest and isinstance(rest[0], int) and len(rest) > 1:
        _remove(inner[rest[0]], tuple(rest[1:]))
    else:
        place.pop(part, None)


def _line(fault: Any) -> str:
    """Return one fault: the path of the key, what was found, and what is wanted."""
    where = toml_path([part for part in fault["loc"] if part != "[key]"])
    match fault["type"]:
        case "extra_forbidden":
            return f"{where}: unknown key; correct its spelling, or remove it"
        case "missing":
            return f"{where}: missing; it has no default"
        case "value_error":
            return f"{where}: {fault['msg'].removeprefix('Value error, ')}"
        case _:
            return f"{where}: {fault['msg']} (found {fault['input']!r:.80})"
