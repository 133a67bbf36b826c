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

from demo.names import Zone
from demo.router import Router, UnseenError
from demo.site import ASN, Site, Vip
from demo.stay import invitation, stay
from demo.story import Story
from demo.table import style, summary

INTERRUPTED = 130
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
    parser.add_argument(
        "--stay",
        action="store_true",
        help="start both data centres, say what to type at them, and stay until Ctrl-C",
    )
    options = parser.parse_args()
    keep: bool = options.keep
    directory = Path(tempfile.mkdtemp(prefix="vip-demo-"))
    started = time.monotonic()
    status = 1
    try:
        status = asyncio.run(_demo(directory, stays=options.stay))
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


async def _demo(directory: Path, *, stays: bool) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel if task else sys.exit)
    subnet, port = _free()
    dcs = {f"{subnet}.2": "par1", f"{subnet}.3": "lyo1"}
    router = Router(f"{subnet}.1", port, dcs)
    print("Two data centres announce the same VIPs to one router; the shortest AS_PATH wins.")
    print(f"The router (AS 64500) is {router.address} port {port}, here on loopback; the data")
    print(f"centres are {' and '.join(f'{n} ({a})' for a, n in dcs.items())}, both AS {ASN}.")
    async with AsyncExitStack() as stack:
        zone, resolver = await Zone.serve(router.address, {vip.name: vip.addresses for vip in VIPS})
        stack.callback(zone.close)
        program = await router.start(directory, ASN)
        stack.callback(router.close)
        stack.push_async_callback(program.stop)
        sites = [Site(name, address, VIPS, directory / name) for address, name in dcs.items()]
        for site in sites:
            stack.push_async_callback(site.stop)
        story = Story(router, VIPS, sites)
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
