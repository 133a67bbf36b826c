"""What this machine tells of a prefix, and whether it obeys what is asked of it: by the same that `vip_mgmt status` shows."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from policy.intent import Mode
from policy.standing import LeaveCase, own_word
from policy.wording import count
from speaker.printable import printable
from speaker.reconcile.reach import NO_SESSION, NONE_FOR_IT
from speaker.site.told import ANY, MAX_DIFFERING, StateTold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.route import Prefix
    from speaker.api import PrefixStatus

_MOST = 200
_NOBODY = {NO_SESSION, NONE_FOR_IT}
_LEAVE = LeaveCase(granted=True)
NOT_ANNOUNCED, NOT_SEEN_YET = (
    StateTold(announced=False).text(),
    StateTold(announced=None).text(),
)
"""What is told of a prefix that is about to be withdrawn, and of one that is to be looked at again."""
_ANNOUNCED = StateTold(announced=True).text().partition(b",")[0]
NOT_KNOWN = "what its daemon has is not known"


def state_text(shown: PrefixStatus, asked: str, *, stands_down: bool) -> bytes:
    """Return what is told of a prefix, as it is stored.

    Args:
        shown: its state here.
        asked: its intent in words: the mode, by whom and why.
        stands_down: whether it is about to be withdrawn, so that nobody may count on it.
    """
    asking = _LEAVE if stands_down else None
    announced = own_word(asking, announced=shown.announced, wanted=bool(shown.wanted), before=None)
    path = shown.as_path if announced else ()
    return _state_text(announced, path, shown.health[:_MOST], _text(asked))


def says_announced(text: bytes) -> bool:
    """Tell whether what is told of a prefix is that it is announced."""
    return text.startswith(_ANNOUNCED)


@lru_cache(maxsize=1024)
def _state_text(
    announced: bool | None,  # noqa: FBT001 - a value that is told
    as_path: tuple[int, ...],
    health: str,
    intent: str,
) -> bytes:
    """Return a text that thousands of prefixes share."""
    path = " ".join(map(str, as_path))[:1000]
    return StateTold(announced=announced, as_path=path, health=health, intent=intent).text()


def why_not(shown: PrefixStatus, alarms: Sequence[str]) -> str:
    """Return why a machine does not obey what is asked of a prefix; nothing where it was read back that it does.

    That no session is up is no disobedience: whoever comes up is sent what is decided. That is told apart: see `unsent`.

    Args:
        shown: its state.
        alarms: what is wrong here, apart from single prefixes.
    """
    if shown.failure:
        return _text(f"not done: {shown.failure}")
    if (shown.intent == Mode.DRAINED and shown.wanted) or (
        shown.intent == Mode.FORCED and not shown.wanted
    ):
        return _text("; ".join(["not decided yet", *alarms]))
    if shown.as_wanted or unsent(shown):
        return ""
    if shown.lack and shown.lack not in _NOBODY:
        return _text(shown.lack)
    return _text("; ".join([NOT_KNOWN if shown.announced is None else shown.reason, *alarms]))


def unsent(shown: PrefixStatus) -> str:
    """Return why nobody was sent what is decided, and read back, of a prefix: no session is up; nothing where one is, or it is not so."""
    return shown.lack if shown.held and shown.wanted and shown.lack in _NOBODY else ""


def told_differing(differs: Mapping[Prefix, str]) -> dict[str, str]:
    """Return what is told of the prefixes that differ, or are unsent: each by name, or where that is too much, that any may."""
    if len(differs) <= MAX_DIFFERING:
        return {str(prefix): why for prefix, why in differs.items()}
    first, why = next(iter(differs.items()))
    return {ANY: _text(f"{count(len(differs), 'prefix')}, such as {first}: {why}")}


def _text(text: str) -> str:
    return printable(text)[:_MOST]
