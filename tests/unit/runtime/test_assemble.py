"""The tables of kinds have every kind that vip.toml can name."""

from __future__ import annotations

from typing import get_args

from speaker.config.settings import SPAWNING, Backend, Source
from speaker.health.sources import SOURCES
from speaker.runtime.assemble import DRIVERS


def test_backends() -> None:
    """Each backend either runs vip_watchdog, or has a driver for those who run beside it; none has both."""
    assert DRIVERS.keys() | SPAWNING == set(get_args(Backend))
    assert not DRIVERS.keys() & SPAWNING


def test_sources() -> None:
    """Each source of health can be made, but for the one that looks at nothing."""
    assert {*SOURCES, "none"} == set(get_args(Source))
