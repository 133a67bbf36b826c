"""What an operator's drain would leave announced nowhere, as far as witnesses tell: it is asked for explicitly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.intent import Mode
from policy.last import KeepLast, LastOne
from speaker.errors import SpeakerError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy.route import Prefix
    from speaker.api import IntentRequest
    from speaker.reconcile.reconciler import Reconciler

NAMED = 3
"""How many prefixes are named."""


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
    last, announced = LastOne(rule, reconciler.witnesses.heard()), reconciler.view.announced
    found = {p: why for p in prefixes if p in announced and (why := last.why(p))}
    if found:
        named = ", ".join(map(str, [*found][:NAMED]))
        more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
        raise LastOneError(
            f"{named}{more}: would be announced nowhere, so nothing was changed: "
            f"{next(iter(found.values()))}; --last drains it all the same"
        )
