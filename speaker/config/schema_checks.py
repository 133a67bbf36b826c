"""The form of [check], [rule] and a VIP's rule in vip.toml."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, PlainValidator

from policy.health import Health
from speaker import units
from speaker.config.table import STRICT, AbsolutePath, Duration, by, text
from speaker.printable import shown
from speaker.units import Endpoint

RULE = "rule/"
"""How a rule names one of `[rule]`."""
_MAX_INTERVAL, _MAX_REUSE = 86400.0, 3600.0


def _words(value: str) -> str:
    if not value or not value.isprintable():
        raise ValueError(
            f"{shown(value)} is not printable text; write some, without control characters"
        )
    return value


def _pattern(value: str) -> str:
    from speaker.pattern import BodyPattern, PatternError

    try:
        BodyPattern(value)
    except PatternError as error:
        raise ValueError(
            f"{shown(value)} is not read as a regular expression: {error}; correct it"
        ) from error
    return value


def name(value: str) -> str:
    """Parse the name of a check, or of a rule.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", value):
        raise ValueError(f"{shown(value)} is not a valid name; write letters, digits and _ . : -")
    return value


_Status = Annotated[int, Field(ge=0, le=255)]
_Times = Annotated[int, Field(ge=1, le=1000)]


def _statuses(value: Any) -> tuple[tuple[int, int], ...]:
    """Parse a list of statuses: 200, "2xx", "200-399"."""
    if not isinstance(value, list) or not 1 <= len(value) <= 100:
        raise ValueError(
            f'{shown(value)} is not a list of statuses; write it like [200, "2xx", "300-399"]'
        )
    return tuple(_status(each) for each in value)


def _status(value: object) -> tuple[int, int]:
    if match := re.fullmatch(r"([1-5])xx", str(value)):
        first, last = int(match[1]) * 100, int(match[1]) * 100 + 99
    elif match := re.fullmatch(r"([0-9]{3})(?:-([0-9]{3}))?", str(value)):
        first, last = int(match[1]), int(match[2] or match[1])
    else:
        raise ValueError(f'{shown(value)} is not a status; write 200, "2xx" or "200-399"')
    if not 200 <= first <= last <= 599:
        raise ValueError(
            f"{shown(value)} is not a status from 200 to 599; write such, the lower first"
        )
    return first, last


def _scalar(value: object) -> object:
    if isinstance(value, str | int | float):
        return value
    raise ValueError(f"{shown(value)} can't be compared; write a string, a number, true or false")


class JsonTable(BaseModel):
    """`json` of a check."""

    model_config = STRICT

    path: Annotated[str, Field(min_length=1, max_length=500)]
    equals: Annotated[str | int | float | bool, BeforeValidator(_scalar)]


class CheckTable(BaseModel):
    """`[check.NAME]`: what is asked, and how often."""

    model_config = STRICT

    http: Annotated[str, AfterValidator(_words), Field(max_length=2000)] | None = None
    method: Literal["GET", "HEAD", "OPTIONS", "POST"] = "GET"
    headers: Annotated[dict[str, Annotated[str, AfterValidator(_words)]], Field(max_length=50)] = {}
    host: str | None = None
    status: Annotated[tuple[tuple[int, int], ...], PlainValidator(_statuses)] = ((200, 299),)
    body: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    regex: Annotated[str, AfterValidator(_pattern)] | None = None
    json_: JsonTable | None = Field(default=None, alias="json")
    ca: AbsolutePath | None = None
    certificate: AbsolutePath | None = None
    key: AbsolutePath | None = None
    reuse: Annotated[Duration, Field(ge=0, le=_MAX_REUSE)] = 0.0
    grpc: Annotated[str, AfterValidator(_words), Field(max_length=300)] | None = None
    service: Annotated[str, AfterValidator(_words), Field(max_length=300)] | None = None
    exec: list[str] | None = None
    user: str | None = None
    up: list[_Status] = [0]
    down: list[_Status] | Literal["others"] = [1]
    dns: str | None = None
    query: Annotated[str, Field(max_length=300)] | None = None
    answer: Annotated[list[Annotated[str, AfterValidator(_words)]], Field(max_length=100)] = []
    interval: Annotated[Duration, Field(ge=0.1, le=_MAX_INTERVAL)] = 1.0
    timeout: Annotated[Duration, Field(ge=0.01, le=60)] = 1.0
    rise: _Times = 1
    fall: _Times = 1
    on_timeout: Annotated[Health, Field(strict=False)] = Health.UNKNOWN
    realservers: Annotated[
        list[Annotated[Endpoint, by(units.endpoint)]], Field(max_length=1000)
    ] = []
    share_up: Annotated[
        float, BeforeValidator(units.share, json_schema_input_type=text(units.SHARE))
    ] = 1.0


def _rule(value: Any) -> Any:
    # slow to import, and of no use where no rule is
    from speaker.config.rule_text import rule

    return rule(value)


RuleText = Annotated[Any, PlainValidator(_rule)]  # pydantic can't look into a Rule
