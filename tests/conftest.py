"""Loads Hypothesis's profiles, the lab's fixtures for every test, and what takes tests into a guest."""

import os

import pytest

# What the lab writes is read by the users that daemons become.
os.umask(0o022)

# Where they assert, what was seen is said, as in the tests' own files.
pytest.register_assert_rewrite(
    *(
        f"tests.{name}"
        for name in ("contract", "daemons", "kernel", "live", "migration", "support.lab", "systemd")
    )
)

pytest_plugins = [
    "tests.support.profiles",
    "tests.support.lab.fixtures",
    "tests.support.lab.installed",
    "tests.support.guest.plugin",
]
