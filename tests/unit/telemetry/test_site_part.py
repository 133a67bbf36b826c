"""The other machines on the status page: the same table as `status --site`, in which nothing from outside acts."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from policy.site_members import Member, MemberState
from speaker.control.site_shown import SiteShown
from speaker.telemetry.recent import Recent
from speaker.telemetry.shown import Shown
from speaker.telemetry.site_part import site_part
from tests.support.fakes.known_site import FakeKnownSite
from tests.support.fakes.site import V4, Site, running
from tests.support.lab.growth import assert_linear, counting
from tests.unit.telemetry.test_page import Read
from tests.unit.test_growth import many

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.lab.growth import Work

EVIL = "<script>\x1b[31m\"'&"
ALL = (
    Member("par1", "lb1", live=True),
    Member("par1", "lb2", live=True),
    Member("lyo1", "lb3", live=False),
)


def of(site: Site, *machines: Member, **more: Any) -> FakeKnownSite:
    found = FakeKnownSite(site.reconciler, machines=[*machines], **more)
    for prefix in site.reconciler.assignments:
        found.told[prefix] = [
            MemberState(each.dc, each.machine, announced=True, health="up", intent="auto")
            for each in machines
        ]
    site.reconciler.site = found
    return found


def part(directory: Path, *machines: Member, more: str = "", **values: Any) -> tuple[str, Work]:
    async def main() -> tuple[str, Work]:
        async with running(directory, more=more, cycles=False) as site:
            known = of(site, *machines, **values)
            with counting() as work:
                html = site_part(await SiteShown.of(site.reconciler, known))
            return html, work

    return asyncio.run(main())


def test_what_it_says(tmp_path: Path) -> None:
    """Who is silent is named, and what it announces is not known."""
    html, _ = part(tmp_path, *ALL)
    text = re.sub(r"\s+", " ", Read(html).text)
    assert "etcd connected" in text
    assert "lyo1/lb3 silent" in text
    assert "lyo1/lb3: not known" in text
    assert html.count('class="unknown"') == 4  # its note, and a cell for each of three prefixes


def test_nothing_acts(tmp_path: Path) -> None:
    """Whatever stands in etcd is only shown."""
    strange = Member(EVIL, EVIL, live=True, differs={None: EVIL}, clock_off=9.0)
    html, _ = part(tmp_path, ALL[0], strange, trouble=EVIL, connected=False, queued=3)
    read = Read(html)
    assert "script" not in [tag for tag, _ in read.tags]
    assert "\x1b" not in html
    assert "etcd not connected" in read.text
    assert "3 orders queued for others" in read.text


def test_it_is_made_when_something_changes(tmp_path: Path) -> None:
    """While no machine tells something else, the page is the same; without a site it has no such part."""

    async def main() -> None:
        async with running(tmp_path, cycles=False) as site:
            alone = (await Shown(site.reconciler, Recent()).page()).parts()
            assert "site" not in alone
            known = of(site, *ALL)
            shown = Shown(site.reconciler, Recent())
            first = await shown.page()
            assert "site" in first.parts()
            shown._pages._again = 0.0
            assert await shown.page() is first
            known.told[V4] = []
            shown._pages._again = 0.0
            second = await shown.page()
            assert [*(second.since(first) or {})] == ["site"]

    asyncio.run(main())


def test_growth(tmp_path: Path) -> None:
    """It grows with the number of prefixes, and no more."""

    def measure(count: int) -> Work:
        directory = tmp_path / str(count)
        directory.mkdir()
        return part(directory, *ALL, more=many(count))[1]

    assert_linear(measure)
