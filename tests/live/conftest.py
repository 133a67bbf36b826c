"""Owns what the live tests share: both ExaBGPs, and a network that a module's tests share."""

from collections.abc import Iterator

import pytest

from tests.support.lab.exabgp import FLAVOURS, Flavour
from tests.support.lab.netns import Network
from tests.support.lab.requirements import require


@pytest.fixture(scope="module", params=FLAVOURS)
def flavour(request: pytest.FixtureRequest) -> Flavour:
    """Debian's ExaBGP and the one from PyPI, one after the other."""
    chosen: Flavour = request.param
    require("bird", "gobgpd", "gobgp", flavours=(chosen,))
    return chosen


@pytest.fixture(scope="module")
def lab(flavour: Flavour) -> Iterator[Network]:
    """A network that a module's tests with one ExaBGP share."""
    del flavour  # there is one network for each
    with Network() as network:
        yield network
