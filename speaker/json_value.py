"""A frozen value with its JSON: a field is a key, and what is of another form is refused."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Any, Self

from pydantic import TypeAdapter, ValidationError

from speaker.errors import SpeakerError
from speaker.form_words import of_json
from speaker.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class FormError(SpeakerError):
    """An answer, or a request, of another form; or an answer to something else than was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value with its JSON."""

    def to_json(self) -> dict[str, object]:
        """Return it as JSON values."""
        return {name: _plain(value) for name, value in self.values().items()}

    def values(self) -> dict[str, Any]:
        """Return what it is made of, by name."""
        own: Any = type(self)
        return {name: getattr(self, name) for name in _names(own)}

    @classmethod
    def from_json(cls, answer: object) -> Self:
        """Return the value that JSON values are.

        Raises:
            FormError: they are of another form; says where.
        """
        return _checked(cls, answer)  # type: ignore[no-any-return]  # what the form makes is not typed

    @classmethod
    def from_text(cls, text: bytes) -> Self:
        """Return the value that a request has as its JSON text.

        Raises:
            FormError: it is of another form; says where.
        """
        own: Any = cls
        try:
            return _form(own).validate_json(text)  # type: ignore[no-any-return]  # as above
        except ValidationError as error:
            where, first = _first(error, "request")
            raise FormError(f"{where}: {_lack(first) or of_json(first)}") from error

    @classmethod
    def all_from_json(cls, answer: object) -> Sequence[Self]:
        """Return the values that a list of JSON has. See `from_json`."""
        return _checked(list[cls], answer)  # type: ignore[valid-type, no-any-return]  # as above


@cache
def _names(of: type[Any]) -> tuple[str, ...]:
    return tuple(each.name for each in fields(of))


def _plain(value: object) -> object:
    match value:
        case Value():
            return value.to_json()
        case tuple():
            return [_plain(each) for each in value]
        case IPv4Network() | IPv6Network():
            return str(value)
        case _:
            return value


@cache
def _form(of: Any) -> TypeAdapter[Any]:
    """Return what checks a form: made when it is first needed, because that takes its time."""
    return TypeAdapter(of)


def _checked(of: Any, answer: object) -> Any:
    try:
        return _form(of).validate_python(answer)
    except ValidationError as error:
        where, first = _first(error, "answer")
        said = _lack(first) or f"{first['input']!r:.80}: not of the form that a watchdog gives"
        raise FormError(f"{where}: {said}; restart it if it is older than this vip_mgmt") from error


def _first(error: ValidationError, what: str) -> tuple[str, Mapping[str, Any]]:
    """Return where something is of another form, and what pydantic says of it."""
    first = error.errors(include_url=False)[0]
    steps = first["loc"][:-1] if first["type"] == "missing" else first["loc"]
    path = [f"[{step}]" if isinstance(step, int) else f".{step:.80}" for step in steps]
    return printable(what + "".join(path)), first


def _lack(first: Mapping[str, Any]) -> str:
    """Return what is said of a key that is not there; nothing for anything else."""
    return f"has no {first['loc'][-1]}; write it" if first["type"] == "missing" else ""
