"""How every table of vip.toml is read, and strings in it by parsers of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import BeforeValidator, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def by(parse: Callable[[str], T]) -> BeforeValidator:
    """Parse a string by one of our parsers, whose errors are ValueErrors as pydantic wants them."""

    def validate(value: object) -> T:
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is not a string")  # noqa: TRY004 - pydantic collects these
        return parse(value)

    return BeforeValidator(validate, json_schema_input_type=str)


def text(form: str) -> object:
    """Return the type of a text of a form, a regular expression, for editors."""
    return Annotated[str, Field(pattern=f"^(?:{form})$")]


STRICT = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)
"""A table: unknown keys are refused, and types are not guessed."""
