"""Which version of vip-speaker is installed."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def installed_version() -> str | None:
    """Return it, None where it is not installed as a package."""
    try:
        return version("vip-speaker")
    except PackageNotFoundError:
        return None
