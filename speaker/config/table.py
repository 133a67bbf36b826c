"""How every table of vip.toml is read, strings in it by parsers of our own, and types that several tables have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from speaker import units
from speaker.printable import shown

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def by(parse: Callable[[str], T]) -> BeforeValidator:
    """Parse a string by one of our parsers, whose errors are ValueErrors as pydantic wants them."""

    def validate(value: object) -> T:
        if not isinstance(value, str):
            raise ValueError(f"{shown(value)} is not a string; put it in quotes")  # noqa: TRY004 - pydantic collects these
        return parse(value)

    return BeforeValidator(validate, json_schema_input_type=str)


def text(form: str) -> object:
    """Return the type of a text of a form, a regular expression, for editors."""
    return Annotated[str, Field(pattern=f"^(?:{form})$")]


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError(f"{shown(str(path))} is not absolute; write it from the root, as /run/…")
    if "\0" in str(path):
        raise ValueError(f"{shown(str(path))} has a NUL in it; remove it")
    if not str(path).isprintable():  # it goes into messages, which are lines
        raise ValueError(f"{shown(str(path))} is not printable; rename it")
    return path


Duration = Annotated[
    float, BeforeValidator(units.duration, json_schema_input_type=text(units.DURATION))
]
AbsolutePath = Annotated[Path, Field(strict=False), AfterValidator(_absolute)]

STRICT = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True, defer_build=True)
"""A table: unknown keys are refused, and types are not guessed.

What checks a table is made once, as a part of what checks the file: that is most of what reading one costs. So a
module of tables makes none of them itself (see `without_keys`), and has its annotations as values: text would
have to be compiled, key by key.
"""


def without_keys() -> Any:
    """Return the default of a table that need not be there: what it is without any key of its own."""
    return Field(default={}, validate_default=True)
