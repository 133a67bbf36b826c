"""The driver for Quagga's and FRR's bgpd, through vtysh: one bulk read and one batched write."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from policy.plan import Announce, Drift
from speaker.backends import quagga_text as text
from speaker.backends.base import BackendError, Peer, Reading
from speaker.backends.vtysh import VtyshError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from policy.plan import Change
    from policy.route import Asn, Attributes, Prefix, Route
    from policy.topology import Profile
    from speaker.backends.quagga_text import RouteMap, Running, Session
    from speaker.backends.vtysh import Vtysh
    from speaker.settings import QuaggaSettings

READ = (
    "show running-config",
    "show bgp ipv4 unicast",
    "show bgp ipv6 unicast",
    "show bgp summary",
)
BATCH = 2000
# The configuration lock of a Quagga, and the 50 ms until a new path is the best, are waited for.
LOCK_TRIES = 20
LOCK_WAIT = 0.25
BEST_TRIES = 10
BEST_WAIT = 0.05


class QuaggaBackend:
    """bgpd, as one vtysh at a time sees it."""

    heal = 5.0  # a bgpd that restarts announces what its file has, drained or not

    def __init__(
        self, vtysh: Vtysh, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """Make a driver, which `configure` makes ready.

        Args:
            vtysh: runs commands.
            pause: waits for seconds.
        """
        self._vtysh = vtysh
        self._pause = pause
        self._running: Running | None = None
        self._sessions: Sequence[Session] = ()

    def configure(self, asn: Asn, settings: QuaggaSettings, profiles: Collection[Profile]) -> None:
        """Take the data centre's ASN and the profiles that its routes may have."""
        self._asn = asn
        names = settings.route_map
        self._maps_are_ours = isinstance(names, str)
        self._maps: dict[Attributes, RouteMap] = {}
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
            self._maps[attributes] = text.route_map(name, asn, attributes)

    async def apply(self, changes: Sequence[Change]) -> Mapping[Prefix, str]:
        """See `Backend.apply`."""
        failures: dict[Prefix, str] = {}
        for start in range(0, len(changes), BATCH):
            part = changes[start : start + BATCH]
            try:
                running = self._running or await self._read_running()
                failures |= self._unfit(part, running)
                fit = [change for change in part if change.prefix not in failures]
                await self._write(fit, running)
            except BackendError as error:
                failures |= {change.prefix: str(error) for change in part}
            self._running = None  # what it is now, the next reading tells
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
        return {
            change.prefix: reasons[change.route.attributes]
            for change in changes
            if isinstance(change, Announce) and change.route.attributes in reasons
        }

    async def _write(self, changes: Sequence[Change], running: Running) -> None:
        """Write one batch: the route-maps first, because a network line needs its own."""
        used = {c.route.attributes for c in changes if isinstance(c, Announce)}
        maps = [
            command
            for attributes, wanted in self._maps.items()
            if attributes in used and not running.has(wanted)
            for command in (wanted.commands() if wanted.name in running.maps else wanted.creation())
        ]
        names = {attributes: wanted.name for attributes, wanted in self._maps.items()}
        networks = text.render(changes, running, self._asn, names)
        if not networks:
            return
        commands = [networks[0], *maps, *networks[1:]]
        for _ in range(LOCK_TRIES):
            output = await self._vtysh(commands)
            refused = text.refusal(output.stdout)
            if text.LOCKED not in refused:
                break
            await self._pause(LOCK_WAIT)
        if refused or output.status:
            reason = refused or output.stderr.strip() or f"exit status {output.status}"
            raise VtyshError(
                f"bgpd: {reason}; the changes before it were made, see vip_mgmt status",
                commands,
                output,
            )

    async def read(self, prefixes: Collection[Prefix]) -> Reading:
        """See `Backend.read`. A path that was just added is waited for until it is the best."""
        for _ in range(BEST_TRIES):
            routes = await self._read_once(prefixes)
            if not any(seen == text.NOT_BEST for seen in routes.values()):
                break
            await self._pause(BEST_WAIT)
        mute = [session.address for session in self._sessions if session.needs_policy]
        if not mute:
            return Reading(routes)
        trouble = (
            f"FRR sends nothing to {', '.join(mute)}; it needs a policy for them, or: "
            "no bgp ebgp-requires-policy, then clear bgp * soft out"
        )
        if len(mute) == len(self._sessions):
            routes = {p: None if seen is None else Drift(trouble) for p, seen in routes.items()}
        return Reading(routes, trouble=trouble)

    async def _read_once(self, prefixes: Collection[Prefix]) -> dict[Prefix, Route | Drift | None]:
        lines = await self._show(READ)
        running = self._check(text.parse_running(lines))
        paths = text.parse_tables(lines)
        self._sessions = text.parse_summary(lines)
        self._running = running
        wrong = {wanted.name for wanted in self._maps.values() if not running.has(wanted)}
        return {
            prefix: Drift(f"route-map {running.networks[prefix]} is not as the policy wants it")
            if running.networks.get(prefix) in wrong
            else text.seen(prefix, running, paths, self._asn)
            for prefix in prefixes
        }

    async def _read_running(self) -> Running:
        return self._check(text.parse_running(await self._show(READ[:1])))

    async def _show(self, commands: Sequence[str]) -> list[str]:
        output = await self._vtysh(commands)
        lines = output.stdout.splitlines()
        faults = [line for line in lines if line.startswith("% ")]
        if output.status or faults:
            found = "; ".join(faults) or output.stderr.strip() or f"exit status {output.status}"
            raise VtyshError(f"bgpd: {', '.join(commands)}: {found}", commands, output)
        return lines

    def _check(self, running: Running) -> Running:
        """Refuse a bgpd that is not ours to write to: `router bgp N` would make a new instance."""
        if running.asns != [self._asn]:
            found = ", ".join(map(str, running.asns)) or "no router bgp"
            raise BackendError(
                f"bgpd: has {found}, and this data centre is AS {self._asn}; "
                "correct dc.….asn in vip.toml, or bgpd's configuration"
            )
        return running

    def peers(self) -> Sequence[Peer]:
        """See `Backend.peers`."""
        return [Peer(session.address, session.asn, session.up) for session in self._sessions]
