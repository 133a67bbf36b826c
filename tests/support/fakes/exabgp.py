"""A fake ExaBGP of 4.2 or 5.0: what it does with lines, what its peers have, and what may go wrong.

It keeps to what was measured, and knows nothing of the driver: it parses lines by itself.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum, auto
from ipaddress import ip_network
from typing import TYPE_CHECKING, Literal

from tests.support.fakes import exabgp_extended
from tests.support.fakes.exabgp_shown import ROUTER_ID, Shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from policy.route import Prefix
    from speaker.backends.exabgp.neighbors import ConfiguredNeighbor

Dialect = Literal[4, 5]
DIALECTS: tuple[Dialect, ...] = (4, 5)

# ExaBGP finds its commands by substring: these anywhere in a line are heeded, whatever else it says.
LIVE_WORDS = ("shutdown", "restart", "reload", "reset", "crash", "help", "version", "#")
HEADER = "Peer            AS        up/down state       |     #sent     #recvd"
PROCESS = "speaker"
"""The name of the helper, as neighbours list it."""
QUESTIONS = ("version", "show neighbor nobody summary", "show neighbor nobody extensive")
_NAMES = {
    "65535:65281": "no-export",
    "65535:65282": "no-advertise",
    "65535:65283": "no-export-subconfed",
    "65535:65284": "no-peer",
    "65535:666": "blackhole",
}


@dataclass(frozen=True, slots=True)
class Given:
    """The attributes that a line gave a route: None or nothing where it gave none."""

    next_hop: str
    as_path: tuple[int, ...] | None = None
    origin: str | None = None
    med: int | None = None
    communities: tuple[str, ...] = ()
    large_communities: tuple[str, ...] = ()
    local_preference: int | None = None
    extended_communities: tuple[str, ...] = ()
    """In hexadecimal, as they are given."""


@dataclass(frozen=True, slots=True)
class Received:
    """A route as a peer has it."""

    as_path: tuple[int, ...]
    next_hop: str
    origin: str
    med: int | None
    communities: frozenset[str]
    large_communities: frozenset[str]
    local_preference: int | None = None
    """None on eBGP."""
    extended_communities: frozenset[str] = frozenset()
    """As `rt:64500:1`."""


class RefusedLineError(Exception):
    """A line that is answered `error`."""


class NoReplyError(Exception):
    """A line that 4.2 never answers."""


@dataclass
class Session:
    """One neighbour: what was asked for it, what was not sent yet, and what the peer has.

    What waits is sent withdrawals first, then by attributes, those first that were first asked
    for: a prefix that changed twice meanwhile may arrive in an earlier shape. 4.2 takes what is
    withdrawn out of what waits in its last shape, 5.0 not at all: the peer gets a phantom.
    """

    neighbor: ConfiguredNeighbor
    dialect: Dialect
    up: bool = False
    since: float = 0.0
    heard: frozenset[str] | None = None
    """The processes whose lines it takes, where they are not yet those of its configuration."""
    busy: bool = False
    rib: dict[Prefix, Given] = field(default_factory=dict)
    waiting: dict[Given, dict[Prefix, None]] = field(default_factory=dict)
    gone: set[Prefix] = field(default_factory=set)
    again: bool = False
    ending: list[str] = field(default_factory=list)
    """The families whose End-of-RIB waits, behind all else that does."""
    ends: list[tuple[str, frozenset[Prefix]]] = field(default_factory=list)
    """Each End-of-RIB that was sent: its family, and what the peer had been sent by then."""
    table: dict[Prefix, Received] = field(default_factory=dict)
    hear: Callable[[Session, dict[str, object]], None] = lambda *_: None
    """Takes each message that comes, in ExaBGP's JSON, where the helper hears it."""
    tell: Callable[[Session, dict[str, object]], None] = lambda *_: None
    """Takes each UPDATE that is sent, in ExaBGP's JSON, where the helper is told of it."""

    brings: dict[Prefix, dict[str, object]] = field(default_factory=dict)
    """What the peer announces: the attributes of each prefix, in ExaBGP's JSON."""
    refreshable: bool = False
    """Whether the peer can be asked to send all of it again."""
    refused: frozenset[int] = frozenset()
    """The families that the peer does not negotiate: what is held of them is not sent."""

    def bring(self, prefix: Prefix, attributes: dict[str, object] | None) -> None:
        """Have the peer announce a prefix with attributes, or withdraw it."""
        if attributes is None:
            self.brings.pop(prefix, None)
            self.hear(self, {"update": {"withdraw": {_family(prefix): [{"nlri": str(prefix)}]}}})
            return
        self.brings[prefix] = attributes
        routes = {str(self.neighbor.address): [{"nlri": str(prefix)}]}
        update = {"attribute": attributes, "announce": {_family(prefix): routes}}
        self.hear(self, {"update": update})

    def bring_all(self, family: str = "") -> None:
        """Have the peer send all that it announces, of one family or of all."""
        for prefix, attributes in {**self.brings}.items():
            if family in {"", _family(prefix)}:
                self.bring(prefix, attributes)

    @property
    def processes(self) -> frozenset[str]:
        """The processes whose lines it takes."""
        return self.neighbor.processes if self.heard is None else self.heard

    def reload(self, neighbor: ConfiguredNeighbor) -> None:
        """Take the same neighbour with other processes. 4.2 shows them, and goes by them from its next session."""
        if self.dialect == 4 and self.up:
            self.heard = self.processes
        self.neighbor = neighbor

    def announce(self, prefix: Prefix, given: Given) -> None:
        if self.rib.get(prefix) == given:
            return  # it is in the cache: done, and not sent
        self.rib[prefix] = given
        self.waiting.setdefault(given, {})[prefix] = None
        self.send()

    def withdraw(self, prefix: Prefix) -> None:
        given = self.rib.pop(prefix, None)
        if self.dialect == 4 and given is not None:
            self.waiting.get(given, {}).pop(prefix, None)
        self.gone.add(prefix)
        self.send()

    def flush(self) -> None:
        self.again = True
        self.send()

    def send(self) -> None:
        """Send what waits, if that is possible."""
        if not self.up or self.busy:
            return
        self._tell_withdrawn()
        for prefix in self.gone:
            self.table.pop(prefix, None)
        routes = [(p, given) for given, prefixes in self.waiting.items() for p in prefixes]
        for prefix, given in (*routes, *(self.rib.items() if self.again else ())):
            if prefix.version in self.refused:
                continue
            self.table[prefix] = self.received(given)
            self._tell_announced(prefix, given)
        self.waiting.clear()
        self.gone.clear()
        self.again = False
        self.ends += [(family, frozenset(self.table)) for family in self.ending]
        self.ending.clear()

    def _tell_withdrawn(self) -> None:
        for version in (4, 6):
            gone = [{"nlri": str(p)} for p in self.gone if p.version == version]
            if gone and version not in self.refused:
                self.tell(self, {"withdraw": {f"ipv{version} unicast": gone}})

    def _tell_announced(self, prefix: Prefix, given: Given) -> None:
        routes = {self.received(given).next_hop: [{"nlri": str(prefix)}]}
        self.tell(
            self,
            {"attribute": {"origin": "igp"}, "announce": {f"ipv{prefix.version} unicast": routes}},
        )

    def establish(self) -> None:
        """Come up: all of the cache is to be sent, before what waits."""
        self.up = self.busy = True
        self.heard = None
        late, self.waiting = self.waiting, {}
        for prefix, given in self.rib.items():
            self.waiting.setdefault(given, {})[prefix] = None
        for given, prefixes in late.items():
            self.waiting.setdefault(given, {})
            self.waiting[given] = {**self.waiting.pop(given), **prefixes}

    def drop(self) -> None:
        """Go down: the peer forgets all routes."""
        self.up = self.busy = False
        self.waiting.clear()
        self.gone.clear()
        self.table = {}

    def received(self, given: Given) -> Received:
        near = self.neighbor
        inside = near.local_as == near.peer_as
        usual = () if inside else (int(near.local_as),)
        preference = 100 if given.local_preference is None else given.local_preference
        hop = str(near.local_address) if given.next_hop == "self" else given.next_hop
        return Received(
            usual if given.as_path is None else given.as_path,
            hop,
            given.origin or "igp",
            given.med,
            frozenset(given.communities),
            frozenset(given.large_communities),
            preference if inside else None,
            frozenset(map(exabgp_extended.received, given.extended_communities)),
        )


class Daemon:
    """ExaBGP without its pipes: lines in, answers out."""

    def __init__(
        self,
        neighbors: Iterable[ConfiguredNeighbor],
        dialect: Dialect,
        static: Mapping[Prefix, Given] | None = None,
    ) -> None:
        """Start with all sessions down.

        A session is called by its peer's address, and by both ends where several go to one peer.

        Args:
            neighbors: those of its configuration.
            dialect: 4 for 4.2, 5 for 5.0.
            static: routes of its configuration, for each neighbour that has their family.
        """
        self.dialect: Dialect = dialect
        self.clock: Callable[[], float] = float
        self.version = "5.0.15" if dialect == 5 else "4.2.25"
        self.api = "5.0.0" if dialect == 5 else "4.0.1"
        self.refuses = False
        """Whether it answers `error` to everything, as ExaBGP 6 does to what it does not know."""
        self.refused = ""
        """A text: each line of a change that has it is answered `error`."""
        self.log: list[str] = []
        neighbors = [*neighbors]
        peers = [neighbor.address for neighbor in neighbors]
        self.sessions = {
            str(n.address)
            if peers.count(n.address) == 1
            else f"{n.address} from {n.local_address}": Session(n, dialect)
            for n in neighbors
        }
        for session in self.sessions.values():
            for prefix, given in (static or {}).items():
                if prefix.version in session.neighbor.families:
                    session.announce(prefix, given)

    # --- sessions --------------------------------------------------------------------------

    def establish(self, peer: str) -> None:
        """Bring a session up, and send what there is at once."""
        self.sessions[peer].since = self.clock()
        self.sessions[peer].establish()
        self.is_busy(peer, busy=False)

    def is_busy(self, peer: str, *, busy: bool) -> None:
        """Say whether a session still sends something else; what waits is sent when it does not."""
        self.sessions[peer].busy = busy
        self.sessions[peer].send()

    def drop(self, peer: str) -> None:
        """Take a session down: the peer forgets its routes."""
        self.sessions[peer].drop()

    def state(self, peer: str, state: str, reason: str = "") -> str:
        """Return the JSON line that tells the helper of a session: several lines, if 4.2's reason has several."""
        told: dict[str, object] = {"state": state}
        if reason:
            told["reason"] = reason
        line = self._json("state", self.sessions[peer], told)
        if self.dialect == 4:
            raw = reason.translate(str.maketrans("[]{}", "()()")).replace('"', '\\"')
            line = line.replace(json.dumps(reason), f'"{raw}"')
        return line

    def sent(self, session: Session, update: dict[str, object]) -> str:
        """Return the JSON line that tells the helper of an UPDATE that a session was sent."""
        return self._json("update", session, {"direction": "send", "message": {"update": update}})

    def heard(self, session: Session, message: dict[str, object]) -> str:
        """Return the JSON line that tells the helper of a message of a peer."""
        return self._json("update", session, {"direction": "receive", "message": message})

    def _json(self, kind: str, session: Session, told: dict[str, object]) -> str:
        near = session.neighbor
        ends = {"local": str(near.local_address), "peer": str(near.address)}
        asns = {"local": near.local_as, "peer": near.peer_as}
        return json.dumps(
            {
                "exabgp": self.api,
                "time": 1700000000.25,
                "host": "lb1",
                "pid": 4242,
                "ppid": 1,
                "counter": 7,
                "type": kind,
                "neighbor": {"address": ends, "asn": asns, **told},
            }
        )

    # --- lines -----------------------------------------------------------------------------

    def answer(self, line: str) -> list[str]:
        """Do what a line says and return the answer, its last line `done` or `error`.

        Raises:
            NoReplyError: there is none.
        """
        if self.refuses or line == "version":
            return ["error"] if self.refuses else [f"exabgp {self.version}", "done"]
        if live := [word for word in LIVE_WORDS if word in line]:
            raise AssertionError(f"{live} in {line!r}: ExaBGP would have stopped, or worse")
        match line.split():
            case ["show", "neighbor", "configuration"]:
                return [*self._configuration(), "done"]
            case ["show", "neighbor", "extensive"]:
                return [*self._extensive(), "done"]
            case ["show", "neighbor", "nobody", what]:
                return [HEADER, "done"] if what == "summary" else ["done"]
            case ["show", "adj-rib", "out", "extensive"]:
                return [*self._rib(), "done"]
            case ["flush", "adj-rib", "out"]:
                up = [session for session in self.sessions.values() if session.up]
                for session in up:
                    session.flush()
                return ["done" if up else "error"]
        try:
            self._change(line)
        except RefusedLineError:
            return ["error"]
        return ["done"]

    def _change(self, line: str) -> None:
        words = deque(line.replace(",", " , ").split())
        concerned = self._selected(words)
        if self.refused and self.refused in line:
            raise RefusedLineError
        verb, kind = words.popleft(), words.popleft()
        assert verb in {"announce", "withdraw"}
        if kind in {"route-refresh", "eor"}:
            up = [session for session in concerned if session.up]
            (self._refresh if kind == "route-refresh" else self._end_of_rib)(up, " ".join(words))
            return
        assert kind == "attributes"
        given, prefixes = self._parse(words)
        if len({prefix.version for prefix in prefixes}) > 1:
            raise AssertionError(f"{line!r}: two families: ExaBGP would have reset the session")
        for session in concerned:
            for prefix in prefixes:
                if prefix.version not in session.neighbor.families:
                    self.log.append(f"ipv{prefix.version} is not configured on {session.neighbor}")
                    continue
                if verb == "withdraw":
                    session.withdraw(prefix)
                    continue
                local = session.neighbor.local_address
                if given.next_hop == "self" and (local is None or local.version != prefix.version):
                    raise NoReplyError if self.dialect == 4 else RefusedLineError
                session.announce(prefix, given)

    @staticmethod
    def _refresh(concerned: list[Session], family: str) -> None:
        for session in concerned:
            if session.refreshable:
                session.bring_all(family)

    @staticmethod
    def _end_of_rib(concerned: list[Session], family: str) -> None:
        assert family in {"ipv4 unicast", "ipv6 unicast"}
        if not concerned:
            raise RefusedLineError
        for session in concerned:
            session.ending.append(family)
            session.send()

    def _selected(self, words: deque[str]) -> list[Session]:
        """Take `neighbor A local-ip B , neighbor C` off a line: whose name has all that one of them says."""
        listing = [s for s in self.sessions.values() if PROCESS in s.processes]
        if words[0] != "neighbor":
            if not listing:
                raise RefusedLineError
            return listing
        wanted: list[set[tuple[str, str]]] = [set()]
        while words[0] in {"neighbor", "local-ip", "local-as", "peer-as", "router-id", ","}:
            if (key := words.popleft()) == ",":
                wanted.append(set())
            else:
                wanted[-1].add((key, words.popleft()))
        found = [
            session
            for session in listing
            if any(said <= self._name(session).items() for said in wanted)
        ]
        if not found:
            raise RefusedLineError
        return found

    def _name(self, session: Session) -> dict[str, str]:
        near = session.neighbor
        return {
            "neighbor": str(near.address),
            "local-ip": str(near.local_address),
            "local-as": str(near.local_as),
            "peer-as": str(near.peer_as),
            "router-id": ROUTER_ID,
        }

    def _parse(self, words: deque[str]) -> tuple[Given, list[Prefix]]:
        given = Given("")
        while words:
            match words.popleft():
                case "next-hop":
                    given = replace(given, next_hop=words.popleft())
                case "as-path":
                    given = replace(given, as_path=tuple(map(int, _bracketed(words))))
                case "origin":
                    given = replace(given, origin=words.popleft())
                case "med" | "local-preference" as name:
                    number, is_med = int(words.popleft()), name == "med"
                    given = replace(
                        given,
                        med=number if is_med else given.med,
                        local_preference=given.local_preference if is_med else number,
                    )
                case "community" | "large-community" | "extended-community" as name:
                    given = _with(given, name, _bracketed(words))
                case "nlri":
                    try:
                        return given, [ip_network(word) for word in words]
                    except ValueError:  # host bits
                        raise (NoReplyError if self.dialect == 4 else RefusedLineError) from None
                case _:
                    break
        raise RefusedLineError

    # --- what it shows ---------------------------------------------------------------------

    def _rib(self) -> Iterator[str]:
        for session in self.sessions.values():
            near = session.neighbor
            for prefix, given in session.rib.items():
                hop = given.next_hop
                if hop == "self" and self.dialect == 5:
                    hop = str(near.local_address)
                yield (
                    f"neighbor {near.address} local-ip {near.local_address} local-as {near.local_as} "
                    f"peer-as {near.peer_as} router-id {ROUTER_ID} family-allowed in-open "
                    f"ipv{prefix.version} unicast {prefix} next-hop {hop}{self._shown(given)}"
                )

    def _shown(self, given: Given) -> str:
        text = "" if given.origin is None else f" origin {given.origin}"
        if given.as_path is not None:
            path = " ".join(map(str, given.as_path))
            text += f" as-path ( {path} )" if self.dialect == 5 else f" as-path [ {path} ]"
        if given.med is not None:
            text += f" med {given.med}"
        if given.local_preference is not None:
            text += f" local-preference {given.local_preference}"
        named = [_NAMES.get(each, each) for each in given.communities]
        extended = [
            exabgp_extended.shown(each, self.dialect) for each in sorted(given.extended_communities)
        ]
        for what, values in (
            ("community", named),
            ("extended-community", extended),
            ("large-community", given.large_communities),
        ):
            if values:
                text += f" {what} " + (f"[ {' '.join(values)} ]" if len(values) > 1 else values[0])
        return text

    def _configuration(self) -> Iterator[str]:
        for session in self.sessions.values():
            yield from Shown(session.neighbor).lines(self.dialect)

    def _extensive(self) -> Iterator[str]:
        for session in self.sessions.values():
            near = session.neighbor
            state, way = ("ESTABLISHED", "up for") if session.up else ("IDLE", "down for")
            duration = timedelta(seconds=int(self.clock() - session.since))
            yield from (f"Neighbor {near.address}", "", "    Session                       Local")
            yield f"   local          {near.local_address}      "
            yield from (f"   state                    {state}      ",)
            yield from (f"   {way}                    {duration}   ", "")
            yield from ("    Setup                         Local          Remote", "")
            word = "enabled" if session.refreshable else "disabled"
            yield f"   route-refresh:               {word}         enabled   "
            yield from (
                "",
                "    Families                      Local          Remote        Add-Path",
            )
            for version in sorted(near.families):
                has = session.up and version not in session.refused
                remote = "enabled" if has else "disabled"
                yield f"   ipv{version} unicast:                enabled        {remote}        disabled"


def _family(prefix: Prefix) -> str:
    return f"ipv{prefix.version} unicast"


def _with(given: Given, name: str, values: tuple[str, ...]) -> Given:
    if name == "community":
        return replace(given, communities=values)
    if name == "large-community":
        return replace(given, large_communities=values)
    return replace(given, extended_communities=values)


def _bracketed(words: deque[str]) -> tuple[str, ...]:
    if words.popleft() != "[":
        raise RefusedLineError
    found = []
    while (word := words.popleft()) != "]":
        found.append(word)
    return tuple(found)


class Fault(Enum):
    """What may become of one command."""

    NONE = auto()
    """Nothing is wrong with it."""
    ERROR = auto()
    """Not done, and answered `error`."""
    IGNORED = auto()
    """Not done, and never answered."""
    NO_ACK = auto()
    """Done, and never answered."""
    SLOW = auto()
    """Done and answered after longer than anybody waits; what comes later waits for it."""
    GARBAGE = auto()
    """Done, with garbage before the answer."""
    CUT = auto()
    """Done, and the answer comes byte by byte."""


SLOW = 7.3
GARBAGE = ["", "\x1b[31m", "donee", "{", '{"type": "state"}', "x" * 100]


class Exabgp:
    """A fake ExaBGP with its pipes, in the running loop's time."""

    def __init__(self, daemon: Daemon) -> None:
        """Start with a daemon whose helper is not there yet."""
        self.daemon = daemon
        self.reader: asyncio.StreamReader | None = None
        self.faults: deque[Fault] = deque()
        self.commands: list[str] = []
        self.overlaps: list[tuple[str, str]] = []
        self._loop = asyncio.get_running_loop()
        daemon.clock = self._loop.time
        self._rest = b""
        self._in_flight = ""
        self._stalled: deque[str] | None = None
        self._queue: deque[str] = deque()
        self._timers: set[asyncio.TimerHandle] = set()
        self._stopped = False
        self._unsaid: list[str] = []
        for session in daemon.sessions.values():
            session.tell, session.hear = self._tell_sent, self._tell_heard

    # --- the helper's side -----------------------------------------------------------------

    def spawn(self) -> asyncio.StreamReader:
        """Start a helper: return what it reads. Answers to its predecessor's commands come to it."""
        self.reader = asyncio.StreamReader()
        self._rest = b""
        self._in_flight = ""
        return self.reader

    def write(self, data: bytes) -> None:
        """Take what the helper writes."""
        assert data.isascii(), "ExaBGP kills a helper for a byte beyond ASCII"
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if self._stalled is None:
                self._take(line.decode())
            else:
                self._stalled.append(line.decode())

    def _tell(self, lines: Iterable[str], *, cut: bool = False) -> None:
        if self._stopped or self.reader is None:
            return
        data = "".join(f"{line}\n" for line in lines).encode()
        pieces = [data[at : at + 1] for at in range(len(data))] if cut else [data]
        for piece in pieces:
            self.reader.feed_data(piece)

    def _tell_sent(self, session: Session, update: dict[str, object]) -> None:
        """Tell of an UPDATE, after the answer to what it comes of."""
        if session.neighbor.told:
            self._unsaid.append(self.daemon.sent(session, update))
            self._later(0.002, self._say_unsaid)

    def _tell_heard(self, session: Session, message: dict[str, object]) -> None:
        """Tell of a message of the peer, where the helper hears it."""
        if session.neighbor.hears and session.up:
            self._tell([self.daemon.heard(session, message)])

    def _say_unsaid(self) -> None:
        lines, self._unsaid = self._unsaid, []
        self._tell(lines)

    # --- ExaBGP's side ---------------------------------------------------------------------

    def _take(self, line: str) -> None:
        """Answer `version` at once, and all else one after the other, as ExaBGP does."""
        fence = line in QUESTIONS
        if self._in_flight and not fence:
            self.overlaps.append((self._in_flight, line))
        self._in_flight = "" if fence else line
        if line == "version":
            self._tell(self.daemon.answer(line))
            return
        self._queue.append(line)
        if len(self._queue) == 1:
            self._next()

    def _next(self) -> None:
        line = self._queue[0]
        fault = self.faults.popleft() if self.faults else None
        if fault is Fault.ERROR and line in QUESTIONS:
            fault = None  # there is nothing in it that could be wrong
        self._later(SLOW if fault is Fault.SLOW else 0.001, lambda: self._finish(line, fault))

    def _finish(self, line: str, fault: Fault | None) -> None:
        if self._stalled is not None:
            self._later(0.5, lambda: self._finish(line, fault))
            return
        self._queue.popleft()
        self.commands.append(line)
        if self._in_flight == line and fault not in {Fault.IGNORED, Fault.NO_ACK}:
            self._in_flight = ""
        if fault is Fault.ERROR:
            self._tell(["error"])
        elif fault is not Fault.IGNORED:
            try:
                reply = self.daemon.answer(line)
            except NoReplyError:
                reply = []
            if fault is Fault.GARBAGE:
                reply = [*GARBAGE, *reply]
            if fault is not Fault.NO_ACK:
                self._tell(reply, cut=fault is Fault.CUT)
        if self._queue:
            self._next()

    def stall(self, seconds: float) -> None:
        """Neither read nor write for a while, as when stopped."""
        if self._stalled is None:
            self._stalled = deque()
            self._later(seconds, self._go_on)

    def _go_on(self) -> None:
        lines, self._stalled = self._stalled or (), None
        for line in lines:
            self._take(line)

    def up(self, peer: str, sent_after: float = 0.5) -> None:
        """Bring a session up, and tell the helper; its routes are sent some time after."""
        session = self.daemon.sessions[peer]
        if not session.up:
            session.since = self.daemon.clock()
            session.establish()
            self._tell([self.daemon.state(peer, "connected"), self.daemon.state(peer, "up")])
            session.bring_all()
            for version in sorted(session.neighbor.families):
                session.hear(session, {"eor": {"afi": f"ipv{version}", "safi": "unicast"}})
            self._later(sent_after, lambda: self.daemon.is_busy(peer, busy=False))

    def busy(self, peer: str, seconds: float) -> None:
        """Let a session send something else for a while."""
        if self.daemon.sessions[peer].up:
            self.daemon.is_busy(peer, busy=True)
            self._later(seconds, lambda: self.daemon.is_busy(peer, busy=False))

    def down(self, peer: str, text: str = "") -> None:
        """Take a session down, and tell the helper, with a text of the peer; again where it is down already."""
        self.daemon.drop(peer)
        self._say_unsaid()
        reason = "peer reset, message [notification received (6,2)] error[Cease / %s]"
        self._tell([self.daemon.state(peer, "down", reason % text)])

    def say(self, lines: Sequence[str]) -> None:
        """Say something unasked."""
        self._tell(lines)

    def stop(self) -> None:
        """End: the pipe closes, and peers forget all routes."""
        self._stopped = True
        for timer in self._timers:
            timer.cancel()
        for peer in self.daemon.sessions:
            self.daemon.drop(peer)
        if self.reader is not None:
            self.reader.feed_eof()

    def _later(self, seconds: float, what: object) -> None:
        assert callable(what)
        self._timers = {timer for timer in self._timers if timer.when() > self._loop.time()}
        self._timers.add(self._loop.call_later(seconds, what))

    @property
    def waiting(self) -> int:
        """How many commands are not answered yet."""
        return len(self._queue) + len(self._stalled or ())

    def table(self, peer: str) -> dict[str, Received]:
        """Return what a peer has, by prefix."""
        return {str(p): seen for p, seen in self.daemon.sessions[peer].table.items()}
