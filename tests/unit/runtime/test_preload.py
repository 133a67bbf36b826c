"""What a watchdog that stays imports later: it is there from the start, because an upgrade replaces the files under it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3]
PROGRAM = """
import sys
from speaker.runtime import {process}
from speaker.runtime.preload import preload
preload()
{more}
print(*(name for name in sys.modules if name.startswith(("speaker", "policy"))))
"""
AT_START = ("speaker.backends.quagga.", "speaker.runtime.")
"""What the start itself imports, after that: the driver, and what is made with it."""


def later(module: str) -> set[str]:
    """Return what of ours the functions of a module import."""
    path = SOURCE / (module.replace(".", "/") + ".py")
    if not path.exists():
        return set()
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in ast.walk(node):
                if isinstance(inner, ast.ImportFrom) and inner.module:
                    own = {inner.module, *(f"{inner.module}.{each.name}" for each in inner.names)}
                    names |= {name for name in own if _file(name)}
    return names


def _file(name: str) -> bool:
    return (SOURCE / (name.replace(".", "/") + ".py")).exists()


@pytest.mark.parametrize(
    ("process", "more"),
    [
        ("exabgp_process", ""),
        ("bgpd", "from speaker.runtime import service\nfrom speaker.supervision import manager"),
    ],
)
def test_nothing_is_imported_later(process: str, more: str) -> None:
    """Whatever a function of a watchdog imports of this program was imported at the start."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(process=process, more=more)],
        capture_output=True,
        text=True,
        check=True,
        cwd=SOURCE,
    )
    loaded = {*done.stdout.split()}
    assert {"speaker.health.ipvs.connections", "speaker.site.site"} <= loaded
    missing = {name for module in loaded for name in later(module)} - loaded
    assert not {name for name in missing if not name.startswith(AT_START)}


FILES = """
import os, sys
from speaker.runtime import exabgp_process
from speaker.runtime.preload import preload
preload()
opened = []
sys.addaudithook(lambda event, words: opened.append(words[0]) if event in ("open", "os.scandir", "os.listdir") else None)
from speaker.telemetry.assets import ASSETS, asset
from speaker.version import installed_version
installed_version()
for name in ASSETS:
    asset(name)
print(*opened)
"""


def test_no_file_of_its_own_is_read_later() -> None:
    """The version that it tells, and the status page's style and script, are those that it was started from."""
    done = subprocess.run(
        [sys.executable, "-c", FILES], capture_output=True, text=True, check=True, cwd=SOURCE
    )
    assert done.stdout.split() == []
