"""What is wrong with etcd, in words: each cause once, with the members that gave it, however many questions it befell. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.wording import named
from speaker.site.base import EtcdError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from speaker.site.base import Causes

NAMED = 5
"""How many members are named with a cause."""


def in_words(troubles: Iterable[str | EtcdError]) -> str:
    """Return what is wrong, on one line; nothing where all is well.

    Args:
        troubles: what befell each question, or what else is wrong in words. Of a member the first cause counts: the others
            say the same, otherwise.
    """
    causes: dict[str, list[str]] = {}
    seen: set[str] = set()
    texts: dict[str, None] = {}
    for each in troubles:
        if isinstance(each, EtcdError) and each.causes:
            for why, members in each.causes.items():
                new = [member for member in members if member not in seen]
                if new or not members:
                    causes.setdefault(why, []).extend(new)
                    seen.update(new)
        elif text := str(each):
            texts[text] = None
    etcd = "; ".join(lines(causes))
    return "; ".join([*([f"etcd: {etcd}"] if etcd else []), *texts])


def lines(causes: Causes) -> Iterator[str]:
    """Yield causes, those with members first: what to do comes last. Members are in order, whoever was asked first."""
    for why, members in sorted(causes.items(), key=lambda each: not each[1]):
        yield f"{named(sorted(members), NAMED)}: {why}" if members else why
