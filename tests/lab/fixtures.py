"""Owns the lab's pytest fixtures; tests/conftest.py loads them."""

from collections.abc import Iterator

import pytest

from tests.lab.netns import Network
from tests.lab.requirements import require


@pytest.fixture
def network() -> Iterator[Network]:
    """An empty network of one test."""
    require()
    with Network() as network:
        yield network


@pytest.fixture(scope="module")
def module_network() -> Iterator[Network]:
    """An empty network that the tests of a module share."""
    require()
    with Network() as network:
        yield network
