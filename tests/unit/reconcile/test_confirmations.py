"""What is confirmed of many prefixes, in steps: nothing is forgotten where one is cut short."""

from __future__ import annotations

import asyncio

from policy.assess import Assessment, Memory
from policy.decide import Cause, Decision
from policy.route import parse_prefix
from speaker.reconcile.confirmations import Confirmations
from speaker.reconcile.daemon_state import DaemonState
from speaker.state.store import Owned
from speaker.supervision.steps import STEP

PREFIXES = [parse_prefix(f"2001:db8::{number:x}") for number in range(STEP + 1)]


def test_cut_short() -> None:
    """What is withdrawn at the daemon, and a session has yet, is said once no session has it, although looking was cut short."""

    async def main() -> None:
        assessment = Assessment(
            {p: Decision(p, None, Cause.HEALTH, "down: 0 realservers") for p in PREFIXES},
            dict.fromkeys(PREFIXES),
            {},
            Memory(),
            None,
        )
        view = DaemonState()
        view.confirmed = dict.fromkeys(PREFIXES)
        view.sent = {prefix: {"a": True} for prefix in PREFIXES}
        owned = dict.fromkeys(PREFIXES, Owned("as it was"))
        of = Confirmations()

        async def look() -> int:
            found = await of.new(assessment, view, owned, frozenset(), 0.0)
            of.done(assessment, view, owned, frozenset())
            return len(found.notices)

        assert await look() == 0
        cut_short = asyncio.create_task(look())
        await asyncio.sleep(0)
        cut_short.cancel()
        await asyncio.wait({cut_short})
        assert cut_short.cancelled()
        view.sent = {prefix: {"a": False} for prefix in PREFIXES}
        assert await look() == len(PREFIXES)

    asyncio.run(main())
