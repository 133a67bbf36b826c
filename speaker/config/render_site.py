"""The table `[site]` as vip.toml has it, without what is as by default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from speaker.config.settings_site import DEFAULT_PREFIX, PATIENCE, START_WAIT, TTL
from speaker.site_words import TIMEOUT
from speaker.units import duration_text

if TYPE_CHECKING:
    from speaker.config.settings_site import SiteSettings


def site(what: SiteSettings | None) -> dict[str, Any]:
    """Return the keys of `[site]`; none without it."""
    if what is None:
        return {}
    times = {
        "patience": None if what.patience == PATIENCE else duration_text(what.patience),
        "ttl": None if what.ttl == TTL else duration_text(what.ttl),
        "timeout": None if what.timeout == TIMEOUT else duration_text(what.timeout),
        "start_wait": None if what.start_wait == START_WAIT else duration_text(what.start_wait),
    }
    keys = {
        "etcd": [*what.endpoints],
        "prefix": None if what.prefix == DEFAULT_PREFIX else what.prefix,
        "ca": what.ca,
        "cert": what.cert,
        "key": what.key,
        "user": what.user,
        "password_file": what.password_file,
        "machine": what.machine,
        **times,
    }
    return {key: value for key, value in keys.items() if value is not None}
