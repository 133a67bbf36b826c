"""Owns an import in the lab: `vip_mgmt import` of a site's files, and ExaBGP with what it wrote."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from typing import TYPE_CHECKING, Any

from tests.support.lab.exabgp import ExaBgp
from tests.support.lab.frr_site import BIN
from tests.support.lab.installed import NOBODY
from tests.support.lab.site import toml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.migration.stage import Stage
    from tests.support.lab.exabgp import Flavour
    from tests.support.lab.installed import Installed

TRANSLATED = (0, 2)
"""Exit statuses: all is translated; and there is something to look at."""


def run_import(
    files: Mapping[str, Path], out: Path, *options: str
) -> subprocess.CompletedProcess[str]:
    """Run `vip_mgmt import` for files by data centre; those that FRR has not written are Quagga's."""
    words = [f"{dc}={path}" for dc, path in files.items()]
    words += [
        f"--quagga={dc}" for dc, path in files.items() if b"frr version" not in path.read_bytes()
    ]
    argv = [str(BIN / "vip_mgmt"), "import", *words, "--out", str(out), *options]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)


def local_options(dc: str, stage: Stage) -> list[str]:
    """Return the options that say a stage's own addresses, one of each family."""
    return [
        word
        for version in (4, 6)
        if stage.has(version)
        for word in ("--local", f"{dc}={stage.address(version)}/{24 if version == 4 else 64}")
    ]


def begin_exabgp(
    stage: Stage, installed: Installed, flavour: Flavour, out: Path, dc: str
) -> ExaBgp:
    """Start ExaBGP on the host of a stage with what was imported for a data centre.

    VIPs have no realservers in the lab, so health is not looked at; files are where the lab has them.
    """
    folder = stage.speaker.directory / flavour
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    tables: dict[str, Any] = tomllib.loads((out / "vip.toml").read_text())
    tables["node"] |= {
        "state": str(folder / "state.sqlite3"),
        "control": str(folder / "control.sock"),
    }
    tables["health"] = {"source": "none"}
    for vip in tables["vip"].values():
        vip.pop("health", None)
    file = folder / "vip.toml"
    file.write_text(toml(tables))
    text = (out / f"exabgp-{dc}.conf").read_text()
    command = f"{installed.program('vip_watchdog')} --config {file};"
    text, count = re.subn(r"(run \S+ VIP_DC=\S+) .*;", rf"\1 {command}", text)
    assert count == 1, "one process, told its data centre"
    return ExaBgp(stage.speaker, flavour, text)
