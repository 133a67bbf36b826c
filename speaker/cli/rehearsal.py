"""vip_mgmt -d NAME --soft --dry-run: who would take over each address, and what goes there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from policy.failover import takeovers
from speaker.cli.connections import rate
from speaker.cli.messages import tell_operator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policy.connections import Counted
    from policy.route import Prefix
    from speaker.api import PrefixStatus
    from speaker.config.settings import Config

OVER = 2.0
"""Over how many seconds it is measured how many connections are made."""
NO_WITNESS = "by vip.toml alone: whether those data centres announce it, and have live realservers, is not known here"


def rehearse(
    config: Config, routes: Sequence[PrefixStatus], wait: Callable[[float], None] = time.sleep
) -> None:
    """Say who would take over, by the model, and what goes there, as far as IPVS tells.

    Args:
        config: the configuration.
        routes: what would drain.
        wait: lets some seconds pass.
    """
    if not routes:
        return
    wanted = {route.prefix for route in routes}
    moves = [
        m for m in takeovers(config.topology, [config.settings.dc.name]) if str(m.prefix) in wanted
    ]
    before, now = _counted(config, wait)
    for move in moves:
        to = " or ".join(sorted(move.after)) or "no data centre: nothing is left to take over"
        tell_operator(f"{move.prefix}: would go to {to}; {_load(move.prefix, before, now)}")
    tell_operator(NO_WITNESS)
    if now.unknown:
        tell_operator(f"connections: {now.unknown}")


def _counted(config: Config, wait: Callable[[float], None]) -> tuple[Counted, Counted]:
    """Return two counts, some time apart."""
    import asyncio  # noqa: PLC0415 - slow, and of no use elsewhere

    from speaker.health.sources import connection_counter  # noqa: PLC0415 - slow

    counter = connection_counter(config.topology, config.settings.health)
    before = asyncio.run(counter.count())
    if not before.of:
        return before, before
    wait(OVER)
    return before, asyncio.run(counter.count())


def _load(prefix: Prefix, before: Counted, now: Counted) -> str:
    """Say how many connections a prefix has, and how many are made, as far as that is told."""
    found = now.of.get(prefix)
    if found is None:
        return "its connections are not known"
    new = now.new_per_second(prefix, before)
    more = "not known how many" if new is None else rate(new)
    return f"{found.active} active connections, {more} new per second"
