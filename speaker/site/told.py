"""What a machine tells of itself in etcd, with its JSON: parsed, or refused with what is wrong. Values."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, Strict

from policy.errors import PolicyError
from policy.route import parse_prefix
from policy.wording import count
from speaker.errors import SpeakerError
from speaker.json_value import FormError, Value

VERSION = 1
ANY = "*"
"""What stands for any prefix, where more differ than are named."""
MAX_DIFFERING = 500
"""How many prefixes are named at most of which a machine does not obey what is asked."""
MAX_VALUE = 1 << 20
"""Bytes of a value at most."""
_MAX_TEXT, _MAX_PATH = 200, 1000

T = TypeVar("T", bound="ToldValue")


class ToldError(SpeakerError):
    """A value in etcd that makes no sense."""


def _version(value: int) -> int:
    if value != VERSION:
        raise ValueError(f"is of version {value}, {VERSION} is known; update this machine")
    return value


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("is not printable")
    return text


def _prefix_or_any(text: str) -> str:
    try:
        if text != ANY and str(parse_prefix(text)) != text:
            raise ValueError("is no prefix as it is written here")
    except PolicyError as error:
        raise ValueError(str(error)) from error
    return text


_Version = Annotated[int, Strict(), AfterValidator(_version)]
_Text = Annotated[str, Strict(), Field(max_length=_MAX_TEXT), AfterValidator(_printable)]
_Path = Annotated[str, Strict(), Field(max_length=_MAX_PATH), AfterValidator(_printable)]
_Time = Annotated[float, Field(ge=0, le=253402300799.0)]
_Revision = Annotated[int, Strict(), Field(ge=0, lt=1 << 63)]
_Differs = Annotated[
    dict[Annotated[str, Strict(), AfterValidator(_prefix_or_any)], _Text],
    Field(max_length=MAX_DIFFERING),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldValue(Value):
    """What is stored under a key."""

    v: _Version = VERSION

    def text(self) -> bytes:
        """Return it as it is stored."""
        return json.dumps(self.to_json(), separators=(",", ":"), sort_keys=True).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineTold(ToldValue):
    """A machine that lives.

    Attributes:
        version: of this program.
        config: tells its vip.toml, as far as it is of the whole site, from others.
        wall: its clock when it stored this (seconds since the epoch).
        backend: its routing daemon.
        process: tells this process from others that have the same name, by mistake or before it.
    """

    version: _Text
    config: _Text
    wall: _Time
    backend: _Text = ""
    process: _Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObeysTold(ToldValue):
    """Up to which revision of etcd a machine has all, recorded, applied and read back; but for what `differs` names with why.

    `unsent` are prefixes that it would announce, and can't send to anybody: who comes up is sent them.
    """

    revision: _Revision
    differs: _Differs = field(default_factory=dict)
    unsent: _Differs = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTold(ToldValue):
    """A prefix at a machine, as it was read back: see `policy.site_members.MemberState`."""

    announced: Annotated[bool, Strict()] | None
    as_path: _Path = ""
    health: _Text = ""
    intent: _Text = ""


def parse_told(form: type[T], text: bytes) -> T:
    """Return what is stored under a key.

    Args:
        form: what it is to be.
        text: JSON.

    Raises:
        ToldError: it is something else, or too long.
    """
    if len(text) > MAX_VALUE:
        raise ToldError(f"{count(len(text), 'byte')}, {MAX_VALUE} at most")
    try:
        return form.from_text(text)
    except FormError as error:
        raise ToldError(f"{error}".removeprefix("request")[:400]) from error
