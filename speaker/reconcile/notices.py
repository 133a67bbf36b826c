"""What happens, as it happens: an announcement, a withdrawal, an intent, an alarm; and who receives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from speaker.json_value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from policy.intent import Intent
    from policy.route import Prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Value):
    """Something that happened. Of an alarm, `subject` says what it is about, else `prefix` does.

    `event`: announced, waiting and withdrawn, as in history: read back; drained, forced and auto: an
    operator's intent began, or auto: none is in force any more; expired: it ended by itself; alarm, which began or has
    another reason, and recovered.
    """

    time: float
    event: str
    prefix: str = ""
    subject: str = ""
    reason: str = ""


class Listeners:
    """Those who are told. Each is called at once, and must neither wait nor raise."""

    def __init__(self) -> None:
        self._all: list[tuple[Callable[[Notice], object], Callable[[], bool]]] = []

    def add(
        self, listener: Callable[[Notice], object], is_wanted: Callable[[], bool] = lambda: True
    ) -> Callable[[], None]:
        """Have a listener told from now on, while it wants to be. Return what ends that."""
        both = listener, is_wanted
        self._all.append(both)
        return lambda: self._all.remove(both)

    def tell(self, event: Notice) -> None:
        """Tell all that want to be told."""
        for listener, is_wanted in self._all:
            if is_wanted():
                listener(event)

    def __bool__(self) -> bool:
        """Whether anyone wants to be told: thousands of prefixes that change are not put in words for nobody."""
        return any(is_wanted() for _, is_wanted in self._all)


def of_intents(
    before: Mapping[Prefix, Intent], after: Mapping[Prefix, Intent], now: float
) -> Iterator[Notice]:
    """Yield what happened to operators' intents between two looks at those in force.

    Args:
        before: those in force until then.
        after: those in force now.
        now: seconds since the epoch.
    """
    for prefix in dict.fromkeys((*before, *after)):
        old, new = before.get(prefix), after.get(prefix)
        if old == new:
            continue
        if new is not None:
            yield Notice(time=now, event=new.mode, prefix=str(prefix), reason=str(new))
        elif old is not None:
            event = "auto" if old.in_force(now) else "expired"
            yield Notice(time=now, event=event, prefix=str(prefix), reason=f"was {old}")
