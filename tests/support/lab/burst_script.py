"""A process that ExaBGP spawns: the driver alone, made to do many random changes, then to read back as the cycles do.

What changes again before it was sent ExaBGP may send in its earlier shape, which on a busy machine is often so: reading heals that.

Runs in the environment of the installed product; no import from the tests.
"""

import asyncio
import json
import os
import random
import sys
from contextlib import suppress
from ipaddress import IPv6Address, ip_network
from pathlib import Path

from policy.plan import Announce, Change, Withdraw
from policy.route import Asn, AsPath, Attributes, Prefix, Route
from speaker.backends.base import BackendError
from speaker.backends.exabgp.driver import ExabgpBackend
from speaker.config.settings import ExabgpSettings, NextHop

ASN = Asn(64699)
READ_EACH = 0.5
SIZES = (*(1,) * 16, 2, 3, 5, 20)


def prefixes(count: int) -> list[Prefix]:
    """Return host prefixes, half of them IPv6."""
    numbers = range(1, count // 2 + 1)
    return [ip_network(f"{host}{n}") for host in ("192.0.2.", "2001:db8::") for n in numbers]


def change(prefix: Prefix, chance: random.Random) -> Change:
    """Return a random change of a prefix."""
    if chance.random() < 0.4:
        return Withdraw(prefix)
    path = AsPath.originated(ASN, chance.randrange(4))
    return Announce(Route(prefix, Attributes(path, chance.choice((0, 10, 20)))))


async def driver(next_hop: str) -> ExabgpBackend:
    """Return a driver of ExaBGP's pipes."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    writer, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(1, "wb"))
    backend = ExabgpBackend(reader, writer.write, wake=lambda: None)
    hops = NextHop(None, IPv6Address(next_hop))
    backend.configure(ASN, ExabgpSettings(hops, withdraw_on_exit=False, process=None))
    return backend


async def burst(backend: ExabgpBackend, seed: int, count: int, width: int) -> dict[str, object]:
    """Do `count` changes over `width` prefixes; return what must be there then, and all failures."""
    chance = random.Random(seed)
    every = prefixes(width)
    state: dict[str, object] = {}
    failures: list[str] = []
    done = 0
    while done < count:
        chosen = chance.sample(every, min(chance.choice(SIZES), count - done))
        changes = [change(prefix, chance) for prefix in chosen]
        failures += (await backend.apply(changes)).values()
        for made in changes:
            state.pop(str(made.prefix), None)
            if isinstance(made, Announce):
                attributes = made.route.attributes
                state[str(made.prefix)] = [len(attributes.as_path), attributes.med]
        done += len(changes)
    return {"state": state, "failures": failures, "done": done}


async def main(result: Path, seed: str, count: str, width: str, next_hop: str) -> None:
    """Do the burst, write what must be there, and read back until ExaBGP goes."""
    backend = await driver(next_hop)
    running = asyncio.create_task(backend.run())
    await asyncio.sleep(0)  # it runs before anything is asked
    outcome = await burst(backend, int(seed), int(count), int(width))
    unfinished = result.with_suffix(".new")
    unfinished.write_text(json.dumps(outcome))
    unfinished.rename(result)
    while not running.done():
        with suppress(BackendError):
            await backend.read(prefixes(int(width)))
        await asyncio.wait({running}, timeout=READ_EACH)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
