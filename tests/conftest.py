"""Loads Hypothesis's profiles, the lab's fixtures for every test, and what takes tests into a guest."""

import os

# What the lab writes is read by the users that daemons become.
os.umask(0o022)

pytest_plugins = [
    "tests.profiles",
    "tests.lab.fixtures",
    "tests.lab.installed",
    "tests.guest.plugin",
]
