"""An ExaBGP of a version that is not known, or not tested, is named wherever an operator looks."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speaker.backends.exabgp.version import UNTESTED, of_silence, parse_version
from speaker.check import world
from speaker.reconcile import status
from tests.support.fakes import virtual_time
from tests.support.fakes.site import PEER, running
from tests.support.fakes.virtual_time import VirtualClock
from tests.support.lab.exabgp import shipped

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from speaker.api import Status
    from tests.support.fakes.exabgp import Daemon
    from tests.support.fakes.site import Site

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("line", "name", "known", "tested"),
    [
        ("exabgp 4.2.21", "ExaBGP 4.2.21", True, True),
        ("exabgp 4.2.25", "ExaBGP 4.2.25", True, True),
        ("exabgp 5.0.15", "ExaBGP 5.0.15", True, True),
        ("exabgp 5.0.100", "ExaBGP 5.0.100", True, True),
        ("exabgp 5.0.12", "ExaBGP 5.0.12", True, False),
        ("exabgp 4.2.6", "ExaBGP 4.2.6", True, False),
        ("exabgp 5.1.0", "ExaBGP 5.1.0", False, False),
        ("exabgp 4.3.0", "ExaBGP 4.3.0", False, False),
        ("exabgp 6.0.0-20260101", "ExaBGP 6.0.0", False, False),
        ("exabgp 6.0.0rc1", "ExaBGP 6.0.0", False, False),
        ("exabgp 6.0", "ExaBGP 6.0", False, False),
        ("exabgp 5.0.16rc1", "ExaBGP 5.0.16", True, True),
        ("exabgp 5.0", "ExaBGP 5.0", True, False),
        ("exabgp 15.0.15", "ExaBGP 15.0.15", False, False),
        (
            "exabgp unknown-20260101+uncontrolled",
            "ExaBGP unknown-20260101+uncontrolled",
            False,
            False,
        ),
        ("exabgp main\x1b[31m", r"ExaBGP main\x1b[31m", False, False),
        ("exabgp", "ExaBGP that does not tell its version", False, False),
        ("something else", "ExaBGP that does not tell its version", False, False),
    ],
)
def test_version(line: str, name: str, *, known: bool, tested: bool) -> None:
    """Tested are 4.2 from 4.2.21 and 5.0 from 5.0.15; what is neither, or says what can't be read, is not known."""
    daemon = parse_version([line])
    assert (daemon.name, daemon.known, not daemon.untested) == (name, known, tested)


def test_silence() -> None:
    """One that says nothing may be any; one that refuses, or has another API, is not known."""
    assert of_silence("", refuses=False) is None
    assert of_silence("5.0.0", refuses=False) is None
    assert of_silence("4.0.1", refuses=False) is None
    for daemon in (of_silence("6.0.0", refuses=False), of_silence("", refuses=True)):
        assert daemon is not None
        assert not daemon.known
        assert daemon.untested == UNTESTED


def play(
    directory: Path, other: Callable[[Daemon], None], scene: Callable[[Site], Awaitable[None]]
) -> None:
    """Run a site whose ExaBGP is another one from its start."""

    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(directory, clock=clock, other=other) as site:
            await asyncio.sleep(60.0)
            await scene(site)

    virtual_time.run(main())


def found(head: Status) -> list[str]:
    """Return what `check` finds of the daemon, by what `status` answers."""
    return [str(finding) for finding in world.version(head.daemon).findings]


def test_it_refuses_everything(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """ExaBGP 6 without exabgp_api_version=4: its version is what is wrong, and not exabgp.api.ack."""

    def six(daemon: Daemon) -> None:
        daemon.refuses, daemon.api = True, "6.0.0"

    async def scene(site: Site) -> None:
        for _ in range(2):
            head = status.status(site.reconciler)
            (trouble,) = head.trouble
            assert "ExaBGP" in trouble
            assert UNTESTED in trouble
            assert "api.ack" not in trouble
            (finding,) = found(head)
            assert finding.endswith("[daemon-version]")
            # It tells of a session, and so the version of its API.
            site.exabgp.down(PEER)
            site.exabgp.up(PEER)
            await asyncio.sleep(60.0)
        assert "6.0.0" in trouble
        assert "6.0.0" in finding

    caplog.set_level(logging.ERROR)
    play(tmp_path, six, scene)
    assert UNTESTED in caplog.text
    assert "api.ack" not in caplog.text


@pytest.mark.parametrize("version", ["6.0.0", "unknown"])
def test_it_answers_and_is_not_known(tmp_path: Path, version: str) -> None:
    """ExaBGP 6 with exabgp_api_version=4: what it understands is done, and its version is an alarm, whatever it is."""

    def six(daemon: Daemon) -> None:
        daemon.version = version

    async def scene(site: Site) -> None:
        head = status.status(site.reconciler)
        assert head.trouble == (f"backend: ExaBGP {version}: {UNTESTED}",)
        assert found(head) == [
            f"ExaBGP {version}: it is not of a version that is tested; {UNTESTED} [daemon-version]"
        ]
        assert len(site.table()) == 3

    play(tmp_path, six, scene)


@pytest.mark.parametrize(("version", "count"), [("5.0.12", 1), ("5.0.15", 0), ("4.2.21", 0)])
def test_it_is_older_than_what_is_tested(version: str, count: int, tmp_path: Path) -> None:
    """An early release of 5.0 or 4.2 works, so it is a finding and no alarm; a tested one is neither."""

    def old(daemon: Daemon) -> None:
        daemon.version = version

    async def scene(site: Site) -> None:
        head = status.status(site.reconciler)
        assert head.trouble == ()
        assert head.daemon.name == f"ExaBGP {version}"
        assert len(found(head)) == count

    play(tmp_path, old, scene)


def test_what_is_shipped() -> None:
    """pip installs a tested ExaBGP, and its environment asks a later one for the API that we speak."""
    assert '"exabgp>=5.0.15,<6"' in (ROOT / "pyproject.toml").read_text()
    assert shipped()["exabgp.api.version"] == "4"
