"""Imports and reads what a watchdog that stays may need later, while its files are those that it was started from.

An upgrade replaces them under it, and modules of two versions don't go together. Libraries are left alone: they are
large, and who needs one says what is wrong without it.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from pkgutil import walk_packages

from speaker.version import installed_version

PACKAGES = (
    "policy",
    "speaker.config",
    "speaker.control",
    "speaker.health",
    "speaker.reconcile",
    "speaker.site",
    "speaker.state",
    "speaker.supervision",
    "speaker.telemetry",
)
"""All that a cycle, a reload or a question may ask for."""
FOR_IMPORT = "speaker.config.render"
"""What begins so is `vip_mgmt import`'s alone."""


def preload() -> None:
    """Import all modules of `PACKAGES`, and read what else comes with them. It takes a fifth of a second, and 6 MB."""
    for name in PACKAGES:
        for found in walk_packages(import_module(name).__path__, f"{name}."):
            if not found.name.startswith(FOR_IMPORT):
                with suppress(ImportError):  # of a library that is not there, as gRPC's
                    import_module(found.name)
    from speaker.telemetry.assets import ASSETS, asset  # noqa: PLC0415 - like all of these, at the start alone

    installed_version()
    for name in ASSETS:
        asset(name)
