"""The driver for Quagga's and FRR's bgpd, through vtysh: one bulk read and one batched write."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from policy.plan import Announce, Drift
from speaker.backends.base import BackendError, Daemon, Peer, Reading
from speaker.backends.quagga.reader import Reader
from speaker.backends.quagga.route_map import RunningRouteMap, route_map
from speaker.backends.quagga.version import untested
from speaker.backends.quagga.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from policy.plan import Change
    from policy.route import Asn, Attributes, Prefix
    from policy.topology import Profile
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
        self._pause = pause
        self._running: Running | None = None
        self._seen: Running | None = None
        self._changed = False
        self._sessions: Sequence[SummarySession] = ()

    def configure(self, asn: Asn, settings: QuaggaSettings, profiles: Collection[Profile]) -> None:
        """Take the data centre's ASN and the profiles that its routes may have."""
        self._asn = asn
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
        self._reader.configure(asn, tuple(self._maps.values()))
        self._writer.configure(asn, self._maps)

    async def apply(self, changes: Sequence[Change]) -> Mapping[Prefix, str]:
        """See `Backend.apply`."""
        failures: dict[Prefix, str] = {}
        for start in range(0, len(changes), BATCH):
            part = changes[start : start + BATCH]
            try:
                running = self._running or await self._reader.running()
                failures |= self._unfit(part, running)
                fit = [change for change in part if change.prefix not in failures]
                failures |= await self._writer.write(fit, running)
            except BackendError as error:
                failures |= {change.prefix: str(error) for change in part}
            self._running = None  # what it is now, the next reading tells
        self._changed = True
        return failures

    def _unfit(self, changes: Sequence[Change], running: Running) -> dict[Prefix, str]:
        """Return the announcements for which there is no right route-map, and why."""
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
        return {
            change.prefix: reasons.get(change.route.attributes, unknown)
            for change in changes
            if isinstance(change, Announce)
            and (change.route.attributes in reasons or change.route.attributes not in self._maps)
        }

    async def read(self, prefixes: Collection[Prefix]) -> Reading:
        """See `Backend.read`. What was just changed is waited for, but not for long."""
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
        self._seen = self._running = seen.running
        self._sessions = seen.sessions
        mute = [session.address for session in seen.sessions if session.needs_policy]
        if not mute:
            return Reading(seen.routes, sent=sent)
        trouble = (
            f"FRR sends nothing to {', '.join(mute)}; it needs a policy for them, or: "
            "no bgp ebgp-requires-policy, then clear bgp * soft out"
        )
        routes = seen.routes
        if len(mute) == len(seen.sessions):
            routes = {p: None if found is None else Drift(trouble) for p, found in routes.items()}
        return Reading(routes, trouble=trouble, sent=sent)

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

    def daemon(self) -> Daemon | None:
        """See `Backend.daemon`. Quagga tells no version where it is read; `vip_mgmt check` asks it."""
        if self._seen is None:
            return None
        version = self._seen.version
        if version is None:
            return Daemon("Quagga")
        return Daemon(str(version), "" if version.is_tested else untested())

    def peers(self) -> Sequence[Peer]:
        """See `Backend.peers`."""
        return [
            Peer(session.address, session.asn, session.up, self._asn) for session in self._sessions
        ]
