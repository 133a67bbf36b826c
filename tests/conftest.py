"""Loads Hypothesis's profiles, the lab's fixtures for every test, and what takes tests into a guest."""

pytest_plugins = [
    "tests.profiles",
    "tests.lab.fixtures",
    "tests.lab.installed",
    "tests.guest.plugin",
]
