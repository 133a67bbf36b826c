"""Which version of vip-speaker this is, in words."""

from __future__ import annotations

from speaker.version import installed_version


def version() -> str:
    """Return it, or that it is unknown where nothing says it."""
    return installed_version() or "of an unknown version: it is not installed as a package"
