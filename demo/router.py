"""The router: a third ExaBGP, and what each data centre has announced to it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo import exabgp, tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo.process import Program

AsPath = tuple[int, ...]
DaemonState = Mapping[str, Mapping[str, AsPath]]
"""The Adj-RIB-In of each data centre, or of each machine (`par1/lb1`): prefix -> AS_PATH."""

ASN = 64500


class UnseenError(Exception):
    """The router did not see in time what it should."""


def best(view: DaemonState, prefix: str) -> str | None:
    """Return the data centre with the shortest AS_PATH (RFC 4271 §9.1.2.2), None for none or a tie of several."""
    lengths = {name: len(routes[prefix]) for name, routes in view.items() if prefix in routes}
    shortest = {
        n.partition("/")[0] for n, length in lengths.items() if length == min(lengths.values())
    }
    return shortest.pop() if len(shortest) == 1 else None


class Router:
    """Records what it hears. Nothing is taken from the data centres' own word."""

    def __init__(self, address: str, port: int, dcs: Mapping[str, str]) -> None:
        """Hear nothing yet.

        Args:
            address: on which address it listens,
            port: and on which TCP port.
            dcs: the data centres' names, or the machines', by their addresses.
        """
        self.address = address
        self.port = port
        self._dcs = dcs
        self.view: dict[str, dict[str, AsPath]] = {dc: {} for dc in dcs.values()}
        self._waiting: list[tuple[Callable[[DaemonState], bool], asyncio.Future[float]]] = []
        self._heard = asyncio.Event()

    # --- its life --------------------------------------------------------------------------

    async def start(self, directory: Path, asn: int) -> Program:
        """Start its ExaBGP, and wait until it talks to us."""
        path = directory / "router.sock"
        self._server = await asyncio.start_unix_server(self._listen, path, limit=1 << 20)
        conf = directory / "router.conf"
        conf.write_text(
            exabgp.process("seen", [sys.executable, str(Path(tell.__file__)), str(path)])
            + "".join(
                exabgp.neighbor(
                    remote,
                    self.address,
                    "203.0.113.1",
                    (ASN, asn),
                    "seen",
                    "passive true;",
                    "receive { parsed; update; }",
                )
                for remote in self._dcs
            )
        )
        program = await exabgp.start(conf, listen=self.address, port=self.port)
        with suppress(TimeoutError):
            async with asyncio.timeout(30):
                await self._heard.wait()
                return program
        await program.stop()
        self.close()
        raise UnseenError(f"the router's ExaBGP did not start; see {program.log}")

    def close(self) -> None:
        """Hear no more."""
        self._server.close()

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._heard.set()
        async for line in reader:
            self.hear(json.loads(line))
        writer.close()

    # --- what it hears ---------------------------------------------------------------------

    def hear(self, message: Any) -> None:
        """Take one of ExaBGP's messages: an UPDATE, or a session that is down."""
        match message:
            case {"neighbor": {"address": {"peer": str(peer)}, "state": "down"}}:
                self.view[self._dcs[peer]].clear()
            case {
                "neighbor": {"address": {"peer": str(peer)}, "message": {"update": dict(update)}}
            }:
                self._update(self.view[self._dcs[peer]], update)
        now = asyncio.get_running_loop().time()
        for wanted, seen in self._waiting:
            if not seen.done() and wanted(self.view):
                seen.set_result(now)

    def _update(self, routes: dict[str, AsPath], update: dict[str, Any]) -> None:
        for nlris in update.get("withdraw", {}).values():
            for nlri in nlris:
                routes.pop(nlri["nlri"], None)
        segments = update.get("attribute", {}).get("as-path", {}).values()
        path = tuple(asn for segment in segments for asn in segment["value"])
        for hops in update.get("announce", {}).values():
            for nlris in hops.values():
                for nlri in nlris:
                    routes[nlri["nlri"]] = path

    async def until(self, wanted: Callable[[DaemonState], bool], within: float) -> float:
        """Wait until the view is as wanted. Return when it became so, on the loop's clock.

        Raises:
            TimeoutError: it did not.
        """
        loop = asyncio.get_running_loop()
        if wanted(self.view):
            return loop.time()
        seen: asyncio.Future[float] = loop.create_future()
        waiting = (wanted, seen)
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(within):
                return await seen
        finally:
            self._waiting.remove(waiting)
