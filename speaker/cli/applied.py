"""What a watchdog was asked to apply before vip.toml was parsed, carried on where its answer is all that is needed.

What a VIP's name means, the watchdog knows that loaded the same file. DNS is asked while it works: that may only
say more of a name, and changes nothing of what is done. Where DNS has the same addresses, all of it is known here.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.wording import count, named
from speaker import units
from speaker.cli.early import split
from speaker.cli.extents import wait_for_others
from speaker.cli.loaded_names import confirmed
from speaker.cli.operate import in_progress, operate
from speaker.cli.second import drained_beside
from speaker.control import client
from speaker.control.outcomes import ordered_from_json, prefixes_in
from speaker.control.running import APPLY, RunningWatchdog
from speaker.errors import SpeakerError
from speaker.resolver.resolver import Resolver

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policy.route import Prefix
    from speaker.api import IntentOutcome, IntentRequest, RecordedIntent
    from speaker.cli.arguments import Call
    from speaker.cli.node import Node
    from speaker.cli.targets import Answers
    from speaker.control.early import EarlyRequest
    from speaker.exit_status import ExitStatus
    from speaker.site_values import Ordered, SiteOrder

NAMED = 3
"""How many names a line names that is about many."""
EACH_NAME = 256
"""For how many prefixes a name stands at most, when it is reckoned how long its watchdog may take."""


def look_up(names: Sequence[str], node: Node) -> Answers:
    """Return what DNS says of the names of VIPs.

    Raises:
        SpeakerError: vip.toml does not tell whom to ask.
    """
    try:
        server = None if node.resolver is None else units.endpoint(node.resolver)
    except ValueError as error:
        raise SpeakerError(f"node.resolver: {error}") from error
    return Resolver(server).lookup_all(names)


def applied(
    call: Call, node: Node, early: EarlyRequest, answers: Callable[[], Answers]
) -> Callable[[], ExitStatus] | None:
    """Return what says what became of an order; None where that takes all of vip.toml.

    Args:
        call: what was asked for, of VIPs' names, addresses and prefixes.
        node: this machine.
        early: the order, sent.
        answers: looks up its names.
    """
    named_prefixes, names = split(call.words)
    what = named(names, NAMED) if names else count(len(named_prefixes), "prefix")
    most = len(named_prefixes) + EACH_NAME * len(names)
    within = APPLY + client.EACH * most + (wait_for_others(call, node.within) or 0.0)
    try:
        with in_progress(call, what):
            known = answers()
            answer = early.answer(within)
        if answer is None:
            return None
        prefixes: Sequence[Prefix] | None = named_prefixes
        if names:
            told = ordered_from_json(answer, prefixes_in(answer)).outcomes
            prefixes = confirmed(call.words, node.dc, told, known)
        if prefixes is None:
            return None
        ordered = ordered_from_json(answer, prefixes)
    except (PolicyError, SpeakerError):
        return None  # what comes of that is found as always
    beside = partial(drained_beside, node.control, node.backend)
    return partial(operate, call, _Applied(node, ordered), prefixes, drained_beside=beside)


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
