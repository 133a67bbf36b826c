"""Which version of vip-speaker this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed


def version() -> str:
    """Return it, or that it is unknown where nothing says it."""
    try:
        return installed("vip-speaker")
    except PackageNotFoundError:
        return "of an unknown version: it is not installed as a package"
