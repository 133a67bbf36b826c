"""The driver while ExaBGP answers nothing at all."""

from __future__ import annotations

import asyncio

from policy.plan import Withdraw
from policy.route import Asn, parse_prefix
from speaker.backends.exabgp.driver import ExabgpBackend
from speaker.config.settings import ExabgpSettings, NextHop
from tests.support.fakes.exabgp import Daemon, Exabgp
from tests.support.fakes.site import NEIGHBORS
from tests.support.fakes.virtual_time import run

CHANGES = [Withdraw(parse_prefix(f"198.51.{n // 256}.{n % 256}")) for n in range(5000)]
PATIENCE = 5.0


def test_many_changes_wait_no_longer_than_few() -> None:
    """Once even the question that brings it in step stays unanswered, no further line is waited for."""

    async def main() -> float:
        exabgp = Exabgp(Daemon(NEIGHBORS, 5, None))
        backend = ExabgpBackend(exabgp.spawn(), exabgp.write, wake=lambda: None, patience=PATIENCE)
        backend.configure(
            Asn(64699), ExabgpSettings(NextHop(), withdraw_on_exit=False, process=None)
        )
        reading = asyncio.create_task(backend.run())
        await asyncio.sleep(0)  # it reads from here on
        await backend.read(())
        exabgp.stall(1000)
        started = asyncio.get_running_loop().time()
        failures = await backend.apply(CHANGES)
        assert failures.keys() == {change.prefix for change in CHANGES}
        reading.cancel()
        return asyncio.get_running_loop().time() - started

    assert run(main()) <= 2 * PATIENCE + 1
