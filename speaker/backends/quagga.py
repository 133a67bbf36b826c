"""The driver for Quagga's and FRR's bgpd, through vtysh: one bulk read and one batched write."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from policy.plan import Announce, Drift
from speaker.backends.base import BackendError, Peer, Reading
from speaker.backends.quagga_announced import PASSING, announced
from speaker.backends.quagga_commands import FAULTS, LOCKED, refusal, render
from speaker.backends.quagga_route_map import RouteMap, route_map
from speaker.backends.quagga_running_config import END, Running, is_whole, parse_running
from speaker.backends.quagga_summary import Session, parse_summary
from speaker.backends.quagga_table import answered, parse_tables
from speaker.backends.vtysh import VtyshError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from policy.plan import Change
    from policy.route import Asn, Attributes, Prefix, Route
    from policy.topology import Profile
    from speaker.backends.base import Daemon, SentTo
    from speaker.backends.vtysh import Vtysh
    from speaker.settings import QuaggaSettings

# The tables are the last, because theirs is the end that shows whether all in front of it is there.
READ = (
    "show running-config",
    "show ip bgp summary",  # Quagga 0.99 says nothing of IPv4 in the other one
    "show bgp summary",
    "show bgp ipv4 unicast",
    "show bgp ipv6 unicast",
)
TABLES = 2
NOT_WHOLE = "bgpd: its answer is not whole; it may just have ended"
BATCH = 10_000  # what one command line holds
# The configuration lock of a Quagga, and the 50 ms until a new path is the best, are waited for.
LOCK_TRIES = 20
LOCK_WAIT = 0.25
PASSING_TRIES = 20
PASSING_WAIT = 0.025


class RefusedError(VtyshError):
    """bgpd refused a command. Those before it in the batch were done."""


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
        self._changed = False
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
            self._maps[attributes] = route_map(name, asn, attributes)

    async def apply(self, changes: Sequence[Change]) -> Mapping[Prefix, str]:
        """See `Backend.apply`."""
        failures: dict[Prefix, str] = {}
        for start in range(0, len(changes), BATCH):
            part = changes[start : start + BATCH]
            try:
                running = self._running or await self._read_running()
                failures |= self._unfit(part, running)
                fit = [change for change in part if change.prefix not in failures]
                failures |= await self._write(fit, running)
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
        unknown = "no profile that bgpd was given route-maps for has its attributes"
        return {
            change.prefix: reasons.get(change.route.attributes, unknown)
            for change in changes
            if isinstance(change, Announce)
            and (change.route.attributes in reasons or change.route.attributes not in self._maps)
        }

    async def _write(self, changes: Sequence[Change], running: Running) -> dict[Prefix, str]:
        """Write one batch; return the changes that bgpd refuses, and why.

        It stops at the first command that it refuses. Halves of the batch are written then, so
        that nothing but the refused change is left out.
        """
        commands = self._commands(changes, running)
        if not commands:
            return {}
        try:
            await self._run(commands)
        except RefusedError as error:
            if len(changes) == 1:
                return {changes[0].prefix: str(error)}
            failures: dict[Prefix, str] = {}
            for half in (changes[: len(changes) // 2], changes[len(changes) // 2 :]):
                failures |= await self._write(half, await self._read_running())
            return failures
        return {}

    def _commands(self, changes: Sequence[Change], running: Running) -> list[str]:
        """Render one batch: the route-maps first, because a network line needs its own."""
        used = {change.route.attributes for change in changes if isinstance(change, Announce)}
        wanted = [map_ for attributes, map_ in self._maps.items() if attributes in used]
        wrong = [map_ for map_ in wanted if not running.has(map_)]
        maps = [
            command for map_ in wrong for command in map_.commands(running.maps.get(map_.name, ()))
        ]
        names = {attributes: map_.name for attributes, map_ in self._maps.items()}
        again = {map_.name for map_ in wrong}
        lines = render(changes, running, self._asn, names, again)
        return [*lines[:1], *maps, *lines[1:]]

    async def _run(self, commands: Sequence[str]) -> None:
        """Run one batch, when nobody else configures."""
        for _ in range(LOCK_TRIES):
            output = await self._vtysh(commands)
            refused = refusal(output.stdout)
            if LOCKED not in refused:
                break
            await self._pause(LOCK_WAIT)
        else:
            raise VtyshError(
                f"bgpd: {refused}; somebody sits in configure terminal: have them leave it",
                commands,
                output,
            )
        if refused or output.status:
            reason = refused or output.stderr.strip() or f"exit status {output.status}"
            raise RefusedError(f"bgpd: refused: {reason}", commands, output)

    async def read(self, prefixes: Collection[Prefix]) -> Reading:
        """See `Backend.read`. A path that was just added or removed is waited for."""
        tries = PASSING_TRIES if self._changed else 2
        self._changed = False
        for _ in range(tries):
            routes = await self._read_once(prefixes)
            if not any(seen in PASSING for seen in routes.values()):
                break
            await self._pause(PASSING_WAIT)
        sent = self._sent(routes)
        mute = [session.address for session in self._sessions if session.needs_policy]
        if not mute:
            return Reading(routes, sent=sent)
        trouble = (
            f"FRR sends nothing to {', '.join(mute)}; it needs a policy for them, or: "
            "no bgp ebgp-requires-policy, then clear bgp * soft out"
        )
        if len(mute) == len(self._sessions):
            routes = {p: None if seen is None else Drift(trouble) for p, seen in routes.items()}
        return Reading(routes, trouble=trouble, sent=sent)

    async def _read_once(self, prefixes: Collection[Prefix]) -> dict[Prefix, Route | Drift | None]:
        lines = await self._show(READ)
        running = self._running_of(lines)
        if not answered(lines, TABLES):
            raise BackendError(NOT_WHOLE)
        answers = lines[lines.index(END) :]
        paths = parse_tables(answers)
        self._sessions = parse_summary(answers)
        self._running = running
        wrong = {wanted.name for wanted in self._maps.values() if not running.has(wanted)}
        return {
            prefix: Drift(f"route-map {running.networks[prefix]} is not as the policy wants it")
            if running.networks.get(prefix) in wrong
            else announced(prefix, running, paths, self._asn)
            for prefix in prefixes
        }

    def _sent(self, routes: Mapping[Prefix, Route | Drift | None]) -> Mapping[Prefix, SentTo]:
        """Return who was sent each prefix: a session that is up is sent what bgpd announces."""
        sent = {session.address: session.sends for session in self._sessions}
        withdrawn = dict.fromkeys(sent, False)
        return {p: withdrawn if seen is None else sent for p, seen in routes.items()}

    async def until_sent(self, prefixes: Collection[Prefix]) -> None:
        """See `Backend.until_sent`. bgpd has to be asked, which `read` does."""

    async def _read_running(self) -> Running:
        return self._running_of(await self._show(READ[:1]))

    async def _show(self, commands: Sequence[str]) -> list[str]:
        output = await self._vtysh(commands)
        lines = output.stdout.splitlines()
        faults = [line for line in lines if line.startswith(FAULTS)]
        if output.status or faults:
            found = "; ".join(faults) or output.stderr.strip() or f"exit status {output.status}"
            raise VtyshError(f"bgpd: {', '.join(commands)}: {found}", commands, output)
        return lines

    def _running_of(self, lines: Sequence[str]) -> Running:
        """Refuse a bgpd that is not ours to write to: `router bgp N` would make a new instance."""
        if not is_whole(lines):
            raise BackendError(NOT_WHOLE)
        running = parse_running(lines[: lines.index(END)])
        if running.asns != [self._asn]:
            found = ", ".join(map(str, running.asns)) or "no router bgp"
            raise BackendError(
                f"bgpd: has {found}, and this data centre is AS {self._asn}; "
                "correct dc.….asn in vip.toml, or bgpd's configuration"
            )
        return running

    def daemon(self) -> Daemon | None:
        """See `Backend.daemon`. bgpd is not asked for its version."""
        return None

    def peers(self) -> Sequence[Peer]:
        """See `Backend.peers`."""
        return [
            Peer(session.address, session.asn, session.up, self._asn) for session in self._sessions
        ]
