"""The status page in a real browser: on a phone and a desk, light and dark, with and without scripts."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from policy.intent import Intent, Mode
from speaker.telemetry.server import serving
from tests.support.fakes.site import INSIDE, SECOND, V4, running
from tests.support.lab.browser import browser
from tests.telemetry.test_alerts import needs
from tests.unit.telemetry.test_server import free_port

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.support.fakes.site import Site
    from tests.support.lab.browser import Tab

LIVE = "document.getElementById('live').textContent === 'Live'"
WIDE = "document.documentElement.scrollWidth"
# The contrast of each text with what is behind it (WCAG 2.1, 1.4.3), where that is less than 4.5.
FAINT = """
(() => {
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const found = numbers(getComputedStyle(e).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const e of document.querySelectorAll('main *, #live')) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
    const [a, b] = [light(numbers(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) faint.push(e.textContent.trim());
  }
  return faint;
})()
"""


def shown(directory: Path, look: Callable[[Site, Tab, str], Awaitable[Any]]) -> None:
    """Run a site with a drain and a session that is down, and a browser."""
    needs("chromium")

    async def main() -> None:
        port = free_port()
        async with (
            running(directory) as site,
            serving(site.reconciler, (IPv4Address("127.0.0.1"), port)),
            browser(directory) as tab,
        ):
            await site.reconciler.operator.apply({SECOND: Intent(Mode.DRAINED, "alice", 0.0)})
            site.exabgp.daemon.drop(INSIDE)
            site.reconciler.wake_and_read()
            await look(site, tab, f"http://127.0.0.1:{port}/")
            assert tab.faults == []

    asyncio.run(main())


def test_widths_and_colours(tmp_path: Path) -> None:
    """At 400 and at 1,280 pixels nothing sticks out, and in light and dark each text can be read."""

    async def look(site: Site, tab: Tab, url: str) -> None:
        del site
        for width in (400, 1280):
            for dark in (False, True):
                await tab.open(url, width, dark=dark)
                await tab.until(LIVE)
                assert await tab.run(WIDE) == width
                assert await tab.run(FAINT) == []
                assert len(await tab.picture()) > 10_000

    shown(tmp_path, look)


def test_live(tmp_path: Path) -> None:
    """What changes is changed in the page by itself, and the filter that somebody typed stays."""

    async def look(site: Site, tab: Tab, url: str) -> None:
        await tab.open(url, 400)
        await tab.until(LIVE)
        await tab.run("document.getElementById('filter').value = 'vip-1'; filter()")
        assert await tab.run("document.getElementById('vip-1').hidden")
        site.source.live[V4] = 0
        site.reconciler.wake()
        await tab.until("document.getElementById('vip-0').textContent.includes('not announced')")
        await tab.until("document.getElementById('recent').textContent.includes('192.0.2.1/32')")
        assert await tab.run("document.getElementById('vip-1').hidden")

    shown(tmp_path, look)


def test_why_opens(tmp_path: Path) -> None:
    """A row opens to the decision in sentences, fits a phone and a desk, and stays open while it changes."""
    why = "document.querySelector('#vip-0 details')"

    async def look(site: Site, tab: Tab, url: str) -> None:
        for width in (400, 1280):
            await tab.open(url, width)
            await tab.until(LIVE)
            assert not await tab.run(f"{why}.querySelector('dl').checkVisibility()")
            await tab.run("document.querySelectorAll('summary').forEach((each) => each.click())")
            assert await tab.run(f"{why}.querySelector('dl').textContent.includes('by health')")
            assert await tab.run(f"{why}.querySelector('dl').checkVisibility()")
            assert await tab.run(WIDE) == width
            assert await tab.run(FAINT) == []
        site.source.live[V4] = 0
        site.reconciler.wake()
        await tab.until("document.getElementById('vip-0').textContent.includes('not announced')")
        assert await tab.run(f"{why}.open")

    shown(tmp_path, look)


def test_a_screen_reader(tmp_path: Path) -> None:
    """A table is a table with names of columns on a phone too, and each state is a word."""

    async def look(site: Site, tab: Tab, url: str) -> None:
        del site
        await tab.open(url, 400)
        await tab.until(LIVE)
        nodes = (await tab.call("Accessibility.getFullAXTree"))["nodes"]
        found = [(n.get("role", {}).get("value"), n.get("name", {}).get("value")) for n in nodes]
        assert ("table", "VIPs") in found
        assert ("columnheader", "Announced") in found
        assert ("heading", "Trouble") in found
        assert ("main", "") in found
        assert any(role == "status" for role, _ in found)
        assert any("not announced" in (name or "") for _, name in found)

    shown(tmp_path, look)


def test_without_scripts(tmp_path: Path) -> None:
    """Without scripts the page has all of it, and is loaded again by itself."""

    async def look(site: Site, tab: Tab, url: str) -> None:
        del site
        await tab.open(url, 1280, script=False)
        html = (
            await tab.call(
                "DOM.getOuterHTML", nodeId=(await tab.call("DOM.getDocument"))["root"]["nodeId"]
            )
        )["outerHTML"]
        assert "drained by alice" in html
        assert 'http-equiv="refresh"' in html

    shown(tmp_path, look)
