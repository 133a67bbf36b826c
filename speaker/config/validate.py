"""vip.toml's tables and types, and the faults of its form: what is faulty does not hide the rest.

What is faulty is replaced in a copy until the rest has its form, so that its sense can be checked in
the same run. Where something stands in for what is faulty and may not be missing is remembered by its
path: what names it is not at fault for that.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from speaker.config import refusal
from speaker.config.schema import Document

if TYPE_CHECKING:
    from speaker.config.fault import Fault, KeyPath

_ROUNDS = 20
_STAND_IN: dict[str, Any] = {"node": {"dc": "?"}, "dc": {"?": {"asn": 1}}}
_ADDRESS = "127.255.255.254"


@dataclass(frozen=True, slots=True)
class Form:
    """A document that has its form; the faults that what was written had; what stands in for it."""

    document: Document
    faults: tuple[Fault, ...] = ()
    replaced: frozenset[KeyPath] = frozenset()

    def lacks(self, *path: int | str) -> bool:
        """Tell whether what stands at a path was replaced or removed, or what it stands in."""
        return bool(self.replaced) and any(
            path[: end + 1] in self.replaced for end in range(len(path))
        )


def form(document: dict[str, Any]) -> Form:
    """Return the document with the faults of its form."""
    faults: dict[Fault, None] = {}  # in their order, each once
    replaced: set[KeyPath] = set()
    whole = document
    for _ in range(_ROUNDS):
        try:
            return Form(Document.model_validate(whole), (*faults,), frozenset(replaced))
        except ValidationError as error:
            found = error.errors()
        if whole is document:
            whole = copy.deepcopy(document)  # only what has faults is changed
        faults |= dict.fromkeys(refusal.faults(found))
        replaced.update(_replace(whole, fault["loc"]) for fault in reversed(found))
    return Form(
        Document.model_validate(_STAND_IN), (*faults,), frozenset((key,) for key in _STAND_IN)
    )


def _replace(document: dict[str, Any], path: KeyPath) -> KeyPath:
    """Remove what stands at a path, or put something in its place where it may not be missing.

    In a list of addresses the others keep their places; other lists are removed as a whole.

    Returns:
        The path of what was replaced or removed.
    """
    match path:
        case ("node" | "dc" as key,) | ("node" as key, "dc"):
            document[key] = copy.deepcopy(_STAND_IN[key])
            return (key,)
        case ("dc", name, "[key]"):
            document["dc"].pop(name, None)
            document["dc"] = document["dc"] or copy.deepcopy(_STAND_IN["dc"])
            return ("dc",)  # who names it is not at fault
        case ("dc", name, *_):
            document["dc"][name] = {"asn": 1}
            return path[:2]
        case ("profile" | "aggregate" | "check" | "rule" as key, name, *_):
            document[key].pop(name, None)
            return path[:2]
        case ("peer" | "peer_group" as kind, name, *_):
            document[kind].pop(name, None)
            return path[:2]
        case ("vip", name, "addresses"):
            document["vip"][name]["addresses"] = [_ADDRESS]
            return path
        case ("vip", name, "addresses", int(index)) | ("vip", name, "addresses", int(index), "ip"):
            document["vip"][name]["addresses"][index] = _ADDRESS
            return path[:4]
        case ("vip", name, "services", service, "realservers", *_):
            document["vip"][name]["services"][service]["realservers"] = [f"{_ADDRESS}:1"]
            return path[:5]
        case _:
            _remove(document, path)
            return path


def _remove(place: Any, path: KeyPath) -> None:
    """Remove what stands at a path, or the innermost thing around it that a table has."""
    part, *rest = path
    inner = place.get(part)
    if isinstance(inner, dict) and rest:
        _remove(inner, tuple(rest))
    elif isinstance(inner, list) and rest and isinstance(rest[0], int) and len(rest) > 1:
        _remove(inner[rest[0]], tuple(rest[1:]))
    else:
        place.pop(part, None)
