"""vip_mgmt -d --until-gone, -a --until-seen: waits for what witnesses have, and names those that have it, or lack it."""

from __future__ import annotations

import time
from ipaddress import ip_network
from typing import TYPE_CHECKING

from speaker.cli.messages import tell_operator
from speaker.errors import SpeakerError
from speaker.exit_status import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from speaker.api import Operations, PrefixStatus, Status

TIMEOUT = 60.0
"""How long to wait where that is not said, in seconds."""
EVERY = 0.5
NO_WITNESS = "no witness tells what routers have, so it is not known; let a session bring routes, see docs/witness.md"
WHOSE = "; whose it is can't be told, set mark in [dc.…]"


def until(
    operations: Operations,
    prefixes: Collection[str],
    *,
    gone: bool,
    timeout: float | None = None,
    wait: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> ExitStatus:
    """Wait until no witness has our path of some prefixes, or until each is seen at one.

    What a witness did not tell is not known: it is neither gone nor seen.

    Args:
        operations: who is asked.
        prefixes: those.
        gone: whether they are to be gone; else they are to be seen.
        timeout: for how long, in seconds.
        wait: lets some seconds pass.
        clock: seconds.
    """
    end = clock() + (TIMEOUT if timeout is None else timeout)
    while True:
        try:
            status = operations.status()
            if not status.witnesses:
                tell_operator(NO_WITNESS)
                return ExitStatus.NOT_AS_WANTED
            lacking = [*_no_longer(status, prefixes)]
            lacking += (_not_gone if gone else _not_seen)(status, prefixes)
        except SpeakerError as error:
            lacking = [f"not known at the moment: {error}"]
        if not lacking:
            names = ", ".join(each.name for each in status.witnesses)
            tell_operator(f"{'gone from' if gone else 'seen by'} witnesses: {names}")
            return ExitStatus.DONE
        if clock() >= end:
            for text in lacking:
                tell_operator(text)
            return ExitStatus.NOT_AS_WANTED
        wait(EVERY)


def _no_longer(status: Status, prefixes: Collection[str]) -> Iterator[str]:
    """Yield of which prefixes nothing is told: a reload took them out meanwhile."""
    for prefix in sorted({*prefixes} - {route.prefix for route in status.routes}):
        yield f"{prefix}: is no longer in the vip.toml that is loaded"


def _not_gone(status: Status, prefixes: Collection[str]) -> Iterator[str]:
    """Yield who still has our path, and who may: of whom not all is known."""
    for route in _of(status, prefixes):
        for path in route.seen:
            if path.dc in ("", status.dc):
                yield f"{route.prefix}: still {path}{'' if path.dc else WHOSE}"
        version = ip_network(route.prefix).version
        if not any(version in each.families for each in status.witnesses):
            yield f"{route.prefix}: no witness has IPv{version}, so it is not known"
    yield from _unknown(status)


def _not_seen(status: Status, prefixes: Collection[str]) -> Iterator[str]:
    """Yield what no witness shows a path of ours of, and who may have it: of whom not all is known."""
    unknown = [*_unknown(status)]
    none = "not seen: it is at none of the witnesses"
    if unknown:
        none = "whether it is seen is not known: no witness shows it, and not all of them tell"
    lacking = [
        f"{route.prefix}: {f'not seen: {others}' if others else none}"
        for route in _of(status, prefixes)
        if not any(path.dc == status.dc for path in route.seen)
        for others in ["; ".join(map(str, route.seen))]
    ]
    yield from lacking
    if lacking:
        yield from unknown


def _unknown(status: Status) -> Iterator[str]:
    """Yield the witnesses of which not all is known."""
    for each in status.witnesses:
        if not each.is_whole:
            yield f"witness {each}: what it has is not known"


def _of(status: Status, prefixes: Collection[str]) -> Iterator[PrefixStatus]:
    return (route for route in status.routes if route.prefix in prefixes)
