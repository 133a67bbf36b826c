"""Loads the lab's fixtures for every test, and what takes tests into a guest."""

pytest_plugins = ["tests.lab.fixtures", "tests.lab.installed", "tests.guest.plugin"]
