"""A machine of a data centre: its realservers, its vip.toml, its ExaBGP and the watchdog that it spawns."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demo import exabgp
from demo.realservers import Realserver
from demo.router import UnseenError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from demo.process import Program
    from demo.router import Router

ASN = 64699
"""All data centres', as sites have it."""


@dataclass(frozen=True, slots=True)
class Vip:
    """A VIP as vip.toml has it."""

    name: str
    addresses: tuple[str, ...]
    prefer: tuple[str, ...]

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What is announced of it."""
        return tuple(f"{a}/{128 if ':' in a else 32}" for a in self.addresses)


class Site:
    """One data centre, or one of its machines."""

    def __init__(
        self,
        name: str,
        address: str,
        vips: tuple[Vip, ...],
        directory: Path,
        *,
        etcd: Sequence[str] = (),
    ) -> None:
        """Make it, with nothing running.

        Args:
            name: the data centre's; of one of several machines in it, `par1/lb1`.
            address: its loopback address.
            vips: all VIPs.
            directory: where its files go.
            etcd: where it reaches etcd, if the machines know of one another.
        """
        self.name = name
        self.dc, _, self._machine = name.partition("/")
        self.address = address
        self._etcd = etcd
        self.realservers = {vip.name: Realserver(address) for vip in vips}
        self._vips = vips
        self._directory = directory
        self._exabgp: Program | None = None
        self.page = f"{address}:9180"
        """Where its status page is."""
        directory.mkdir()

    async def start(self, router: Router, resolver: str) -> None:
        """Start the realservers, write the configuration, start ExaBGP."""
        for realserver in self.realservers.values():
            await realserver.start()
        number = self.address.rpartition(".")[2]
        (self._directory / "vip.toml").write_text(self._toml(resolver, f"2001:db8:ffff::{number}"))
        (self._directory / "exabgp.conf").write_text(
            exabgp.process(
                "vip-speaker",
                [
                    exabgp.program("vip_watchdog"),
                    "--config",
                    str(self._directory / "vip.toml"),
                ],
            )
            + exabgp.neighbor(
                router.address,
                self.address,
                f"203.0.113.{number}",
                (ASN, 64500),
                "vip-speaker",
                f"connect {router.port};",
                "send { parsed; update; }",
            )
        )
        await self.start_exabgp()

    async def start_exabgp(self) -> None:
        """Start ExaBGP over the files as they are."""
        self._exabgp = await exabgp.start(self._directory / "exabgp.conf")

    async def stop_exabgp(self) -> None:
        """Stop ExaBGP and its watchdog."""
        if self._exabgp is not None:
            await self._exabgp.stop()
            self._exabgp = None

    async def stop(self) -> None:
        """Stop everything."""
        for realserver in self.realservers.values():
            await realserver.kill()
        await self.stop_exabgp()

    def log(self, lines: int = 15) -> str:
        """Return the end of what ExaBGP and the watchdog have logged, without what is routine."""
        path = self._directory / "exabgp.log"
        text = path.read_text(errors="replace") if path.exists() else "nothing"
        routine = ("statistics ", "processes       route added")
        kept = [line for line in text.splitlines() if not line.startswith(routine)]
        return "\n".join(kept[-lines:])

    # --- the operator ----------------------------------------------------------------------

    async def vip_mgmt(self, *arguments: str) -> tuple[int, str]:
        """Run vip_mgmt here. Return its exit status and all that it printed."""
        process = await asyncio.create_subprocess_exec(
            exabgp.program("vip_mgmt"),
            "--config",
            str(self._directory / "vip.toml"),
            *arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            output, _ = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            raise
        return process.returncode or 0, output.decode(errors="replace").rstrip()

    async def status(self, name: str) -> list[dict[str, Any]]:
        """Return what the watchdog says of a VIP's prefixes."""
        _, output = await self.vip_mgmt("status", "--json", name)
        routes: list[dict[str, Any]] = json.loads(output)["routes"]
        return routes

    def reconciler(self) -> int | None:
        """Return the process id of the watchdog that serves the control socket (SO_PEERCRED)."""
        with socket.socket(socket.AF_UNIX) as control:
            try:
                control.connect(str(self._directory / "control.sock"))
            except OSError:
                return None
            credentials = control.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        pid: int = struct.unpack("3i", credentials)[0]
        return pid

    async def next_watchdog(self, old: int, within: float) -> int:
        """Wait until another watchdog than `old` serves the control socket. Return its process id.

        Raises:
            UnseenError: none did in time.
        """
        deadline = time.monotonic() + within
        while (new := self.reconciler()) is None or new == old:
            if time.monotonic() > deadline:
                raise UnseenError(f"{self.name}: no new watchdog within {within:g} s")
            await asyncio.sleep(0.05)
        return new

    # --- its files -------------------------------------------------------------------------

    def _toml(self, resolver: str, next_hop: str) -> str:
        """Return vip.toml: what differs between the two is [node], and who the realservers are."""
        head = f"""\
[node]
dc = "{self.dc}"
state = "{self._directory}/state.sqlite3"
control = "{self._directory}/control.sock"
resolver = "{resolver}"
next_hop = {{ ipv6 = "{next_hop}" }}

[metrics]
listen = "{self.page}"

[health]
source = "tcp"
interval = "200ms"
"""
        if self._etcd:
            head += f"""
[site]
etcd = {json.dumps(list(self._etcd))}
machine = "{self._machine}"

[policy]
keep_last = true
max_withdraw = "100%"
"""
        dcs = [
            f'\n[dc.{name}]\nasn = {ASN}\nmark = "{ASN}:{number}"\n'
            for number, name in enumerate(sorted(self._vips[0].prefer), 1)
        ]
        vips = [
            f"""
[vip."{vip.name}"]
addresses = {json.dumps(vip.addresses)}
prefer = {json.dumps(vip.prefer)}
services = {{ "tcp/80" = {{ realservers = ["{self.realservers[vip.name].endpoint}"] }} }}
"""
            for vip in self._vips
        ]
        return head + "".join(dcs) + "".join(vips)
