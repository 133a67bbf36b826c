"""Compares two sites' vip.toml: what must be the same in every data centre, key by key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from policy.lint.finding import Code, Finding
from speaker.check.report import Report
from speaker.config.toml_text import toml_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from speaker.config import File
    from speaker.config.schema import Document

    Key = tuple[str | int, ...]

_PER_MACHINE = {"keepalived_fifo", "keepalived_conf", "ignore_realservers"}
_SHOWN = 60
_NOT_SET = object()


def compare(own: File, other: File) -> Report:
    """Return each key of which two files have different values, and must not.

    `[node]`, `[backend]`, `[metrics]` and `[events]` are the machine's, and so are realservers and keepalived's fifo.
    """
    ours, theirs = _shared(own.document), _shared(other.document)
    here, yonder = _Written(own), _Written(other)
    there = f"in {other.path}"
    return Report(
        tuple(
            Finding(
                Code.SITES_DIFFER,
                toml_path(key),
                said or f"{here.shown(key)} here, {yonder.shown(key)} {there}",
                _remedy(key),
            )
            for key, said in _differences((), ours, theirs, there)
        )
    )


def _remedy(key: Key) -> str:
    """Return what to do, and what happens else: it depends on what the key is about."""
    match key:
        case ("policy", "max_withdraw" | "confirm", *_):
            why = "else one holds back the same loss of VIPs that the other one carries out"
        case ("policy", "max_path" | "load_tolerance", *_):
            why = "else check finds in one what it passes over in the other"
        case ("drain", *_) | ("vip", _, "drain", *_):
            why = "else two of them that drain at once may tie, or cut at another time"
        case ("health", *_) | ("vip", _, "health" | "services", *_):
            why = "else the same failure withdraws a VIP in one of them, and not in the other"
        case _:
            why = "data centres that disagree may tie for an address, or leave it to none"
    return f"make it the same in both: {why}"


def _shared(document: Document) -> dict[str, Any]:
    """Return what must be the same everywhere. What a VIP leaves to `[health]` is left out."""
    exclude = {"node", "backend", "metrics", "events"}
    shared = document.model_dump(exclude=exclude, by_alias=True)
    _drop(shared["health"])
    shared["vip"] = {}
    for name, vip in document.vip.items():
        table = vip.model_dump()
        table["health"] = vip.health.model_dump(exclude_unset=True)
        table["drain"] = vip.drain.model_dump(exclude_unset=True, by_alias=True)
        _drop(table["health"])
        for service in table["services"].values():
            del service["realservers"]
        shared["vip"][name.lower()] = table
    return shared


def _drop(health: dict[str, Any]) -> None:
    for key in _PER_MACHINE:
        health.pop(key, None)


def _differences(key: Key, ours: Any, theirs: Any, there: str) -> Iterator[tuple[Key, str]]:
    """Yield the keys where two values differ, and what is to be said where the values say too little."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        if key == ("dc",) and {*ours} == {*theirs} and [*ours] != [*theirs]:
            yield key, _order(ours, theirs, there)
        for name in dict.fromkeys((*ours, *theirs)):
            one, other = ours.get(name, _NOT_SET), theirs.get(name, _NOT_SET)
            yield from _differences((*key, name), one, other, there)
    elif isinstance(ours, list) and isinstance(theirs, list) and key[-1:] == ("addresses",):
        yield from _addresses(key, ours, theirs, there)
    elif ours != theirs:
        yield key, ""


def _addresses(
    key: Key, ours: Sequence[Any], theirs: Sequence[Any], there: str
) -> Iterator[tuple[Key, str]]:
    """Compare the addresses of a VIP, of which the order counts."""
    here, yonder = ([str(table["ip"]) for table in each] for each in (ours, theirs))
    if here == yonder:
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _differences((*key, index), one, other, there)
    elif {*here} == {*yonder}:
        yield key, _order(here, yonder, there)
    else:
        only = (
            (", ".join(_without(here, yonder)), "here"),
            (", ".join(_without(yonder, here)), there),
        )
        yield key, " and ".join(f"{what} only {where}" for what, where in only if what)


def _without(some: Iterable[str], others: Iterable[str]) -> Iterator[str]:
    known = {*others}
    return (each for each in some if each not in known)


def _order(here: Iterable[str], yonder: Iterable[str], there: str) -> str:
    return f"in the order {', '.join(here)} here, {', '.join(yonder)} {there}"


class _Written:
    """A file's values as it has them. Names of VIPs are found in any case."""

    def __init__(self, file: File) -> None:
        self._top: dict[str, Any] = dict(file.written)
        vips = self._top.get("vip")
        if isinstance(vips, dict):
            self._top["vip"] = {name.lower(): vip for name, vip in vips.items()}

    def shown(self, key: Key) -> str:
        """Return a value as text."""
        value: Any = self._top
        for part in key:
            if isinstance(value, dict):
                value = value.get(part, _NOT_SET)
            elif isinstance(value, list) and isinstance(part, int):
                value = value[part]
            else:
                value = _NOT_SET
        if value is _NOT_SET:
            return "not set"
        if isinstance(value, dict):
            return "set"
        text = json.dumps(value, ensure_ascii=False, default=str)
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
