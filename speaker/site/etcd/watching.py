"""One turn of a watch: a stream at one member, which ends by itself after some seconds, between two things that happened."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from speaker.site.etcd import answers, requests
from speaker.site.etcd.errors import MemberError
from speaker.site.etcd.member import MAX_ANSWER

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from speaker.site.etcd.answers import WatchLine
    from speaker.site.etcd.login import Login
    from speaker.site.etcd.member import Lines, MemberClient

TURN = 2.5
"""Seconds of a turn. With the beginning of the next it is less than `SILENCE`."""


async def turn(
    member: MemberClient, login: Login, under: str, since: int, within: float
) -> AsyncGenerator[WatchLine, None]:
    """Yield that it has begun, and then what happens to the keys that begin with a text, from a revision on.

    Args:
        member: where.
        login: who asks.
        under: how the keys begin.
        since: the revision.
        within: seconds until it has begun.

    Raises:
        MemberError: it does not begin in time, or breaks.
        EtcdError: the member refuses.
    """
    loop = asyncio.get_running_loop()
    asked = requests.watch_from(under, since)
    async with AsyncExitStack() as stack:

        async def begin(token: str) -> tuple[Lines, WatchLine]:
            lines = await stack.enter_async_context(member.stream("/v3/watch", asked, token))
            return lines, answers.heard(await lines.next())

        try:
            async with asyncio.timeout(within):
                lines, heard = await login.asking(member, begin)
        except TimeoutError:
            raise MemberError(f"no answer in {within:g} s") from None
        yield heard
        ends = loop.time() + TURN
        while True:
            try:
                async with asyncio.timeout_at(ends):
                    heard = await _whole(lines)
            except TimeoutError:
                return
            yield heard


async def _whole(lines: Lines) -> WatchLine:
    """Return what happened next, put together where it comes in parts."""
    line = await lines.next()
    heard, size = answers.heard(line), len(line)
    changes = [*heard.changes]
    while heard.more:
        line = await lines.next()
        heard, size = answers.heard(line), size + len(line)
        changes += heard.changes
        if size > 4 * MAX_ANSWER:
            raise MemberError(f"what happened at once has more than {size} bytes")
    return replace(heard, changes=tuple(changes))
