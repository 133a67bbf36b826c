"""A prefix as status shows it where all is well, of which tests change what they are about."""

from __future__ import annotations

from speaker.api import PrefixStatus

ANNOUNCED = PrefixStatus(
    vip="vip-1.tld",
    prefix="192.0.2.1/32",
    announced=True,
    as_path=(64699,),
    rank=0,
    prepends=0,
    realservers=2,
    health="up",
    intent="auto",
    reason="up: 2 realservers",
    wanted=True,
    as_wanted=True,
)
