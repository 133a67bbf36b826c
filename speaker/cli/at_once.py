"""What vip_mgmt does without parsing vip.toml: what the watchdog answers that has loaded that very content.

Theory of operation. Most of the time of a short command is that of importing what reads vip.toml, and of reading
it. Where a watchdog runs that loaded the same content, for the same data centre and backend, it has checked all of
it, and knows what an address means: then its answer is all that `status` and `-a`, `-d` of addresses need. What a
VIP's name means its state tells, with DNS; the order is then of these prefixes. The
socket to ask is in the head of the file, which is read as always; see `speaker.files.vip_toml`. In all other cases
(none answers, it is older, the file was changed, DNS alone knows a name, or it takes more than the answer) nothing is
said here, and the whole file is read: what was answered, or not, is then taken from here, and not asked twice.
Whose socket it is, the client checks as always; that it is of the same content, it says itself, as all that it says.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.intent import Mode
from policy.route import parse_prefix
from speaker.cli.arguments import ADD, ALL, DELETE
from speaker.cli.extents import for_whom, wait_for_others
from speaker.cli.messages import tell_operator
from speaker.cli.node import Node
from speaker.control import client
from speaker.control.outcomes import ordered_from_json
from speaker.control.running import ANSWER, ANSWER_EACH, APPLY, RunningWatchdog
from speaker.errors import SpeakerError
from speaker.terminal import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from policy.route import Prefix
    from speaker.api import IntentOutcome, IntentRequest, RecordedIntent, Status
    from speaker.cli.arguments import Call
    from speaker.control.early import EarlyRequest
    from speaker.exit_status import ExitStatus
    from speaker.site_values import Ordered, SiteOrder


class AtOnce:
    """What a call needs of the watchdog, asked before vip.toml is parsed.

    `early` is what was sent to be applied, None for nothing. `told` is the state that was answered, or that none
    was; None where it was not asked for, or nobody serves the socket.
    """

    def __init__(self, call: Call, environ: Mapping[str, str]) -> None:
        self._call = call
        self.early: EarlyRequest | None = None
        self.told: Status | client.OutcomeUnknownError | None = None
        orders = call.command in (ADD, DELETE) and not call.at
        node = Node.of(call.path, environ) if orders or _is_plain_status(call) else None
        self._node = node
        self._notes: tuple[str, ...] = ()
        self._prefixes = _addresses(call.words)
        if node is None:
            return
        if orders:
            call = self._call = for_whom(call, node.dc, (), has_site=node.has_site)
            self.early = self._ask(call, node)
        else:
            self.told = _status_of(node)

    def _ask(self, call: Call, node: Node) -> EarlyRequest | None:
        """Ask for what a call wants, where it is known what that means; None where nothing was asked."""
        if self._prefixes is None and ALL not in call.words and not _needs_more(call):
            from speaker.cli.loaded_names import meant

            if (found := meant(call, node)) is not None:
                self._prefixes, self._notes = found.prefixes, found.notes
        if self._prefixes is None:
            return None
        from speaker.cli.early import ask_early

        return ask_early(call, node, self._prefixes)

    def carry_out(self) -> Callable[[], ExitStatus] | None:
        """Return what does all that the call wants, by what was answered; None where that takes all of vip.toml."""
        if self._prefixes is None or self._node is None:
            return None
        if self.early is not None:
            return self._order(self._node, self.early, self._prefixes)
        return self._shown(self._node, self._prefixes)

    def _order(
        self, node: Node, early: EarlyRequest, prefixes: Sequence[Prefix]
    ) -> Callable[[], ExitStatus] | None:
        call = self._call
        if ALL in call.words or _needs_more(call):
            return None
        from speaker.cli.operate import in_progress, operate
        from speaker.cli.second import drained_beside

        try:
            with in_progress(call, prefixes):
                ordered = _ordered(early, prefixes, wait_for_others(call, node.within) or 0.0)
        except SpeakerError:
            return None  # what comes of that is found as always
        if ordered is None:
            return None
        beside = partial(drained_beside, node.control, node.backend)

        def do() -> ExitStatus:
            for note in self._notes:
                tell_operator(note)
            return operate(call, _Applied(node, ordered), prefixes, drained_beside=beside)

        return do

    def _shown(self, node: Node, prefixes: Sequence[Prefix]) -> Callable[[], ExitStatus] | None:
        call, told = self._call, self.told
        if told is None or isinstance(told, client.OutcomeUnknownError):
            return None
        if not node.is_loaded(told):
            return None
        known = [route.prefix for route in told.routes]
        wanted = known if ALL in call.words else [*map(str, prefixes)]
        if not {*wanted} <= {*known}:
            return None
        from speaker.cli.query import show_status

        return lambda: show_status(call, told, wanted)


class _Applied(RunningWatchdog):
    """A watchdog that has applied what it was asked for."""

    def __init__(self, node: Node, ordered: Ordered) -> None:
        super().__init__(node.read, node.control)
        self._ordered = ordered

    def apply(
        self, request: IntentRequest, early: EarlyRequest | None = None
    ) -> Sequence[IntentOutcome | RecordedIntent]:
        """See `Operations.apply`."""
        del request, early  # it was sent
        return self._ordered.outcomes

    def order(self, order: SiteOrder, early: EarlyRequest | None = None) -> Ordered:
        """See `SiteOperations.order`."""
        del order, early  # it was sent
        return self._ordered


def _needs_more(call: Call) -> bool:
    """Whether an order needs more of vip.toml than what it means."""
    return bool(call.until) or call.mode is Mode.DRAINING


def _is_plain_status(call: Call) -> bool:
    """Whether a status is wanted, once, without the connections that are counted here."""
    if call.command != "status" or call.watch or call.site or _addresses(call.words) is None:
        return False
    from speaker.cli.query import IPVS

    return not (call.as_json and IPVS.exists())


def _addresses(words: Sequence[str]) -> tuple[Prefix, ...] | None:
    """Return the prefixes that are named, each once, besides `all`; None where a name is among them."""
    try:
        return tuple(dict.fromkeys(parse_prefix(word) for word in words if word != ALL))
    except PolicyError:
        return None


def _status_of(node: Node) -> Status | client.OutcomeUnknownError | None:
    within = ANSWER + ANSWER_EACH * node.lines  # a prefix takes one at least
    try:
        with waiting("waiting for an answer"):
            return RunningWatchdog(node.read, node.control, timeout=within).status()
    except client.OutcomeUnknownError as error:
        return error
    except SpeakerError:
        return None


def _ordered(early: EarlyRequest, prefixes: Sequence[Prefix], longer: float) -> Ordered | None:
    answer = early.answer(APPLY + client.EACH * len(prefixes) + longer)
    return None if answer is None else ordered_from_json(answer, prefixes)
