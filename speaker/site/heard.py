"""What etcd has, sorted out: what is asked, what machines tell, and which keys make no sense. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from speaker.errors import SpeakerError
from speaker.site.keys import KeyKind, KeyTextError, parse_key
from speaker.site.told import MachineTold, ObeysTold, StateTold, ToldValue, parse_told
from speaker.state.site_text import parse_site_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from policy.route import Prefix
    from policy.site_intent import Extent, SiteIntent
    from speaker.site.keys import SiteKey

    Rows = dict[tuple[Extent, Prefix], tuple[SiteIntent, ...]]

_FORMS: Mapping[KeyKind, type[ToldValue]] = {
    KeyKind.MACHINE: MachineTold,
    KeyKind.OBEYS: ObeysTold,
    KeyKind.STATE: StateTold,
}


@dataclass(slots=True)
class HeardKeys:
    """What some keys have.

    Attributes:
        intents: what is asked, by whom it is for.
        told: what machines tell, None where they do not any more; and at which revision.
        modified: at which revision each key of `intents` was stored, also one that makes no sense; 0: it is gone.
        faults: what makes no sense, by its key: it is left out, and left as it is.
        sound: keys that make sense, or are gone.
    """

    intents: Rows = field(default_factory=dict)
    told: dict[SiteKey, tuple[ToldValue | None, int]] = field(default_factory=dict)
    modified: dict[SiteKey, int] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    sound: set[str] = field(default_factory=set)


def sort_out(items: Iterable[tuple[str, bytes | None, int]], prefix: str) -> HeardKeys:
    """Sort out keys, their values, and at which revision these were stored.

    Args:
        items: those; no value where the key is gone.
        prefix: what they begin with.
    """
    heard = HeardKeys()
    for name, value, revision in items:
        text = name.removeprefix(prefix)
        try:
            if (key := parse_key(text)) is None:
                continue
            if key.kind is KeyKind.INTENT:
                _intent(heard, key, value, revision)
            else:
                told = None if value is None else parse_told(_FORMS[key.kind], value)
                heard.told[key] = told, revision
        except (KeyTextError, PolicyError, SpeakerError) as error:
            if value is None:
                heard.sound.add(text)
            else:
                heard.faults[text] = f"{text!a:.100}: {error}"
        else:
            heard.sound.add(text)
    return heard


def _intent(heard: HeardKeys, key: SiteKey, value: bytes | None, revision: int) -> None:
    if key.prefix is None:
        return
    heard.modified[key] = 0 if value is None else revision
    # Who removes a key removes nothing that was asked: each machine has it, and it is handed on again.
    heard.intents[key.extent, key.prefix] = (
        () if value is None else parse_site_text(value, key.extent)
    )
