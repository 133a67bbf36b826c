"""What a command over bgpd does without: a pass of cron, and an intent where no daemon runs, are over at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from speaker.exit_status import ExitStatus
from tests.support.fakes.site import write_config

SOURCE = Path(__file__).parents[3]
BGPD = """
[health]
source = "none"
[backend.quagga]
vtysh = "{directory}/vtysh"
"""
RUN = """
import importlib, json, sys
status = importlib.import_module(f"speaker.{sys.argv[1]}").main(sys.argv[2:])
with open("modules", "w") as file:
    json.dump([int(status), sorted(sys.modules)], file)
"""
HEAVY = {
    # of libraries: HTTP's server, netlink, DNS, screens
    "aiohttp",
    "dns",
    "pyroute2",
    "rich",
    # of the daemons and of other subcommands
    "policy.explain",
    "policy.lint",
    "speaker.backends.exabgp",
    "speaker.check",
    "speaker.control.server",
    "speaker.migration",
    "speaker.runtime.service",
    "speaker.site",
    "speaker.supervision.sentinel",
    "speaker.supervision.supervisor",
    "speaker.telemetry",
}


def _imported(directory: Path, command: str, *arguments: str) -> tuple[int, set[str]]:
    """Run a command; return its exit status, and what is imported."""
    config = write_config(directory, BGPD.format(directory=directory))
    # Where the project is not installed, it is found from the folder that the tests run in.
    path = os.pathsep.join(filter(None, [str(SOURCE), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", RUN, command, *arguments],
        cwd=directory,
        env={**os.environ, "VIP_BACKEND": "quagga", "VIP_CONFIG": str(config), "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    status, modules = json.loads((directory / "modules").read_text())
    return status, set(modules)


@pytest.mark.parametrize(
    ("command", "arguments", "part", "status"),
    [
        ("vip_watchdog", (), "speaker.runtime.bgpd", ExitStatus.USAGE),
        ("vip_mgmt", ("-d", "192.0.2.1"), "speaker.runtime.one_shot", ExitStatus.NOT_AS_WANTED),
    ],
)
def test_what_is_left_out(
    tmp_path: Path, command: str, arguments: tuple[str, ...], part: str, status: ExitStatus
) -> None:
    """Both go as far as bgpd, which does not answer, without what only others need."""
    vtysh = tmp_path / "vtysh"
    vtysh.write_text("#!/bin/sh\nexit 3\n")
    vtysh.chmod(0o755)
    ended, modules = _imported(tmp_path, command, *arguments)
    assert ended == status
    assert {part, "speaker.reconcile.status", "asyncio"} <= modules
    assert HEAVY & modules == set()


def test_what_a_status_leaves_out() -> None:
    """Where a watchdog answers, `vip_mgmt status` needs nothing of planned drains, reports, and other questions."""
    program = "import sys; import speaker.cli.answers, speaker.cli.query; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=SOURCE
    )
    loaded = {*done.stdout.split()}
    assert "speaker.control.running" in loaded
    others = {
        "speaker.planned",
        "speaker.reported",
        "speaker.cli.history",
        "speaker.cli.explanation",
        "speaker.state.store",
    }
    assert not loaded & others


RARE = {
    # of checks, rules, reports and planned drains, which few sites have
    "policy.report",
    "policy.rule",
    "policy.window",
    "speaker.config.build_api",
    "speaker.config.build_checks",
    "speaker.config.build_rules",
    "speaker.pattern",
    "speaker.planned",
    "speaker.reported",
    # of what decides
    "policy.assess",
    "policy.judge",
    "policy.witness",
}


def _run(directory: Path, *words: str) -> set[str]:
    """Run vip_mgmt where no watchdog answers; return what is imported."""
    write_config(directory)
    program = (
        "import sys; from speaker import vip_mgmt; vip_mgmt.main(sys.argv[1:]); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        env={**os.environ, "VIP_CONFIG": str(directory / "vip.toml")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        cwd=SOURCE,
    )
    return {*done.stdout.splitlines()[-1].split()}


@pytest.mark.parametrize("words", [("check", "--form"), ("plan",)], ids=" ".join)
def test_what_a_file_without_it_leaves_out(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Of what few sites have, and of what is only decided with, nothing is imported to read a file, and to be refused."""
    loaded = _run(tmp_path, *words)
    assert "speaker.config.build" in loaded
    assert not loaded & (RARE | {"sqlite3"})
    assert not loaded & {"speaker.cli.operate", "speaker.config.build_site", "speaker.site_values"}
    assert ("speaker.api" in loaded) is ("plan" in words)


def test_what_an_offline_status_leaves_out(tmp_path: Path) -> None:
    """Status by the state file alone decides nothing."""
    loaded = _run(tmp_path, "status")
    assert "speaker.state.store" in loaded
    assert not loaded & {"policy.assess", "policy.judge", "speaker.planned", "speaker.reported"}


def test_tables_are_made_once() -> None:
    """What checks a file's form is made when one is read, of all tables together, and of none by itself before."""
    program = (
        "import pydantic, speaker.config.schema\n"
        "def tables(of):\n"
        "    return [each for own in of.__subclasses__() for each in (own, *tables(own))]\n"
        "found = [each for each in tables(pydantic.BaseModel) if each.__module__.startswith('speaker.')]\n"
        "print(len(found), *[each.__name__ for each in found if each.__pydantic_complete__])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=SOURCE
    )
    count, *made = done.stdout.split()
    assert int(count) > 20
    assert not made
