"""The tables `[report.NAME]` and `[api]` as vip.toml has them, without what is as by default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from speaker.config.settings_api import DEFAULT_TOKENS
from speaker.units import duration_text, endpoint_text

if TYPE_CHECKING:
    from policy.report import ReportRule
    from speaker.config.settings_api import ApiSettings, TokenRights


def report(rule: ReportRule) -> dict[str, Any]:
    """Return the keys of `[report.NAME]`. One is always there: without it there is no report."""
    keys = {"expired": str(rule.expired), "max_ttl": duration_text(rule.max_ttl)}
    return {**keys, "drain": True} if rule.drain else keys


def api(what: ApiSettings) -> dict[str, Any]:
    """Return the keys of `[api]`."""
    tls, file = what.tls, what.tokens_file
    keys: dict[str, Any] = {
        "listen": [*map(endpoint_text, what.listen), *map(str, what.sockets)] or None,
        "certificate": None if tls is None else tls.certificate,
        "key": None if tls is None else tls.key,
        "client_ca": None if tls is None else tls.client_ca,
        "group": what.group,
        "tokens_file": None if file == DEFAULT_TOKENS else file,
    }
    return {key: value for key, value in keys.items() if value is not None}


def token(rights: TokenRights) -> dict[str, Any]:
    """Return the keys of `[api.tokens.NAME]`."""
    ways = {"certificate": rights.certificate, "group": rights.group}
    return {
        "read": rights.read,
        "report": sorted(rights.report),
        **({"drain": sorted(rights.drain)} if rights.drain else {}),
        **{key: value for key, value in ways.items() if value is not None},
    }
