"""Owns a real browser: Debian's chromium without a window, told what to do over its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-background-networking "
    "--disable-component-update --disable-sync --no-first-run --hide-scrollbars --no-proxy-server "
    "--remote-debugging-port=0"
).split()
WITHIN = 60.0
"""Seconds until it is a failure that a condition does not come to be."""


class Tab:
    """One page of the browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._asked = 0
        self.faults: list[str] = []
        """What the browser has complained of: scripts' errors, refusals by the content security policy."""

    async def call(self, method: str, **parameters: object) -> Any:
        """Have something done, and return what comes of it."""
        self._asked += 1
        await self._socket.send_json({"id": self._asked, "method": method, "params": parameters})
        async with asyncio.timeout(WITHIN):
            while True:
                answer = await self._socket.receive_json()
                if answer.get("id") == self._asked:
                    assert "error" not in answer, answer
                    return answer["result"]
                self._heard(answer)

    def _heard(self, event: dict[str, Any]) -> None:
        match event:
            case {"method": "Runtime.exceptionThrown", "params": what}:
                self.faults.append(json.dumps(what))
            case {"method": "Log.entryAdded", "params": {"entry": {"level": "error"} as what}}:
                self.faults.append(f"{what.get('url', '')}: {what['text']}")

    async def run(self, script: str) -> Any:
        """Return the value of an expression in the page."""
        found = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def until(self, script: str) -> Any:
        """Wait until an expression in the page is true, and return it."""
        async with asyncio.timeout(WITHIN):
            while not (found := await self.run(script)):  # noqa: ASYNC110 - the page is another program's
                await asyncio.sleep(0.05)
            return found

    async def open(self, url: str, width: int, *, dark: bool = False, script: bool = True) -> None:
        """Show a page, at a width, to somebody who likes it light or dark."""
        for domain in ("Page", "Runtime", "Log"):
            await self.call(f"{domain}.enable")
        await self.call("Emulation.setScriptExecutionDisabled", value=not script)
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        await self.call("Emulation.setEmulatedMedia", features=features)
        found = await self.call("Page.navigate", url=url)
        assert "errorText" not in found, found
        await self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def picture(self) -> bytes:
        """Return all of the page as a PNG."""
        found = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(found["data"])


@asynccontextmanager
async def browser(directory: Path) -> AsyncIterator[Tab]:
    """Run one with a profile of its own, and have its only tab."""
    process = await asyncio.create_subprocess_exec(
        "chromium",
        *FLAGS,
        f"--user-data-dir={directory}/profile",
        "about:blank",
        env={"HOME": str(directory), "PATH": "/usr/bin:/bin"},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(WITHIN):
            while b"DevTools listening on ws://" not in (line := await process.stderr.readline()):
                assert line, "chromium has ended"
        draining = asyncio.create_task(process.stderr.read())
        port = line.split(b":")[2].split(b"/")[0].decode()
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                tabs = await answer.json()
            (where,) = (tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
            async with session.ws_connect(where, max_msg_size=1 << 26) as socket:
                yield Tab(socket)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        draining.cancel()
