"""An intent for what vip.toml has, of an operator who has not parsed it: for the watchdog that loaded the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from speaker.api import Prefixes, Text, Truth  # noqa: TC001 - pydantic reads the form by it
from speaker.site_values import SiteOrder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.route import Prefix
    from speaker.config import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentAsLoaded(SiteOrder):
    """An intent, on condition that a configuration was loaded as the operator has it.

    `digest` is of vip.toml's content; `dc` and `backend` are what this machine is in it, which the
    environment may say. `everything`: all prefixes of it are meant, beside those that are named.
    """

    prefixes: Prefixes = ()
    everything: Truth
    digest: Text
    dc: Text
    backend: Text

    def meant(self, config: Config) -> Sequence[Prefix]:
        """Return the prefixes that are meant.

        Raises:
            HTTPConflict: another configuration is loaded; nothing was done.
        """
        settings, file = config.settings, config.file
        loaded = (file and file.digest, settings.dc.name, settings.backend)
        if loaded != (self.digest, self.dc, self.backend):
            raise web.HTTPConflict(text="control: this watchdog has not loaded that vip.toml")
        return (*self.prefixes, *(config.topology.prefixes if self.everything else ()))
