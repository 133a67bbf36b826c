"""Owns the lab's pytest fixtures; tests/conftest.py loads them."""

from collections.abc import Iterator

import pytest

from tests.support.lab.netns import Network
from tests.support.lab.release import RELEASES, Release
from tests.support.lab.requirements import require, require_release

once = pytest.mark.parametrize(
    "release", RELEASES[:1], indirect=True, scope="module", ids=lambda release: release.suite
)
"""Runs a test with the oldest release alone: one that does not depend on what FRR says."""


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


@pytest.fixture(scope="module", params=RELEASES, ids=lambda release: release.suite)
def release(request: pytest.FixtureRequest) -> Release:
    """The FRR of each release that is supported, one after the other."""
    chosen: Release = request.param
    require_release(chosen)
    return chosen


@pytest.fixture(scope="module")
def release_network(release: Release) -> Iterator[Network]:
    """An empty network that the tests of a module with one release share."""
    del release  # there is one network for each
    with Network() as network:
        yield network
