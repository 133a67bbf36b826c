"""vip_mgmt -d NAME --soft: with --dry-run who would take over each address, whether they announce it, and what goes there; and how long it may take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from policy.failover import takeovers
from policy.wording import count as counted
from policy.wording import named, span
from speaker.cli.announced_by_machines import announced_by_machines, mates
from speaker.cli.announced_elsewhere import announced_elsewhere
from speaker.cli.connections import rate
from speaker.cli.messages import tell_operator
from speaker.cli.site_shown import asker
from speaker.errors import SpeakerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policy.connections import Counted
    from policy.failover import Takeover
    from policy.route import Prefix
    from speaker.api import Operations, Status
    from speaker.cli.arguments import Call
    from speaker.config.settings import Config
    from speaker.site_values import MachineState, SiteStatus

OVER = 2.0
"""Over how many seconds it is measured how many connections are made."""
NAMED = 3
"""How many prefixes a line names that is about many."""
NOTHING_TOLD = "by vip.toml alone: whether those data centres announce it, and have live realservers, is not known here"
BY_WITNESSES = (
    "announced by whom is as witnesses show it now: who announces an address has live realservers, or an order to announce it "
    "all the same; a router shows its best path alone, so what is not seen may be announced"
)
BY_MACHINES = "what machines announce is as they told it by etcd"


class AskedOthers(NamedTuple):
    """What can be asked of others, and which data centres drain.

    Attributes:
        witnesses: returns the whole state, with what witnesses show.
        machines: returns what the machines of the site tell of some prefixes; None where they do not know of one another.
        draining: the data centres that drain; with `alone` this machine does, and the others of its data centre do not.
        alone: whether it is so.
    """

    witnesses: Callable[[], Status]
    machines: Callable[[Sequence[str]], SiteStatus] | None = None
    draining: Sequence[str] = ()
    alone: bool = False


def asked_others(call: Call, config: Config, operations: Operations) -> AskedOthers:
    """Return who is asked where a call is rehearsed."""
    draining = [dc.name for dc in config.topology.dcs] if call.everywhere else ()
    machines = None if config.settings.site is None else asker(config)
    return AskedOthers(operations.status, machines, draining, call.here)


def rehearse(
    config: Config,
    prefixes: Sequence[str],
    elsewhere: AskedOthers,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Say who would take over, by the model, whether they announce it, as far as others tell, and what goes there, as far as IPVS tells.

    Args:
        config: the configuration.
        prefixes: what would drain.
        elsewhere: who is asked about the others.
        wait: lets some seconds pass.
    """
    if not prefixes:
        return
    wanted = {*prefixes}
    failing = elsewhere.draining or [config.settings.dc.name]
    moves = [m for m in takeovers(config.topology, failing) if str(m.prefix) in wanted]
    shown = _shown(moves, elsewhere.witnesses)
    told, here = _told(prefixes, elsewhere.machines)
    looks = [_counted(config)]
    if looks[0][0].of:
        wait(OVER)
        looks.append(_counted(config))
    for move in moves:
        states = told.get(str(move.prefix), ())
        others = [*mates(states, here)] if elsewhere.alone else []
        said = [
            f"stays here, at {named(others, NAMED)}" if others else _goes(move),
            shown.get(move, ""),
            announced_by_machines(states, move.after - {*failing}) if states and not others else "",
            load(move.prefix, looks[0], looks[-1]),
        ]
        tell_operator(f"{move.prefix}: {'; '.join(filter(None, said))}")
    for known, how in ((shown, BY_WITNESSES), (told, BY_MACHINES)):
        if known:
            tell_operator(how)
    if not (shown or told):
        tell_operator(NOTHING_TOLD)
    if unknown := looks[-1][0].unknown:
        tell_operator(f"connections: {unknown}")


def _goes(move: Takeover) -> str:
    to = " or ".join(sorted(move.after)) or "no data centre: nothing is left to take over"
    return f"{to} is preferred already" if move.before == move.after else f"would go to {to}"


def _shown(moves: Sequence[Takeover], ask: Callable[[], Status]) -> dict[Takeover, str]:
    """Return what witnesses show of those who would take over; nothing where there is no witness."""
    try:
        status = ask()
    except SpeakerError as error:
        tell_operator(f"what witnesses show is not known: {error}")
        return {}
    if not status.witnesses:
        return {}
    routes = {route.prefix: route for route in status.routes}
    told = ((move, routes.get(str(move.prefix))) for move in moves)
    return {
        move: announced_elsewhere(status, route, move.after - {status.dc})
        for move, route in told
        if route is not None
    }


def _told(
    prefixes: Sequence[str], ask: Callable[[Sequence[str]], SiteStatus] | None
) -> tuple[dict[str, Sequence[MachineState]], str]:
    """Return what the machines of the site tell of each prefix, and the name of this one; nothing where that is not known now."""
    if ask is None:
        return {}, ""
    try:
        site = ask(prefixes)
    except SpeakerError as error:
        tell_operator(f"what the machines of the site announce is not known: {error}")
        return {}, ""
    if not site.connected:
        why = site.trouble or "etcd does not answer"
        tell_operator(f"what the machines of the site announce is not known: {why}")
        return {}, ""
    return {each.prefix: each.states for each in site.prefixes}, f"{site.dc}/{site.machine}"


def foresee(
    config: Config, prefixes: Sequence[str], look: Callable[[Config], Counted] | None = None
) -> None:
    """Say of prefixes that drain which of them take the whole time: where connections are not known, nothing ends it sooner.

    Args:
        config: the configuration.
        prefixes: what drains.
        look: counts; None for this machine's IPVS.
    """
    counted = (look or _counted_once)(config)
    known = {str(prefix) for prefix in counted.of}
    longest: dict[float, list[str]] = {}
    for vip, address in config.topology:
        if (prefix := str(address.prefix)) in prefixes and prefix not in known:
            longest.setdefault(vip.drain.timeout, []).append(prefix)
    for timeout, which in longest.items():
        why = f" ({counted.unknown})" if counted.unknown else ""
        tell_operator(
            f"{named(which, NAMED)}: connections are not known{why}: the drain takes the whole "
            f"timeout, {span(timeout)}; vip_mgmt -d without --soft withdraws at once"
        )


def _counted_once(config: Config) -> Counted:
    import asyncio  # noqa: PLC0415 - slow, and of no use elsewhere

    from speaker.health.sources import connection_counter  # noqa: PLC0415 - slow

    counter = connection_counter(config.topology, config.settings.health)
    return asyncio.run(counter.count())


def _counted(config: Config) -> tuple[Counted, Counted]:
    """Return the connections that were made of each prefix, and the bytes that clients sent."""
    import asyncio  # noqa: PLC0415 - slow, and of no use elsewhere

    from speaker.health.ipvs.netlink import NetlinkReader  # noqa: PLC0415 - slow
    from speaker.health.sources import connection_counter  # noqa: PLC0415 - slow

    about = config.topology, config.settings.health
    sent = connection_counter(*about, NetlinkReader().read_received)

    async def both() -> tuple[Counted, Counted]:
        return await connection_counter(*about).count(), await sent.count()

    return asyncio.run(both())


def load(prefix: Prefix, before: tuple[Counted, Counted], now: tuple[Counted, Counted]) -> str:
    """Say how many connections a prefix has, how many are made and how much is sent, as far as that is told."""
    found = now[0].of.get(prefix)
    if found is None:
        return "its connections are not known"
    rates = (after.new_per_second(prefix, first) for first, after in zip(before, now, strict=True))
    new, sent = ("an unknown number of" if each is None else rate(each) for each in rates)
    sent += " bytes"
    active = counted(found.active, "active connection")
    return f"{active}; in a second {new} new ones, {sent} from clients"
