"""The form of [peer] and [peer_group] in vip.toml."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, PlainValidator

from policy.extended import ExtendedCommunity
from policy.peers import RuledNeighbor
from policy.route import MAX_MED, Community, LargeCommunity
from speaker import units
from speaker.config.table import STRICT, by
from speaker.printable import shown


def _neighbors(value: Any) -> tuple[RuledNeighbor, ...]:
    """Parse a list of addresses, or such a list for each data centre."""
    of_dc = value if isinstance(value, dict) else {"": value}
    lists = all(isinstance(each, list) for each in of_dc.values())
    if not lists or (isinstance(value, dict) and "" in value):
        raise ValueError(
            f"{shown(value)} is neither a list of addresses, nor such a list for each data centre; "
            'write ["192.0.2.1"], or { par1 = ["192.0.2.1"] }'
        )
    return tuple(RuledNeighbor(units.address(text), dc) for dc in of_dc for text in of_dc[dc])


def _no_dc(_value: object) -> None:
    raise ValueError('is of no use in a group; name its neighbors as { par1 = ["192.0.2.1"] }')


class PeerTable(BaseModel):
    """`[peer."ADDRESS"]`: what one neighbour gets otherwise than all."""

    model_config = STRICT

    announce: list[str] | None = None
    except_: list[str] = Field(default=[], alias="except")
    prepends: Annotated[int, by(units.more)] | None = None
    med: Annotated[int, Field(ge=0, le=MAX_MED)] | None = None
    local_preference: Annotated[int, Field(ge=0, le=MAX_MED)] | None = None
    communities: list[Annotated[Community, by(units.community)]] = []
    large_communities: list[Annotated[LargeCommunity, by(units.large_community)]] = []
    extended_communities: list[Annotated[ExtendedCommunity, by(ExtendedCommunity.parse)]] = []
    dc: str | None = None


class PeerGroupTable(PeerTable):
    """`[peer_group.NAME]`: the same for several neighbours."""

    neighbors: Annotated[
        Any, PlainValidator(_neighbors)
    ]  # pydantic can't look into a RuledNeighbor
    dc: Annotated[None, BeforeValidator(_no_dc)] = None
