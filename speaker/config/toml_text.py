"""How TOML is written: keys, values, comments, and tables of them (TOML 1.0.0)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WIDTH = 100
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_HIDDEN = re.compile(r"[^ -~]")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # what a comment may not have


def toml_path(path: Sequence[object]) -> str:
    """Return a key's path as TOML writes it: `vip."vip-1.tld".addresses[0].ip`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = str(part)
            text += ("." if text else "") + (key if _BARE.fullmatch(key) else _string(key))
    return text


def _string(text: str) -> str:
    """Return a basic string: JSON's, but that all is escaped that is not to be printed, as a terminal may act on it."""
    found = encode_basestring(text)
    return found if found.isprintable() else _HIDDEN.sub(_escaped, found)


def _escaped(found: re.Match[str]) -> str:
    char = found[0]
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


@dataclass(frozen=True, slots=True)
class Commented:
    """A value of a list with a comment above it."""

    value: object
    comment: str


def value(what: object) -> str:
    """Return a value on one line: a string, number, boolean, list or inline table."""
    match what:
        case bool():
            return str(what).lower()
        case float():
            return repr(int(what) if what == int(what) else what)
        case int():
            return repr(what)
        case dict():
            inside = ", ".join(f"{toml_path([key])} = {value(each)}" for key, each in what.items())
            return f"{{ {inside} }}" if inside else "{}"
        case list() | tuple():
            return f"[{', '.join(map(value, what))}]"
        case Commented():
            return value(what.value)
        case _:
            return _string(str(what))


def comment(text: str) -> list[str]:
    """Return the lines of a comment; what may not be in one is shown as `?`."""
    return [f"# {_UNPRINTABLE.sub('?', line)}".rstrip() for line in text.splitlines()]


@dataclass(slots=True)
class TomlText:
    """A TOML file in the making."""

    lines: list[str] = field(default_factory=list)

    def comment(self, text: str) -> None:
        """Add a comment of any number of lines."""
        self.lines += comment(text)

    def table(self, path: Sequence[str], keys: Mapping[str, object], comment: str = "") -> None:
        """Add a table with a comment above it. Keys that are None are left out, and so is a table without any."""
        keys = {key: what for key, what in keys.items() if what is not None}
        if not keys:
            return
        if self.lines:
            self.lines.append("")
        self.comment(comment)
        self.lines.append(f"[{toml_path(path)}]")
        for key, what in keys.items():
            self._key(key, what)

    def _key(self, key: str, what: object) -> None:
        line = f"{toml_path([key])} = {value(what)}"
        commented = isinstance(what, list) and any(isinstance(each, Commented) for each in what)
        if not isinstance(what, list) or (len(line) <= _WIDTH and not commented):
            self.lines.append(line)
            return
        self.lines.append(f"{toml_path([key])} = [")
        for each in what:
            if isinstance(each, Commented):
                self.lines += (f"  {line}" for line in comment(each.comment))
            self.lines.append(f"  {value(each)},")
        self.lines.append("]")

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)
