"""What a drain would leave announced nowhere, as far as witnesses tell: an operator asks for it explicitly, a report's does not begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.intent import Mode
from policy.keep_last import KeepLast
from policy.last import LastOne
from policy.wording import named
from speaker.errors import SpeakerError
from speaker.supervision.steps import in_steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from policy.route import Prefix
    from speaker.api import IntentRequest
    from speaker.reconcile.reconciler import Reconciler

NAMED = 3
"""How many prefixes are named."""
AT_ONCE = 500
"""How many prefixes are asked about in a step: some thousandths of a second."""


class LastOneError(SpeakerError):
    """The drain would leave a prefix announced nowhere; nothing was changed."""


def may_refuse(rule: KeepLast, request: IntentRequest) -> bool:
    """Tell whether a request is one that may be refused: else there is nothing to look at before it is recorded."""
    drains = request.mode in (Mode.DRAINED, Mode.DRAINING)
    return rule is not KeepLast.NEVER and drains and not request.last


def refuse_last(reconciler: Reconciler, request: IntentRequest, prefixes: Iterable[Prefix]) -> None:
    """Refuse a drain that would leave a prefix nowhere, unless it is asked for all the same.

    Args:
        reconciler: knows what is announced here, and what witnesses tell.
        request: what is asked for.
        prefixes: what it is asked for.

    Raises:
        LastOneError: it would.
    """
    rule = reconciler.config.settings.witness.keep_last
    if not may_refuse(rule, request):
        return
    refuse(_nowhere(reconciler, prefixes))


def refuse(nowhere: Iterable[tuple[Prefix, str]]) -> None:
    """Refuse a drain where a prefix would be announced nowhere.

    Args:
        nowhere: the prefixes, with why they would be, in words; with nothing where they would not.

    Raises:
        LastOneError: one would.
    """
    found = {prefix: why for prefix, why in nowhere if why}
    if found:
        raise LastOneError(
            f"{named(found, NAMED)}: would be announced nowhere, so nothing was changed: "
            f"{next(iter(found.values()))}; --last drains it all the same"
        )


async def held_from_draining(
    reconciler: Reconciler, prefixes: Iterable[Prefix]
) -> Mapping[Prefix, str]:
    """Return which prefixes a report must not drain, as that would leave them nowhere, with why: nobody is there to insist.

    Args:
        reconciler: knows what is announced here, and what witnesses tell.
        prefixes: what the report would drain.
    """
    if reconciler.config.settings.witness.keep_last is KeepLast.NEVER:
        return {}
    found = await in_steps(_nowhere(reconciler, prefixes), AT_ONCE)
    return {prefix: why for prefix, why in found if why}


def _nowhere(reconciler: Reconciler, prefixes: Iterable[Prefix]) -> Iterable[tuple[Prefix, str]]:
    """Yield prefixes with why they would be announced nowhere once they are not here; with nothing where they would, or are not here."""
    last = LastOne(reconciler.config.settings.witness.keep_last, reconciler.witnesses.heard())
    announced = reconciler.view.announced
    return ((prefix, last.why(prefix) if prefix in announced else "") for prefix in prefixes)
