"""What a site stores in etcd: bytes and writes, as watchdogs make them, repeated for many machines in a real etcd.

    .venv/bin/python -m tests.tools.bench.site_store [VIPS [MACHINES]]

Two watchdogs of 1,000 VIPs at an etcd in memory, in virtual time, give what one machine stores: at its start, at rest, for a drain of all. A cluster
of three of the real one, on loopback and this machine's disk, then stores the same for as many VIPs, under the names of all machines.
"""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

from policy.intent import Mode
from policy.site_intent import EVERYWHERE, Extent
from speaker.config.settings_site import SiteSettings
from speaker.site.base import Delete, Put, Transacted
from speaker.site.etcd.client import EtcdClient
from speaker.site.keys import KeyKind, parse_key
from tests.support.fakes.etcd import Cluster
from tests.support.fakes.machines import PREFIX, machines
from tests.support.fakes.virtual_time import run
from tests.unit.test_growth import many

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from speaker.site.base import Compare

PAIR = "par1/lb1", "lyo1/lb1"
REST = 600.0
"""Seconds that are watched at rest."""
COMMIT = 0.01
"""Seconds that the etcd in memory takes for a transaction: about what a disk does."""
WITHIN = 60.0
CLIENT, PEER = 23790, 23890
EACH = 1000
"""VIPs of the watchdogs."""


class Recorded(Cluster):
    """An etcd in memory that keeps what was stored."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[tuple[Put | Delete, ...]] = []

    def transact(self, compares: Sequence[Compare], then: Sequence[Put | Delete]) -> Transacted:
        """Keep it, if it was done."""
        found = super().transact(compares, then)
        if found.done:
            self.done.append(tuple(then))
        return found

    def taken(self) -> list[tuple[Put | Delete, ...]]:
        """Return what was stored since this was asked last."""
        found, self.done = self.done, []
        return found


@dataclass
class Scenes:
    """What was stored, by what happened: transactions."""

    of: dict[str, list[tuple[Put | Delete, ...]]] = field(default_factory=dict)


def kind(change: Put | Delete) -> tuple[str, Extent]:
    key = parse_key(change.key.removeprefix(PREFIX))
    assert key is not None
    return key.kind, key.extent


def of_one(done: Iterable[tuple[Put | Delete, ...]]) -> Iterator[tuple[Put | Delete, ...]]:
    """Yield what the first machine told, and what was asked of all."""
    for each in done:
        what, extent = kind(each[0])
        if what == KeyKind.INTENT or str(extent) == PAIR[0]:
            yield each


def record(folder: Path, vips: int) -> Scenes:
    """Run the watchdogs, and return what was stored."""
    found = Scenes()

    async def main() -> None:
        cluster = Recorded()
        async with machines(folder, *PAIR, more=many(vips), cluster=cluster) as site:
            for each in site.all:
                each.etcd.slow = COMMIT
            one = site[PAIR[0]]
            told = 2 * len(one.life.reconciler.assignments)

            async def settled() -> None:
                await asyncio.sleep(60)
                assert len(cluster.contents(f"{PREFIX}state/")) == told

            await settled()
            found.of["start"] = cluster.taken()
            await asyncio.sleep(REST)
            found.of["rest"] = cluster.taken()
            prefixes = [*one.life.reconciler.assignments]
            done = await one.order(Mode.DRAINED, prefixes, EVERYWHERE, 600.0)
            assert done.complete, done.why
            await asyncio.sleep(30)
            found.of["drain"] = cluster.taken()
            done = await one.order(Mode.AUTO, prefixes, EVERYWHERE, 600.0)
            await asyncio.sleep(30)
            found.of["restore"] = cluster.taken()
            site.untrue.clear()  # of a restore that etcd does not have yet the audit knows nothing

    run(main())
    return found


# --- a real one ------------------------------------------------------------------------------------


class Real:
    """Three members on loopback."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.urls = [f"http://127.0.0.1:{CLIENT + number}" for number in range(3)]
        peers = [f"http://127.0.0.1:{PEER + number}" for number in range(3)]
        initial = ",".join(f"m{number}={url}" for number, url in enumerate(peers))
        for number in range(3):
            process = subprocess.Popen(
                [
                    "etcd", f"--name=m{number}", f"--data-dir={folder}/m{number}",
                    f"--listen-client-urls={self.urls[number]}",
                    f"--advertise-client-urls={self.urls[number]}",
                    f"--listen-peer-urls={peers[number]}",
                    f"--initial-advertise-peer-urls={peers[number]}",
                    f"--initial-cluster={initial}", "--quota-backend-bytes=8000000000",
                    "--logger=zap", "--log-level=error",
                ],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            stack.callback(process.wait)
            stack.callback(process.terminate)
            if number == 0:
                self.pid = process.pid

    def ctl(self, *words: str) -> str:
        """Run etcdctl."""
        argv = ["etcdctl", f"--endpoints={self.urls[0]}", "--command-timeout=60s", *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=True, env={"ETCDCTL_API": "3", "PATH": "/usr/bin"})  # fmt: skip
        return done.stdout

    def sizes(self) -> str:
        """Return how large a member is, and how much it has written."""
        status = json.loads(self.ctl("endpoint", "status", "--write-out=json"))[0]["Status"]
        io = dict(
            line.split(": ") for line in Path(f"/proc/{self.pid}/io").read_text().splitlines()
        )
        rss = next(line.split()[1] for line in Path(f"/proc/{self.pid}/status").read_text().splitlines() if line.startswith("VmRSS"))  # fmt: skip
        return (
            f"database {status['dbSize'] / 1e6:.0f} MB, in use {status['dbSizeInUse'] / 1e6:.0f} MB; "
            f"written to the disk so far {int(io['write_bytes']) / 1e6:.0f} MB; memory {int(rss) / 1e3:.0f} MB"
        )

    def compact(self) -> None:
        """Forget what was before."""
        status = json.loads(self.ctl("endpoint", "status", "--write-out=json"))[0]["Status"]
        self.ctl("compaction", "--physical", str(status["header"]["revision"]))


def renamed(
    each: Sequence[Put | Delete], machine: Extent | None, lease: int, part: int
) -> list[Put | Delete]:
    """Return what is stored, as another machine does, and of other VIPs."""
    found: list[Put | Delete] = []
    for change in each:
        key = parse_key(change.key.removeprefix(PREFIX))
        assert key is not None
        prefix = None if key.prefix is None else ip_network((int(key.prefix.network_address) + part * EACH, key.prefix.prefixlen))  # fmt: skip
        name = f"{PREFIX}{replace(key, extent=machine or key.extent, prefix=prefix)}"
        found.append(Put(name, change.value, lease) if isinstance(change, Put) else Delete(name))
    return found


async def store(
    client: EtcdClient,
    done: Sequence[tuple[Put | Delete, ...]],
    machine: Extent | None,
    lease: int,
    parts: int,
) -> None:
    """Store what one machine did, as another one; without one, what was asked of all."""
    for each in done:
        if (kind(each[0])[0] == KeyKind.INTENT) is (machine is None):
            many_times = parts if kind(each[0])[0] in (KeyKind.INTENT, KeyKind.STATE) else 1
            for part in range(many_times):
                await client.transact([], renamed(each, machine, lease, part), within=WITHIN)


async def play(real: Real, scenes: Scenes, count: int, parts: int) -> None:
    """Store what each of many machines would, scene by scene."""
    settings = SiteSettings(tuple(real.urls), "bench")
    clients = [EtcdClient(settings) for _ in range(count)]
    names = [Extent(f"dc{number % 4}", f"lb{number}") for number in range(count)]
    leases = [await each.grant(3600, within=WITHIN) for each in clients]
    try:
        began = time.monotonic()
        await store(clients[0], [*of_one(scenes.of["start"])], names[0], leases[0], parts)
        print(f"start of one machine: {time.monotonic() - began:.1f} s; {real.sizes()}", flush=True)
        for scene in ("start", "drain", "restore"):
            began = time.monotonic()
            done = [*of_one(scenes.of[scene])]
            await store(clients[0], done, None, 0, parts)
            async with asyncio.TaskGroup() as group:
                for client, machine, lease in zip(clients, names, leases, strict=True):
                    group.create_task(store(client, done, machine, lease, parts))
            print(
                f"{scene} of {count} machines: {time.monotonic() - began:.0f} s; {real.sizes()}",
                flush=True,
            )
        real.compact()
        print(f"compacted: {real.sizes()}")
        real.ctl("defrag")
        print(f"defragmented: {real.sizes()}")
        began = time.monotonic()
        found = await clients[0].read(PREFIX, within=WITHIN)
        size = sum(len(each.key) + len(each.value) for each in found.items)
        print(
            f"all read: {len(found.items)} keys, {size / 1e6:.1f} MB, {time.monotonic() - began:.1f} s"
        )
        real.ctl("snapshot", "save", f"{real.folder}/copy")
        print(f"a copy: {(real.folder / 'copy').stat().st_size / 1e6:.0f} MB")
    finally:
        for each in clients:
            await each.close()


def main(vips: int = 10_000, count: int = 20) -> None:
    """Print what is measured."""
    logging.disable()
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        (folder / "machines").mkdir()
        scenes = record(folder / "machines", EACH)
        for scene, done in scenes.of.items():
            of: dict[str, list[Put | Delete]] = {}
            count_of: dict[str, int] = {}
            for each in of_one(done):
                what = kind(each[0])[0]
                of.setdefault(what, []).extend(each)
                count_of[what] = count_of.get(what, 0) + 1
            for what, changes in of.items():
                size = sum(len(c.key) + len(getattr(c, "value", b"")) for c in changes)
                print(
                    f"{scene}: {what}: {count_of[what]} transactions, {len(changes)} keys, {size / 1e3:.1f} kB, "
                    f"{size / len(changes):.0f} bytes for each; such as {changes[-1]}",
                    flush=True,
                )
        real = Real(folder, stack)
        time.sleep(3)
        asyncio.run(play(real, scenes, count, vips // EACH))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
