"""Reads bgpd through vtysh: what it has of our prefixes, its sessions, and who was sent what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.plan import Drift
from policy.route import Route
from speaker.backends.base import BackendError
from speaker.backends.quagga import last_reset
from speaker.backends.quagga import peer_texts as texts
from speaker.backends.quagga import sent as quagga_sent
from speaker.backends.quagga.announced import PASSING, announced
from speaker.backends.quagga.commands import FAULTS
from speaker.backends.quagga.neighbors import Neighbors
from speaker.backends.quagga.running_config import END, Running, is_whole, parse_running
from speaker.backends.quagga.summary import SummarySession, parse_summary
from speaker.backends.quagga.table import answered, parse_tables
from speaker.backends.quagga.vtysh import NotRunningError, VtyshError
from speaker.supervision.steps import in_thread

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from policy.route import Asn, Prefix
    from speaker.backends.base import SentTo
    from speaker.backends.quagga.route_map import RunningRouteMap
    from speaker.backends.quagga.table import TablePath
    from speaker.backends.quagga.vtysh import Vtysh
    from speaker.backends.quagga.wanted_outbounds import WantedOutbounds

# The tables are the last, because theirs is the end that shows whether all in front of it is there.
READ = (
    "show running-config",
    "show ip bgp summary",  # Quagga 0.99 says nothing of IPv4 in the other one
    "show bgp summary",
    "show bgp ipv4 unicast",
    "show bgp ipv6 unicast",
)
TABLES = 2
NOT_WHOLE = "bgpd: its answer is incomplete; it may just have ended"


@dataclass(frozen=True, slots=True)
class BgpdSeen:
    """What one look showed. `answers` are the lines behind running-config, `paths` our own in them.

    `neighbors` are those that are to have something else than all, and what they have.
    """

    running: Running
    sessions: Sequence[SummarySession]
    answers: Sequence[str]
    paths: Mapping[Prefix, TablePath]
    routes: Mapping[Prefix, Route | Drift | None]
    neighbors: Neighbors

    @property
    def passing(self) -> bool:
        """Whether a path is being added or removed."""
        return any(found in PASSING for found in self.routes.values())

    def sending(self, sent: Mapping[Prefix, SentTo]) -> bool:
        """Tell whether a session that is up may still have an UPDATE before it."""
        up = {session.address for session in self.sessions if session.up}
        known: dict[tuple[int, bool, int], bool] = {}

        def due(to: SentTo, found: Route | Drift | None) -> bool:
            overrides = found.overrides if isinstance(found, Route) else ()
            key = (id(to), found is not None, id(overrides))  # routes share both
            if key not in known:
                kept = {str(who) for who, what in overrides if what is None}
                known[key] = any(
                    to[name] is not (found is not None and name not in kept)
                    for name in up & to.keys()
                )
            return known[key]

        return any(due(sent[prefix], found) for prefix, found in self.routes.items())


class Reader:
    """What asks bgpd. It remembers nothing but whether texts of peers are shown, so that looks may overlap."""

    def __init__(self, vtysh: Vtysh) -> None:
        """Make a reader, which `configure` makes ready."""
        self._vtysh = vtysh
        self._texts_are_shown: bool | None = None

    def configure(
        self, asn: Asn, maps: Collection[RunningRouteMap], wanted: WantedOutbounds
    ) -> None:
        """Take the data centre's ASN, the route-maps that its profiles want, and what neighbours are to have."""
        self._asn, self._maps, self._wanted = asn, maps, wanted

    async def running(self) -> Running:
        """Return running-config."""
        return self._running_of(await self._show(READ[:1]))

    async def look(self, prefixes: Collection[Prefix]) -> BgpdSeen:
        """Return what bgpd has of prefixes.

        Raises:
            BackendError: it can't be read, or is not ours.
        """
        lines = await self._show(READ)
        return await in_thread(len(lines), self._seen, lines, prefixes, self._maps, self._wanted)

    def _seen(
        self,
        lines: list[str],
        prefixes: Collection[Prefix],
        maps: Collection[RunningRouteMap],
        wanted: WantedOutbounds,
    ) -> BgpdSeen:
        """Return what the answers to a look say of prefixes. It changes nothing."""
        running = self._running_of(lines)
        if not answered(lines, TABLES):
            raise BackendError(NOT_WHOLE)
        answers = lines[lines.index(END) :]
        paths = parse_tables(answers)
        sessions = parse_summary(answers)
        neighbors = Neighbors(wanted, running, sessions, paths)
        wrong = {each.name for each in maps if not running.has(each)}
        routes = {
            prefix: Drift(f"route-map {running.networks[prefix]} is not as the policy wants it")
            if running.networks.get(prefix) in wrong
            else neighbors.judged(announced(prefix, running, paths, self._asn))
            for prefix in prefixes
        }
        return BgpdSeen(running, sessions, answers, paths, routes, neighbors)

    async def neighbors(self) -> Neighbors:
        """Return what bgpd's neighbours have now."""
        return (await self.look(())).neighbors

    async def sent(self, seen: BgpdSeen) -> Mapping[Prefix, SentTo]:
        """Ask who was sent the prefixes of a look. What a bgpd does not tell is not known.

        Raises:
            BackendError: bgpd has ended meanwhile.
        """
        about = quagga_sent.asked(seen.sessions)
        try:
            lines = await self._show(quagga_sent.questions(about)) if about else []
        except NotRunningError:
            raise
        except BackendError:
            lines = []
        return await in_thread(len(lines), self._sent, about, lines, seen)

    def _sent(
        self, about: Sequence[quagga_sent.Asked], lines: Sequence[str], seen: BgpdSeen
    ) -> Mapping[Prefix, SentTo]:
        """Return who was sent the prefixes of a look by the answers to questions. It changes nothing."""
        answers = quagga_sent.answers(about, lines)
        if answers is None:
            return quagga_sent.sent(seen.routes, seen.sessions, None)
        own = {prefix for prefix, path in seen.paths.items() if path.best}
        ours = quagga_sent.SentAnnouncements(self._asn, own, seen.answers)
        found = {each: frozenset(ours.of(part)) for each, part in answers.items()}
        return quagga_sent.sent(seen.routes, seen.sessions, found)

    async def ask(self, commands: Sequence[str]) -> Sequence[str]:
        """Return the lines of the answers to some questions.

        Raises:
            BackendError: bgpd does not answer them.
        """
        return await self._show(commands)

    async def reasons(self, sessions: Sequence[SummarySession]) -> Mapping[str, str]:
        """Ask why sessions that are down are so. What a bgpd does not tell is left out."""
        names = last_reset.down(sessions)
        try:
            return last_reset.reasons(
                await self._show(last_reset.questions(names)) if names else ()
            )
        except BackendError:
            return {}

    async def _show(self, commands: Sequence[str]) -> list[str]:
        before, is_look = self._texts_are_shown, commands[0] == READ[0]
        try:
            lines = await self._lines(commands, guarded=before is not False)
        except NotRunningError:
            raise
        except BackendError:
            if is_look:  # it may be a bgpd that does not know the question
                self._texts_are_shown = False
                if before is None:
                    return await self._show(commands)
            raise
        if is_look and is_whole(lines):
            self._texts_are_shown = texts.are_shown(lines[: lines.index(END)])
            if self._texts_are_shown and before is False:
                return await self._show(commands)
        faults = [line for line in lines if line.startswith(FAULTS)]
        if faults:
            raise VtyshError(f"bgpd: {', '.join(commands)}: {'; '.join(faults)}", commands)
        return lines

    async def _lines(self, commands: Sequence[str], *, guarded: bool) -> list[str]:
        """Return what bgpd says, where it may be more than that without what peers wrote."""
        output = await self._vtysh(texts.around(commands) if guarded else commands)
        if output.status:
            faults = [line for line in output.stdout.splitlines() if line.startswith(FAULTS)]
            found = "; ".join(faults) or output.stderr.strip() or f"exit status {output.status}"
            raise VtyshError(f"bgpd: {', '.join(commands)}: {found}", commands, output)
        said = texts.without(output.stdout) if guarded else output.stdout
        return said.removesuffix("\n").split("\n")  # what else may part lines, a peer may have sent

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
