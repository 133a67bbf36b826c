"""Blocks of other daemons: an `exit` leaves as many for vtysh, which reads the file, as for an import."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from speaker.migration.bgpd_conf.placing import statements
from speaker.migration.bgpd_conf.statement import CommandMode
from tests.migration.blocks import BLOCKS
from tests.support.lab.release import outside

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.lab.release import Release

MOST = 8


def vtysh_reads(release: Release, lines: Sequence[str], folder: Path) -> bool:
    """Return whether vtysh takes every line of a file, and reads it to its end."""
    file = folder / "frr.conf"
    file.write_text("\n".join([*lines, ""]))
    argv = [*outside(release.root, "/usr/bin/vtysh"), "-C", "-f", str(file)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode == 0 and "early exit" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", BLOCKS)
def test_as_vtysh_reads(release: Release, name: str, tmp_path: Path) -> None:
    """So many `exit` lead to the top level, and one more ends the reading."""
    lines = BLOCKS[name]
    behind = "router bgp 64699"
    assert vtysh_reads(release, [*lines, behind], tmp_path), "vtysh takes the block"
    depth = next(
        count
        for count in range(MOST)
        if not vtysh_reads(release, [*lines, "exit", *["exit"] * count, behind], tmp_path)
    )
    text = "\n".join([*lines, *["exit"] * MOST, ""])
    modes = [each.mode for each in statements("frr.conf", text.encode())][len(lines) :]
    assert [mode is CommandMode.TOP for mode in modes] == [
        number >= depth for number in range(MOST)
    ]
