"""The driver for Quagga's and FRR's bgpd, through vtysh: one bulk read and one batched write."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from policy.plan import Announce, Drift, Withdraw
from speaker.backends.base import BackendError, Daemon, Peer, Reading
from speaker.backends.quagga.listener import Listener
from speaker.backends.quagga.outbound_plan import plan
from speaker.backends.quagga.outbound_writer import OutboundWriter
from speaker.backends.quagga.reader import Reader
from speaker.backends.quagga.route_map import RunningRouteMap, route_map
from speaker.backends.quagga.version import untested
from speaker.backends.quagga.wanted_outbounds import WantedOutbounds
from speaker.backends.quagga.writer import Writer
from speaker.supervision.steps import in_steps, in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from policy.plan import Change
    from policy.route import Asn, Attributes, Prefix
    from policy.topology import Profile
    from policy.wanted import WantedRoutes
    from policy.witness import Witness
    from speaker.backends.quagga.neighbors import NeighborObstacle
    from speaker.backends.quagga.reader import BgpdSeen
    from speaker.backends.quagga.running_config import Running
    from speaker.backends.quagga.summary import SummarySession
    from speaker.backends.quagga.vtysh import Vtysh
    from speaker.config.settings import QuaggaSettings

BATCH = 10_000  # what one command line holds
# The 50 ms until a new path is the best are waited for.
PASSING_TRIES = 20
PASSING_WAIT = 0.025
# A path that is the best is sent within milliseconds, or filtered for a session.
SENDING_TRIES = 4
SENDING_WAITS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
QUAGGAS_WAITS = (0.5,) * 5
"""FRR begins a second after a session came up; for Quagga's advertisement-interval of eBGP, 3 s."""


class QuaggaBackend:
    """bgpd, as one vtysh at a time sees it."""

    read_interval = 5.0  # a bgpd that restarts announces what its file has, drained or not

    def __init__(
        self, vtysh: Vtysh, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """Make a driver, which `configure` makes ready.

        Args:
            vtysh: runs commands.
            pause: waits for seconds.
        """
        self._reader = Reader(vtysh)
        self._writer = Writer(vtysh, self._reader.running, pause)
        self._outbound = OutboundWriter(self._writer.run, self._reader.neighbors, BATCH)
        self._pause = pause
        self._listener = Listener(self._reader.ask)
        self._fresh: BgpdSeen | None = None
        self._seen: Running | None = None
        self._changed = False
        self._sessions: Sequence[SummarySession] = ()
        self._reasons: Mapping[str, str] = {}
        self._is_read = False

    def configure(
        self,
        asn: Asn,
        settings: QuaggaSettings,
        profiles: Collection[Profile],
        wanted: WantedRoutes | None = None,
    ) -> None:
        """Take a configuration.

        Args:
            asn: the data centre's.
            settings: those of this backend. Without `outbound`, nothing is changed at neighbours.
            profiles: those that routes may have.
            wanted: the routes of the data centre, and what single neighbours get of them; None where all
                get the same.
        """
        self._asn = asn
        has_rules = wanted is not None and bool(wanted.policies)
        self._wanted = WantedOutbounds(asn, wanted, is_observed=has_rules and not settings.outbound)
        self._listener.listen_for(() if wanted is None else wanted.prefixes)
        self._fresh = None
        names = settings.route_map
        self._maps_are_ours = isinstance(names, str)
        self._maps: dict[Attributes, RunningRouteMap] = {}
        self._unnamed: dict[Attributes, str] = {}
        for profile in profiles:
            attributes = profile.attributes(asn)
            if isinstance(names, str):
                name = names.format(profile=profile.name)
            elif profile.name in names:
                name = names[profile.name]
            else:
                self._unnamed[attributes] = profile.name
                continue
            self._maps[attributes] = route_map(name, asn, attributes)
        self._reader.configure(asn, tuple(self._maps.values()), self._wanted)
        self._writer.configure(asn, self._maps)

    async def apply(self, changes: Sequence[Change]) -> Mapping[Prefix, str]:
        """See `Backend.apply`."""
        withdrawals = [change for change in changes if isinstance(change, Withdraw)]
        announcements = [change for change in changes if isinstance(change, Announce)]
        failures: dict[Prefix, str] = {}
        if (announcements or not changes) and await self._has_neighbors_to_do():
            failures = await self._write(withdrawals)
            await self._settle_neighbors()
            withdrawals = []
        failures |= await self._write([*withdrawals, *announcements])
        self._changed = True
        return failures

    async def _has_neighbors_to_do(self) -> bool:
        """Look whether neighbours lack anything, in this turn: somebody may have changed them since a reading."""
        if self._wanted.policies:
            self._fresh = None
        with suppress(BackendError):  # what is asked for next says so
            return bool(plan((await self._look()).neighbors))
        return False

    async def _look(self) -> BgpdSeen:
        if self._fresh is None:
            self._fresh = await self._reader.look(())
        return self._fresh

    async def _settle_neighbors(self) -> None:
        with suppress(BackendError):  # what is announced next is looked at by itself
            neighbors = (await self._look()).neighbors
            self._fresh = None
            await self._outbound.settle(neighbors, self._asn)

    async def _write(self, changes: Sequence[Change]) -> dict[Prefix, str]:
        """Write network lines; return the changes that failed, and why."""
        failures: dict[Prefix, str] = {}
        for start in range(0, len(changes), BATCH):
            part = changes[start : start + BATCH]
            try:
                seen = await self._look()
                failures |= await in_thread(len(part), self._unfit, part, seen)
                fit = [change for change in part if change.prefix not in failures]
                failures |= await self._writer.write(fit, seen.running)
            except BackendError as error:
                failures |= {change.prefix: str(error) for change in part}
            self._fresh = None  # what it is now, the next reading tells
        return failures

    def _unfit(self, changes: Sequence[Change], seen: BgpdSeen) -> dict[Prefix, str]:
        """Return the announcements for which there is no right route-map, and why."""
        running = seen.running
        unsafe = {
            change.prefix: why
            for change in changes
            if isinstance(change, Announce)
            and change.route.overrides
            and (why := seen.neighbors.unsafe(change.prefix))
        }
        reasons: dict[Attributes, str] = {
            attributes: f"profile {name}: backend.quagga.route_map does not name a route-map for it"
            for attributes, name in self._unnamed.items()
        }
        if not self._maps_are_ours:
            for attributes, wanted in self._maps.items():
                if not running.has(wanted):
                    found = running.maps.get(wanted.name)
                    reasons[attributes] = (
                        f"route-map {wanted.name}: "
                        + (
                            f"has {found}"
                            if found
                            else "does not exist, so bgpd would not announce"
                        )
                        + f"; the profile wants one clause, permit 10, with {list(wanted.sets)}"
                    )
        unknown = "no profile with a route-map has its attributes"
        return unsafe | {
            change.prefix: reasons.get(change.route.attributes, unknown)
            for change in changes
            if isinstance(change, Announce)
            and (change.route.attributes in reasons or change.route.attributes not in self._maps)
        }

    async def read(self, prefixes: Collection[Prefix]) -> Reading:
        """See `Backend.read`."""
        try:
            reading = await self._read(prefixes)
        except BackendError:
            self._is_read = False
            self._listener.unread()
            raise
        self._is_read = True
        return reading

    async def _read(self, prefixes: Collection[Prefix]) -> Reading:
        """Read. What was just changed is waited for, but not for long."""
        changed, self._changed = self._changed, False
        for _ in range(PASSING_TRIES if changed else 2):
            seen = await self._reader.look(prefixes)
            if not seen.passing:
                break
            await self._pause(PASSING_WAIT)
        sent = await self._reader.sent(seen)
        for _ in range(SENDING_TRIES if changed else 0):
            if not seen.sending(sent):
                break
            await self._pause(PASSING_WAIT)
            sent = await self._reader.sent(seen)
        self._seen, self._fresh = seen.running, seen
        self._sessions, self._reasons = seen.sessions, await self._reader.reasons(seen.sessions)
        await self._listener.listen(seen.sessions, seen.answers, self._asn)
        neighbors = seen.neighbors
        routes = dict(
            await in_steps(
                (p, neighbors.observed(found, sent.get(p, {}))) for p, found in seen.routes.items()
            )
        )
        mute = [session.address for session in seen.sessions if session.needs_policy]
        silent = (
            f"FRR sends nothing to {', '.join(mute)}; it needs a policy for them, or: "
            "no bgp ebgp-requires-policy, then clear bgp * soft out"
        )
        if mute and len(mute) == len(seen.sessions):
            routes = {p: None if found is None else Drift(silent) for p, found in routes.items()}
        is_untidy = bool(plan(neighbors))
        refused = self._outbound.refused if is_untidy else ""
        trouble = "; ".join(filter(None, (silent if mute else "", neighbors.trouble, refused)))
        return Reading(routes, trouble=trouble, sent=sent, is_untidy=is_untidy)

    async def until_sent(self, prefixes: Collection[Prefix]) -> None:
        """See `Backend.until_sent`. Quagga's advertisement-interval is 3 s for eBGP, unless set."""
        waited = 0
        with suppress(BackendError):  # `read` will say so
            while True:
                seen = await self._reader.look(prefixes)
                waits = SENDING_WAITS if seen.running.frr else SENDING_WAITS + QUAGGAS_WAITS
                if waited == len(waits) or not seen.sending(await self._reader.sent(seen)):
                    return
                await self._pause(waits[waited])
                waited += 1

    @property
    def owes_end_of_rib(self) -> bool:
        """See `Backend.owes_end_of_rib`. bgpd sends it by itself."""
        return False

    async def end_of_rib(self) -> None:
        """See `Backend.end_of_rib`. bgpd sends it by itself."""

    async def obstacles(self) -> Mapping[str, NeighborObstacle]:
        """Return the neighbours that can't be given what vip.toml says, and why.

        Raises:
            BackendError: bgpd can't be read.
        """
        return (await self._reader.neighbors()).obstacles

    def heard(self) -> Sequence[Witness]:
        """See `Backend.heard`."""
        return self._listener.heard()

    def daemon(self) -> Daemon | None:
        """See `Backend.daemon`. Quagga tells no version where it is read; `vip_mgmt check` asks it."""
        if self._seen is None:
            return None
        version = self._seen.version
        if version is None:
            return Daemon("Quagga")
        return Daemon(str(version), "" if version.is_tested else untested())

    def peers(self) -> Sequence[Peer]:
        """See `Backend.peers`. Where bgpd could not be read last, it is not known which sessions are up."""
        return [
            Peer(
                each.address,
                each.asn,
                each.up if self._is_read else None,
                self._asn,
                reason="" if each.up else self._reasons.get(each.address, ""),
            )
            for each in self._sessions
        ]
