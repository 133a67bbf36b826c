"""The watchdog as ExaBGP spawns it, over a table of IPVS that is a file: for machines without ip_vs."""

import asyncio
import signal
import sys
from pathlib import Path

from speaker import config as configuration
from speaker.backends.exabgp.driver import ExabgpBackend
from speaker.clock import SystemClock
from speaker.health.ipvs.proc import ProcReader
from speaker.health.keepalived.fifo import Fifo
from speaker.health.sources import sources_for
from speaker.reconcile.loop import run_cycles
from speaker.reconcile.reconciler import Reconciler
from speaker.runtime.exabgp_process import _pipes
from speaker.state.store import Store
from speaker.supervision.threads import share_interpreter
from speaker.vip_watchdog import _stay


async def main(file: Path, table: Path) -> None:
    """Run until killed.

    Args:
        file: vip.toml.
        table: what stands for /proc/net/ip_vs.
    """
    reader, writer = await _pipes(asyncio.Event())

    def wake() -> None:
        reconciler.wake_and_read()

    backend = ExabgpBackend(reader, writer.write, wake=wake)
    config = configuration.load(file, {})
    settings = config.settings
    backend.configure(settings.dc.asn, settings.exabgp)
    clock = SystemClock()
    source = sources_for(config.topology, settings.health, clock, readers=[ProcReader(table)])
    reconciler = Reconciler(config, backend, source, Store(settings.state), clock)
    fifo = Fifo(lambda: settings.keepalived_fifo, reconciler.wake, lambda text: print(text, end=""))

    async def reload() -> None:
        new = await asyncio.to_thread(configuration.load, file, {})
        sources = await asyncio.to_thread(
            sources_for, new.topology, new.settings.health, clock, before=reconciler.source
        )
        await reconciler.configure(new, sources, lambda _: None)

    share_interpreter()
    _stay()
    async with asyncio.TaskGroup() as tasks:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, lambda: tasks.create_task(reload()))
        tasks.create_task(backend.run())
        tasks.create_task(run_cycles(reconciler))
        tasks.create_task(fifo.run())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
