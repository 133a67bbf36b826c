"""Checks that tests of a guest and others can follow one another in any order."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLAIN = "def test_plain(): pass"
GUEST = """
import pytest
pytestmark = pytest.mark.guest("no-such-program")
def test_in_a_guest(): pass
"""
FILES = {
    "conftest.py": 'pytest_plugins = ["tests.support.guest.plugin"]',
    "near/test_plain.py": PLAIN,
    "near/test_guest.py": GUEST,
    "far/test_plain.py": PLAIN,
}


@pytest.mark.parametrize(
    "order",
    [
        ["near/test_plain.py", "near/test_guest.py", "far/test_plain.py"],
        ["far/test_plain.py", "near/test_guest.py", "near/test_plain.py"],
        ["near/test_plain.py", "far/test_plain.py", "near/test_guest.py"],
    ],
)
def test_any_order(tmp_path: Path, order: list[str]) -> None:
    """An ordinary test after one of a guest, in another folder than the test before both, is set up as ever."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    env = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--import-mode=importlib", *order],
        cwd=tmp_path,
        env={**env, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "2 passed, 1 skipped" in done.stdout, done.stdout + done.stderr
