"""The form of [api] and [report] in vip.toml."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field

from policy.sources import LONGEST
from speaker import units
from speaker.config.schema_checks import name
from speaker.config.settings_api import DEFAULT_TOKENS
from speaker.config.table import STRICT, AbsolutePath, Duration, by

MAX_NAME = 255
Name = Annotated[str, AfterValidator(name)]
_Names = Annotated[list[Name], Field(max_length=1000)]


def _certificate_name(value: str) -> str:
    """Return a name that a certificate may have: of a host, or a URI such as SPIFFE's."""
    if not 0 < len(value) <= MAX_NAME or not value.isprintable() or " " in value:
        raise ValueError(
            f"{value!r:.200} is not the name of a certificate; write it as it is there"
        )
    return value


class ReportTable(BaseModel):
    """`[report.NAME]`: how reports of that name are taken."""

    model_config = STRICT

    expired: Literal["unknown", "down"] = "unknown"
    max_ttl: Annotated[Duration, Field(ge=1.0, le=LONGEST)] = 3600.0
    drain: bool = False


class TokenTable(BaseModel):
    """`[api.tokens.NAME]`: what who has a token of that name may."""

    model_config = STRICT

    read: bool = False
    report: _Names = []
    drain: _Names = []
    certificate: Annotated[str, AfterValidator(_certificate_name)] | None = None
    group: Annotated[str, by(units.group)] | None = None


class ApiTable(BaseModel):
    """`[api]`."""

    model_config = STRICT

    listen: Annotated[list[str], Field(max_length=16)] = []
    certificate: AbsolutePath | None = None
    key: AbsolutePath | None = None
    client_ca: AbsolutePath | None = None
    group: Annotated[str, by(units.group)] | None = None
    tokens_file: AbsolutePath = DEFAULT_TOKENS
    tokens: Annotated[dict[Name, TokenTable], Field(max_length=1000)] = {}
