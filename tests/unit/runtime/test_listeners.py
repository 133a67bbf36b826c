"""What few sites have takes no memory of a watchdog until vip.toml has it, and runs once it does."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from speaker import config
from speaker.runtime.listeners import LISTENERS
from tests.support.fakes.site import running, write_config

SOURCE = Path(__file__).parents[3]
PROGRAM = """
import asyncio, json, sys
from pathlib import Path
from types import SimpleNamespace
from speaker import config, interpreter
interpreter.begin()
import speaker.runtime.exabgp_process
from speaker.reconcile.notices import Listeners
from speaker.runtime.listeners import LISTENERS

async def main():
    part = SimpleNamespace(listeners=Listeners())
    reconciler = SimpleNamespace(config=config.load(Path(sys.argv[1]), {}), durable=part, alarms=part)
    tasks = [asyncio.create_task(LISTENERS[name](reconciler)) for name in sys.argv[2:]]
    await asyncio.sleep(0)  # each runs until it has to wait
    print(json.dumps([sorted(sys.modules), [str(task.exception()) for task in tasks if task.done()]]))
    for task in tasks:
        task.cancel()

asyncio.run(main())
"""
OPTIONAL = ("metrics", "textfile", "hooks", "api", "site")
RARE = {
    "grpc",
    "prometheus_client",
    "pyroute2",
    "rich",
    "speaker.backends.quagga.driver",
    "speaker.control.api_server",
    "speaker.control.tls",
    "speaker.control.tokens",
    "speaker.health.checks.source",
    "speaker.health.ipvs.source",
    "speaker.health.tcp",
    "speaker.site",
    "speaker.telemetry",
}


def test_what_is_left_out(tmp_path: Path) -> None:
    """ExaBGP's process, of a file without any of it, has nothing of it in memory."""
    path = write_config(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, path, *OPTIONAL],
        capture_output=True,
        text=True,
        check=True,
        cwd=SOURCE,
    )
    modules, ended = json.loads(done.stdout)
    assert not ended
    assert "aiohttp" in modules
    assert RARE & {*modules} == set()
    assert {*OPTIONAL} <= {*LISTENERS}


ALL = {"metrics.prom", "api.sock", "event"}
MORE = """
[metrics]
textfile = "{there}/metrics.prom"
[api]
listen = ["{there}/api.sock"]
[events]
exec = ["/usr/bin/touch", "{there}/event"]
"""


def test_they_run_once_the_file_has_them(tmp_path: Path) -> None:
    """What a reload brings begins to work, and misses nothing that happens after it."""
    there = tmp_path / "there"
    there.mkdir()

    async def main() -> None:
        async with running(tmp_path) as site:
            names = ("textfile", "api", "hooks")
            tasks = [asyncio.create_task(LISTENERS[name](site.reconciler)) for name in names]
            await asyncio.sleep(0)
            assert not any(task.done() for task in tasks)
            assert not [*there.iterdir()]
            loaded = config.load(write_config(tmp_path, MORE.format(there=there)), {})
            await site.reconciler.configure(loaded, site.source, site.life.configure)
            site.reconciler.alarms.note("daemon", "gone")  # an event, before anything looks again
            async with asyncio.timeout(60):
                while not {each.name for each in there.iterdir()} >= ALL:  # noqa: ASYNC110 - files tell nobody
                    await asyncio.sleep(0.1)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())


def test_for_nobody(tmp_path: Path) -> None:
    """While vip.toml names nobody to tell, thousands of events are not put in words; once it does, they are."""

    async def main() -> None:
        async with running(tmp_path) as site:
            hooks = asyncio.create_task(LISTENERS["hooks"](site.reconciler))
            await asyncio.sleep(0)
            assert not site.reconciler.durable.listeners
            loaded = config.load(write_config(tmp_path, MORE.format(there=tmp_path)), {})
            await site.reconciler.configure(loaded, site.source, site.life.configure)
            assert site.reconciler.durable.listeners
            hooks.cancel()
            await asyncio.gather(hooks, return_exceptions=True)

    asyncio.run(main())
