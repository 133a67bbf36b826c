"""The form of [dc.NAME] in vip.toml: a data centre, and what tells its routes from others'."""

from ipaddress import IPv4Address, IPv6Address
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from policy.route import Community
from speaker import units
from speaker.config.table import STRICT, by
from speaker.units import IpAddress

AnAddress = Annotated[IpAddress, BeforeValidator(units.address, json_schema_input_type=str)]
Weight = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class NextHopTable(BaseModel):
    """NEXT_HOP by family; `self` is None."""

    model_config = STRICT

    ipv4: Annotated[IPv4Address | None, by(units.next_hop_ipv4)] = None
    ipv6: Annotated[IPv6Address | None, by(units.next_hop_ipv6)] = None


class DcTable(BaseModel):
    """`[dc.NAME]`."""

    model_config = STRICT

    asn: Annotated[int, BeforeValidator(units.asn, json_schema_input_type=int | str)]
    weight: Weight = 1.0
    next_hop: NextHopTable | None = None
    mark: Annotated[Community | None, by(units.community)] = None
    next_hops: list[AnAddress] = []
    originators: list[Annotated[IPv4Address, by(units.ipv4)]] = []
