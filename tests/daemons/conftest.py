"""Runs every test of this folder on both ExaBGPs."""

from collections.abc import Iterator

import pytest

from tests.daemons.stage import Stage
from tests.support.lab.exabgp import FLAVOURS, Flavour
from tests.support.lab.netns import Network


@pytest.fixture(scope="module", params=FLAVOURS)
def flavour(request: pytest.FixtureRequest) -> Flavour:
    """Which ExaBGP the module's tests run on, one after the other."""
    chosen: Flavour = request.param
    return chosen


@pytest.fixture(scope="module")
def stage(flavour: Flavour) -> Iterator[Stage]:
    """The stage that a module's tests share; each leaves it without its routes."""
    with Network() as network:
        yield Stage(network, flavour)
