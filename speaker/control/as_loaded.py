"""An intent for what vip.toml has, of an operator who has not parsed it: for the watchdog that loaded the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from aiohttp import web
from pydantic import Field

from speaker.api import MAX_PREFIXES, Prefixes, Text, Truth
from speaker.site_values import SiteOrder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.route import Prefix
    from speaker.config import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentAsLoaded(SiteOrder):
    """An intent, on condition that a configuration was loaded as the operator has it.

    `digest` is of vip.toml's content; `dc` and `backend` are what this machine is in it, which the
    environment may say. `names` are VIPs', all of whose prefixes are meant; `everything`: all prefixes of it are, beside those
    that are named.
    """

    prefixes: Prefixes = ()
    names: Annotated[tuple[Text, ...], Field(max_length=MAX_PREFIXES)] = ()
    everything: Truth
    digest: Text
    dc: Text
    backend: Text

    def meant(self, config: Config) -> Sequence[Prefix]:
        """Return the prefixes that are meant.

        Raises:
            HTTPConflict: another configuration is loaded, or it has no VIP of one of the names; nothing was done.
        """
        settings, file = config.settings, config.file
        loaded = (file and file.digest, settings.dc.name, settings.backend)
        if loaded != (self.digest, self.dc, self.backend):
            raise web.HTTPConflict(text="control: this watchdog has not loaded that vip.toml")
        vips = [config.topology.vip(name) for name in self.names]
        if None in vips:
            raise web.HTTPConflict(text="names: one of them is no VIP in that vip.toml")
        return (
            *self.prefixes,
            *(each.prefix for vip in vips if vip is not None for each in vip.addresses),
            *(config.topology.prefixes if self.everything else ()),
        )
