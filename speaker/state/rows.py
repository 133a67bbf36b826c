"""What the state file's rows mean, and what is done about one that makes no sense.

Whatever wrote it, one row must not stop the watchdog. A bad intent may have been a drain: the
prefix that it names is held drained. Any other bad row is ignored, as if it were not there: what
is forgotten with it is a memory of health, or that a prefix that can't even be written was ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_interface
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar

from policy.damping import Damping
from policy.drain import Progress
from policy.errors import PolicyError
from policy.health import Service, ServiceMemory, State
from policy.intent import MAX_TEXT, Intent, Mode, is_time
from policy.route import parse_prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from policy.report import AppReport
    from policy.route import Prefix
    from policy.site_intent import Extent
    from policy.window import Window

Row = tuple[Any, ...]
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_WAITING = " waiting"
_NO_SENSE = (ValueError, TypeError, AttributeError, OverflowError, RecursionError)
"""Of a value, of its type, or of JSON a million deep: a table that was created by hand may hold any."""
INTENTS = "SELECT prefix, mode, owner, reason, since, until, forced, insisted FROM intent"
HOLDER = "state file"
"""Whose drain it is, where a row can't be read."""


@dataclass(frozen=True, slots=True)
class Owned:
    """One of our prefixes: its route when last confirmed, and whether its health was good when last known.

    The route is text, empty where the prefix was withdrawn: it is compared and shown, and not
    parsed. An operator's drain changes the route, and not `up`. `waiting`: no session was sent
    the route yet.
    """

    route: str = ""
    up: bool = False
    waiting: bool = False

    @property
    def column(self) -> str:
        """What the file has for the route: it is told apart there by its last word."""
        return f"{self.route}{_WAITING}" if self.waiting else self.route


@dataclass(frozen=True, slots=True)
class Intents:
    """The intents on file, expired ones too.

    `faults` says of each bad row what is wrong and what to do; `rows` has, for a prefix that is
    held for some, how they name it: replacing its intent removes these. `windows`: what is planned. `reports`: what applications
    said last, expired or not, by name. `unread`: that the orders of the whole site were never read from etcd, with what was
    asked here all the same, of which prefix and for whom; None where they were read.
    """

    of: Mapping[Prefix, Intent] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    rows: Mapping[Prefix, frozenset[str]] = field(default_factory=dict)
    windows: tuple[Window, ...] = ()
    reports: Mapping[str, AppReport] = field(default_factory=dict)
    unread: frozenset[tuple[Prefix, Extent]] | None = frozenset()


class IntentReader:
    """Reads rows of intents. One that was read before costs next to nothing."""

    def __init__(self) -> None:
        self._known: dict[Row, tuple[Prefix, Intent]] = {}

    def expect(self, rows: Mapping[Row, tuple[Prefix, Intent]]) -> None:
        """Know what rows mean that were written, so that reading them does not take their parsing."""
        self._known = {**self._known, **rows}

    def read(self, rows: Iterable[Row]) -> Intents:
        """Return the intents of rows as `intent` parses them."""
        known: dict[Row, tuple[Prefix, Intent]] = {}
        bad: list[tuple[Row, Exception]] = []
        for row in rows:
            try:
                known[row] = self._known.get(row) or intent(row)
            except _NO_SENSE as error:
                bad.append((row, error))
        self._known = known
        of = dict(known.values())
        faults: list[str] = []
        names: dict[Prefix, frozenset[str]] = {}
        for row, fault in bad:
            prefixes = _prefixes_in(row[0])
            faults.append(_say(row, fault, held=bool(prefixes)))
            for prefix in prefixes:
                of[prefix] = _drained(row)
                names[prefix] = names.get(prefix, frozenset()) | {row[0]}
        return Intents(of, tuple(faults), names)


def intent(row: Row) -> tuple[Prefix, Intent]:
    """Parse the columns of `INTENTS`."""
    prefix, mode, owner, reason, since, until, forced, insisted = row
    found = Intent(Mode(mode), owner, since, reason, until, bool(forced), bool(insisted))
    _check(*(time for time in (since, until) if time is not None))
    return parse_prefix(prefix), found


def of_intent(prefix: Prefix, intent: Intent) -> Row:
    """Return the row that `intent` parses."""
    texts = str(prefix), intent.mode, intent.owner, intent.reason
    return *texts, intent.since, intent.until, int(intent.forced), int(intent.insisted)


def _prefixes_in(text: str) -> set[Prefix]:
    """Return all prefixes that a text may name: of an address with host bits, both readings."""
    try:
        found = ip_interface(text)
        return {parse_prefix(str(found.ip)), parse_prefix(str(found.network))}
    except ValueError:
        return set()


def _drained(row: Row) -> Intent:
    """Return what holds a prefix whose intent can't be read."""
    said = f"its row can't be read: {', '.join(map(ascii, row[1:4]))}"
    return Intent(Mode.DRAINED, HOLDER, 0.0, said[:MAX_TEXT])


def why(error: Exception) -> str:
    """Return why a row means nothing: of what Python says of it, that alone."""
    return str(error) if isinstance(error, PolicyError) else "its values are of another form"


def _say(row: Row, error: Exception, *, held: bool) -> str:
    name = ascii(row[0])[:MAX_TEXT]
    if held:
        return (
            f"the intent of {name} can't be read ({why(error)}), so it is held drained; "
            "lift it with vip_mgmt -a, or record it again with -d"
        )
    return (
        f"an intent can't be read ({why(error)}), and may have been any prefix's drain; drain again "
        f"what was drained, and remove the row of table intent whose prefix is {name}"
    )


def parsed(
    table: str,
    rows: Iterable[Row],
    parse: Callable[[Row], tuple[_Key, _Value]],
    faults: list[str],
) -> Iterator[tuple[_Key, _Value]]:
    """Give what rows mean; what those mean nothing is added to the faults.

    Args:
        table: its name, for a fault.
        rows: of one table; the first column is the prefix.
        parse: makes a key and a value of a row.
        faults: collects.
    """
    for row in rows:
        try:
            yield parse(row)
        except _NO_SENSE as error:
            name = ascii(row[0])[:MAX_TEXT]
            faults.append(f"a row of table {table} is ignored: {name}: {why(error)}; remove it")


def owned(row: Row) -> tuple[Prefix, Owned]:
    """Parse `prefix, route, up`."""
    prefix, route, up = row
    text = route.removesuffix(_WAITING)
    return parse_prefix(prefix), Owned(text, bool(up), waiting=text != route)


def health(row: Row) -> tuple[tuple[Prefix, Service], ServiceMemory]:
    """Parse `prefix, service, up, turning_since, gone_since, proven_at`: the two times tell the state."""
    prefix, service, up, turning, gone, proven = row
    _check(*(time for time in (turning, gone, proven) if time is not None))
    came_back = turning is not None and turning == gone
    match bool(up), turning is not None, gone is not None:
        case True, True, True:
            state = State.RETURNED if came_back else State.LOST
        case is_up, is_turning, is_gone:
            state = _STATES[is_up, is_turning, is_gone]
    if state is State.RETURNED:
        gone = None
    return (parse_prefix(prefix), Service.parse(service)), ServiceMemory(
        state, turning, gone, proven
    )


_STATES = {
    (True, False, False): State.UP,
    (True, True, False): State.FALLING,
    (True, False, True): State.MISSING,
    (False, False, False): State.DOWN,
    (False, False, True): State.GONE,
    (False, True, False): State.RISING,
    (False, True, True): State.APPEARED,
}


def of_health(prefix: Prefix, service: Service, memory: ServiceMemory) -> Row:
    """Return the row that `health` parses."""
    gone = memory.since if memory.state is State.RETURNED else memory.gone_since
    return str(prefix), str(service), int(memory.up), memory.since, gone, memory.proven_at


def damping(row: Row) -> tuple[Prefix, Damping]:
    """Parse `prefix, penalty, at, damped, up`."""
    prefix, penalty, at, damped, up = row
    _check(at)
    if not isfinite(penalty):
        raise PolicyError(f"penalty: {penalty}: not a finite number")
    return parse_prefix(prefix), Damping(penalty, at, bool(damped), bool(up))


def drain(row: Row) -> tuple[Prefix, Progress]:
    """Parse `prefix, stage, of, began, quiet_since, connections`."""
    prefix, stage, of, began, quiet_since, left = row
    _check(*(time for time in (of, began, quiet_since, left) if time is not None))
    return parse_prefix(prefix), Progress(Mode(stage), of, began, quiet_since, left)


def of_drain(prefix: Prefix, progress: Progress) -> Row:
    """Return the row that `drain` parses."""
    times = progress.of, progress.began, progress.quiet_since
    return str(prefix), progress.stage, *times, progress.left


def _check(*numbers: float) -> None:
    if not all(map(is_time, numbers)):
        raise PolicyError(f"time: {numbers}: not a valid time")
