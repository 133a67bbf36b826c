"""Asks bgpd for what its peers told of our prefixes: only of those whose rows in the table changed, and now and then of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.witness import Hearing, Witness
from speaker.backends.base import BackendError
from speaker.backends.quagga.learned import entries, learned, questions
from speaker.supervision.steps import in_steps

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence

    from policy.route import Asn, Prefix
    from policy.witness import HeardPath
    from speaker.backends.quagga.learned import PathsOf
    from speaker.backends.quagga.summary import SummarySession
    from speaker.backends.quagga.table import TableRow

BATCH = 2_000
"""Prefixes that are asked about together."""
AT_ONCE = 50
"""Answers that are read in a step: a few thousandths of a second."""
AGAIN = 12
"""After how many readings all are asked about again: communities may change, and no row shows them."""


class Listener:
    """What peers told, as far as it was asked for.

    Args:
        ask: puts questions to bgpd, and returns the lines of the answers.
    """

    def __init__(self, ask: Callable[[Sequence[str]], Awaitable[Sequence[str]]]) -> None:
        self._ask = ask
        self._ours: Collection[Prefix] = ()
        self._rows: Mapping[Prefix, tuple[TableRow, ...]] = {}
        self._paths: dict[Prefix, PathsOf] = {}
        self._readings = 0
        self._brought: frozenset[str] = frozenset()
        """Sessions that brought a route since they came up: they are witnesses, also while they bring none."""
        self._shown: tuple[object, Sequence[Witness]] = ((), ())

    def listen_for(self, prefixes: Collection[Prefix]) -> None:
        """Take our prefixes."""
        self._ours, self._rows, self._paths = frozenset(prefixes), {}, {}

    def unread(self) -> None:
        """Know nothing any more: bgpd can't be read."""
        self._rows, self._paths = {}, {}
        self._shown = (
            (),
            tuple(
                Witness(
                    each.name, each.asn, each.local_as, Hearing.UNKNOWN, {}, "bgpd can't be read"
                )
                for each in self._shown[1]
            ),
        )

    async def listen(
        self, sessions: Sequence[SummarySession], table: Iterable[str], asn: Asn
    ) -> None:
        """Ask for what peers told.

        Args:
            sessions: bgpd's.
            table: the lines of its tables.
            asn: bgpd's.
        """
        brings = any(state.brings for session in sessions for state in session.states.values())
        rows = learned(table, self._ours) if brings else {}
        self._readings += 1
        known = self._rows if self._readings % AGAIN else {}
        changed = [prefix for prefix, each in rows.items() if known.get(prefix) != each]
        reason = ""
        try:
            asked: dict[Prefix, PathsOf] = {}
            for start in range(0, len(changed), BATCH):
                lines = await self._ask(questions(changed[start : start + BATCH]))
                asked |= dict(await in_steps(entries(lines), AT_ONCE))
        except BackendError as error:
            reason, rows = f"bgpd does not tell its paths: {error}", {}
        # What was asked about, and not answered, is there no more.
        old = rows.keys() - changed
        kept = {prefix: paths for prefix, paths in self._paths.items() if prefix in old}
        self._rows, self._paths = rows, {} if reason else {**kept, **asked}
        self._show(sessions, asn, reason)

    def _show(self, sessions: Sequence[SummarySession], asn: Asn, reason: str) -> None:
        self._brought = frozenset(
            session.address
            for session in sessions
            if session.up
            and (session.address in self._brought or any(s.brings for s in session.states.values()))
        )
        by_peer: dict[str, dict[Prefix, Sequence[HeardPath]]] = {}
        for prefix, paths in self._paths.items():
            for peer, each in paths.items():
                by_peer.setdefault(peer, {})[prefix] = each
        witnesses = tuple(
            _witness(session, asn, by_peer.get(session.address, {}), reason, self._brought)
            for session in sessions
        )
        basis = tuple(
            (w.name, w.hearing, w.brings, w.families, w.paths, w.reason) for w in witnesses
        )
        if basis != self._shown[0]:
            self._shown = basis, witnesses

    def heard(self) -> Sequence[Witness]:
        """Return the witnesses: the same object while nothing changes."""
        return self._shown[1]


def _witness(
    session: SummarySession,
    asn: Asn,
    paths: Mapping[Prefix, Sequence[HeardPath]],
    reason: str,
    brought: Collection[str],
) -> Witness:
    states = [state for state in session.states.values() if state.negotiated]
    hearing = Hearing.WHOLE
    if not session.up:
        hearing, paths, reason = Hearing.DOWN, {}, "its session is down"
    elif reason:
        hearing = Hearing.UNKNOWN
    elif any(state.is_young for state in states):
        hearing, reason = Hearing.LEARNING, "it is still telling its routes"
    return Witness(
        session.address,
        session.asn,
        asn,
        hearing,
        paths,
        reason,
        session.address in brought,
        frozenset(version for version, state in session.states.items() if state.negotiated),
    )
