"""The file for node_exporter is replaced in one step, by each pass; what goes wrong is said, and stops nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from speaker.telemetry import textfile
from speaker.telemetry.textfile import TextfileError, write, write_now
from tests.support.fakes.site import running
from tests.unit.telemetry.scraped import read, value

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_there(tmp_path: Path) -> None:
    """A pass leaves the same metrics as a scrape would show, readable for all, and nothing beside them."""
    path = tmp_path / "out" / "vip.prom"
    path.parent.mkdir()

    async def main() -> None:
        more = f'[metrics]\ntextfile = "{path}"\n'
        async with running(tmp_path, more=more, cycles=False) as site:
            write_now(site.reconciler)
            write_now(site.reconciler)

    asyncio.run(main())
    assert value(read(path.read_text()), "vip_withdrawals_held") == 0
    assert path.stat().st_mode & 0o777 == textfile.MODE
    assert [*path.parent.iterdir()] == [path]


def test_a_link_in_its_place(tmp_path: Path) -> None:
    """What a link in its place leads to is not touched: the link is replaced."""
    target, path = tmp_path / "secret", tmp_path / "vip.prom"
    target.write_text("kept")
    path.symlink_to(target)
    write(path, b"new")
    assert (target.read_text(), path.read_bytes(), path.is_symlink()) == ("kept", b"new", False)


def test_no_place(tmp_path: Path) -> None:
    """Where it can't be written, an alarm names it and what to do; the pass goes on."""
    with pytest.raises(
        TextfileError, match=r"no/vip\.prom: No such file.*correct metrics\.textfile"
    ):
        write(tmp_path / "no" / "vip.prom", b"")

    async def main() -> list[str]:
        more = f'[metrics]\ntextfile = "{tmp_path}/no/vip.prom"\n'
        async with running(tmp_path, more=more, cycles=False) as site:
            write_now(site.reconciler)
            return site.reconciler.alarms.texts

    assert "textfile: " in " ".join(asyncio.run(main()))


def test_a_full_disk(tmp_path: Path) -> None:
    """Where it can't be written to its end, the old one stays, and nothing is left beside it."""
    path = tmp_path / "vip.prom"
    write(path, b"old")
    path.with_name("d").mkdir()
    with pytest.raises(TextfileError):
        write(path.with_name("d"), b"new")  # a directory can't be replaced by a file
    assert path.read_bytes() == b"old"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["d", "vip.prom"]
