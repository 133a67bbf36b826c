"""What this machine tells of itself apart from prefixes: its version, its configuration, its clock."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from speaker.site.told import MachineTold
from speaker.version import installed_version

if TYPE_CHECKING:
    from speaker.reconcile.reconciler import Reconciler

EVERY = 30.0
"""How often a machine tells its clock, in seconds."""


class OwnMachine:
    """This machine, told again every so often, so that others see its clock."""

    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler = reconciler
        self.process = secrets.token_hex(8)
        self._version = installed_version() or "unknown"
        self._text, self._config, self._at = b"", "", 0.0

    @property
    def config(self) -> str:
        """What tells its vip.toml from others', as far as it is of the whole site."""
        file = self._reconciler.config.file
        return "" if file is None else file.of_site

    def told(self, stored: bytes | None) -> bytes:
        """Return what is told: the same for a while, where nothing else changed.

        Args:
            stored: what etcd has of it. What it does not have is told with the clock as it is now, or the clock would
                seem to be behind by as long as that waited.
        """
        clock, config = self._reconciler.clock, self.config
        now = clock.steady()
        if self._text != stored or now - self._at >= EVERY or self._config != config:
            self._at, self._config = now, config
            self._text = MachineTold(
                version=self._version,
                config=config,
                wall=clock.wall(),
                backend=self._reconciler.config.settings.backend,
                process=self.process,
            ).text()
        return self._text
