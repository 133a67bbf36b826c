"""What the orders of the site have to do with a prefix, among the sentences that explain it: by the watchdog that runs, or by the state file alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from policy.explain.line import About
from policy.explain.site import orders
from speaker.api import Sentence
from speaker.reconcile.status import DETAILED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from policy.route import Prefix
    from policy.site_intent import Extent, SiteIntent
    from speaker.api import Explanation
    from speaker.reconcile.reconciler import Reconciler

    Known = Mapping[Prefix, Sequence[SiteIntent]]


async def known_intents(reconciler: Reconciler, prefixes: Sequence[Prefix]) -> Known | None:
    """Return which orders of the site are known of some prefixes; None where there is no site, or nobody reads of so many."""
    if reconciler.site is None or len(prefixes) > DETAILED:
        return None
    return await asyncio.to_thread(reconciler.durable.store.site_known, prefixes)


def with_site(
    here: Extent,
    now: float,
    explanations: Iterable[Explanation],
    prefixes: Sequence[Prefix],
    known: Known | None,
    *,
    unread: bool = False,
) -> Iterator[Explanation]:
    """Yield explanations with what the orders of the site have to do with each, where they are known.

    Args:
        here: this machine.
        now: seconds since the epoch.
        explanations: of these prefixes, in their order.
        prefixes: those.
        known: the orders of each.
        unread: whether this machine never read what etcd has.
    """
    if known is None:
        yield from explanations
        return
    for prefix, each in zip(prefixes, explanations, strict=True):
        told = (
            Sentence(about=About.SITE, text=text)
            for text in orders(known.get(prefix, ()), here, now, unread=unread)
        )
        own = [s for s in each.sentences if s.about in (About.DECISION, About.OPERATOR)]
        yield replace(each, sentences=(*own, *told, *each.sentences[len(own) :]))
