"""A thousand HTTP checks a second in a process of their own: prints its share of a core, its memory, and how many are up."""

import asyncio
import json
import resource
import sys
import time
from ipaddress import ip_network

from policy.health import Health
from speaker.config.settings_checks import CheckSettings, HttpCheck
from speaker.health.checks.source import ChecksSource, probes

WARM, SECONDS = 3.0, 10.0
PREFIX = ip_network("192.0.2.1/32")


async def main(count: int, port: int) -> None:
    asks = HttpCheck(f"http://127.0.0.1:{port}/health", body="ok")
    checks = [CheckSettings(f"check-{index}", asks) for index in range(count)]
    source = ChecksSource({PREFIX: {each.name: probes(each, PREFIX, ()) for each in checks}})
    await source.observe()
    await asyncio.sleep(WARM)
    cpu, wall = time.process_time(), time.monotonic()
    await asyncio.sleep(SECONDS)
    share = (time.process_time() - cpu) / (time.monotonic() - wall)
    said = (await source.observe()).said[PREFIX].values()
    up = sum(each.health is Health.UP for each in said)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"share": share, "memory": memory, "up": up}))
    await source.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
