"""The form of [drain] in vip.toml, and of `drain` in a VIP, where only what is set counts."""

from typing import Annotated

from pydantic import BaseModel, Field

from policy.drain import GRACEFUL_SHUTDOWN, Then
from policy.route import Community
from speaker import units
from speaker.config.table import STRICT, Duration, by

_Span = Annotated[Duration, Field(le=86400 * 365)]


class DrainTable(BaseModel):
    """`[drain]`: how a VIP drains softly."""

    model_config = STRICT

    prepends: Annotated[int, by(units.more)] = 3
    communities: list[Annotated[Community, by(units.community)]] = [GRACEFUL_SHUTDOWN]
    settle: _Span = 30.0
    connections: Annotated[int, Field(ge=0, le=2**31)] = 0
    quiet: _Span = 5.0
    timeout: _Span = 900.0
    then: Annotated[Then, Field(strict=False)] = Then.WITHDRAW
    return_: _Span = Field(default=60.0, alias="return")
