"""The form of [site] in vip.toml."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from speaker.config.settings_site import DEFAULT_PREFIX, PATIENCE, START_WAIT, TTL
from speaker.config.table import STRICT, AbsolutePath, Duration
from speaker.printable import shown
from speaker.site_words import TIMEOUT

MAX_PREFIX, MAX_USER = 128, 255
_ENDPOINTS = 16


def _prefix(value: str) -> str:
    if len(value) > MAX_PREFIX or not re.fullmatch(r"[!-~]*/", value):
        raise ValueError(
            f"{shown(value)} is not the beginning of keys: {MAX_PREFIX} printable characters at most, no blanks, / last; "
            f'write it like "{DEFAULT_PREFIX}"'
        )
    return value


def _user(value: str) -> str:
    if not 0 < len(value) <= MAX_USER or not value.isprintable():
        raise ValueError(f"{shown(value)} is not a user of etcd; write it as it is there")
    return value


def machine_name(value: str) -> str:
    """Parse the name of a machine.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", value):
        raise ValueError(
            f"{shown(value)} is not the name of a machine; write letters, digits and _ . : -"
        )
    return value


class SiteTable(BaseModel):
    """`[site]`."""

    model_config = STRICT

    etcd: Annotated[list[str], Field(min_length=1, max_length=_ENDPOINTS)]
    prefix: Annotated[str, AfterValidator(_prefix)] = DEFAULT_PREFIX
    ca: AbsolutePath | None = None
    cert: AbsolutePath | None = None
    key: AbsolutePath | None = None
    user: Annotated[str, AfterValidator(_user)] | None = None
    password_file: AbsolutePath | None = None
    machine: Annotated[str, AfterValidator(machine_name)] | None = None
    patience: Annotated[Duration, Field(ge=0.0, le=10.0)] = PATIENCE
    ttl: Annotated[Duration, Field(ge=2.0, le=600.0)] = TTL
    timeout: Annotated[Duration, Field(ge=0.1, le=3600.0)] = TIMEOUT
    start_wait: Annotated[Duration, Field(ge=0.0, le=3600.0)] = START_WAIT
