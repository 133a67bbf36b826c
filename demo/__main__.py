"""`./dev demo`: arguments, what is set up and cleaned away, exit status."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from demo import cluster
from demo.cluster import Cluster
from demo.names import Zone
from demo.pairs import PairsStory
from demo.router import Router, UnseenError
from demo.site import ASN, Site, Vip
from demo.stay import invitation, stay
from demo.story import Story
from demo.table import style, summary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from demo.cluster import Line

INTERRUPTED = 130
DCS = ("par1", "lyo1")
PAIRS = ("par1/lb1", "par1/lb2", "lyo1/lb1", "lyo1/lb2")
VIPS = (
    Vip("vip-1.tld", ("192.0.2.1", "2001:db8::1"), ("par1", "lyo1")),
    Vip("vip-2.tld", ("192.0.2.2", "2001:db8::2"), ("lyo1", "par1")),
)


def main() -> int:
    """Run the demo and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="./dev demo",
        description="Two data centres and a router on this machine's loopback, without root.",
    )
    parser.add_argument("--keep", action="store_true", help="keep the files, and say where")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--stay",
        action="store_true",
        help="start both data centres, say what to type at them, and stay until Ctrl-C",
    )
    what.add_argument(
        "--site",
        action="store_true",
        help="two load balancers in each data centre, which know of one another by etcd (Debian: etcd-server)",
    )
    options = parser.parse_args()
    keep: bool = options.keep
    if options.site and cluster.program() is None:
        print(f"./dev demo --site: {cluster.INSTALL}", file=sys.stderr)
        return 2
    directory = Path(tempfile.mkdtemp(prefix="vip-demo-"))
    started = time.monotonic()
    status = 1
    try:
        status = asyncio.run(_demo(directory, stays=options.stay, pairs=options.site))
    except UnseenError as error:
        print(f"\n{style('FAILED', '1', '31')}: {error}", file=sys.stderr)
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("\ninterrupted; everything is stopped", file=sys.stderr)
        status = INTERRUPTED
    finally:
        if keep or status == 1:
            print(f"\nconfigurations, logs and state: {directory}", file=sys.stderr)
        else:
            shutil.rmtree(directory)
    if status == 0 and not options.stay:
        print(f"\nEvery step was seen at the router; {time.monotonic() - started:.0f} s in all.")
    return status


async def _demo(directory: Path, *, stays: bool, pairs: bool) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel if task else sys.exit)
    subnet, port = _free()
    names = {f"{subnet}.{n}": name for n, name in enumerate(PAIRS if pairs else DCS, 2)}
    router = Router(f"{subnet}.1", port, names)
    print("Two data centres announce the same VIPs to one router; the shortest AS_PATH wins.")
    print(f"The router (AS 64500) is {router.address} port {port}, here on loopback; the")
    print(f"{'machines' if pairs else 'data centres'} are", end=" ")
    print(f"{', '.join(f'{n} ({a})' for a, n in names.items())}, all AS {ASN}.", flush=True)
    async with AsyncExitStack() as stack:
        zone, resolver = await Zone.serve(router.address, {vip.name: vip.addresses for vip in VIPS})
        stack.callback(zone.close)
        program = await router.start(directory, ASN)
        stack.callback(router.close)
        stack.push_async_callback(program.stop)
        lines = await _lines(stack, subnet, directory, names) if pairs else []
        etcd = [line.endpoints for line in lines] or [[] for _ in names]
        sites = [
            Site(name, address, VIPS, directory / name.replace("/", "-"), etcd=endpoints)
            for (address, name), endpoints in zip(names.items(), etcd, strict=True)
        ]
        for site in sites:
            stack.push_async_callback(site.stop)
        story = PairsStory(router, VIPS, sites, lines) if pairs else Story(router, VIPS, sites)
        try:
            await story.begin(resolver)
            if not stays:
                await story.run()
        except UnseenError:
            for site in sites:
                print(f"\n--- {site.name}: end of its log\n{site.log()}", file=sys.stderr)
            raise
        if stays:
            print(f"\n{invitation(directory, sites, VIPS[0], os.getpid())}")
            print("\nWhat the router sees is shown here as it changes. Ctrl-C ends it.", flush=True)
            await stay(router, VIPS, sites[0])
            print("\nending", flush=True)
    if not stays:
        print(f"\n{summary(story.times)}")
    return 0


async def _lines(
    stack: AsyncExitStack, subnet: str, directory: Path, addresses: Iterable[str]
) -> list[Line]:
    """Start etcd, and return a line to it from each address."""
    members = Cluster(subnet, directory / "etcd")
    stack.push_async_callback(members.stop)
    await members.start()
    return [await members.line(address) for address in addresses]


def _free() -> tuple[str, int]:
    """Return the first three numbers of a part of loopback, and a port that is free on its `.1`.

    Picked at random, so that several demos can run at once.
    """
    while True:
        subnet = f"127.{random.randrange(64, 128)}.{random.randrange(256)}"  # noqa: S311
        with socket.socket() as probe:
            probe.bind((f"{subnet}.1", 0))
            port: int = probe.getsockname()[1]
        return subnet, port


if __name__ == "__main__":
    sys.exit(main())
