"""Loads the lab's fixtures for every test."""

pytest_plugins = ["tests.lab.fixtures", "tests.lab.installed"]
