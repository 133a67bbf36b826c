"""The keys of `[check.NAME]`, and a rule as vip.toml has it, without what is as by default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from policy.rule import AtLeast, Not, ShareUp, Term
from speaker.config.settings_checks import (
    CheckSettings,
    DnsCheck,
    ExecCheck,
    GrpcCheck,
    HttpCheck,
    others,
)
from speaker.units import duration_text, endpoint_text, share_text

if TYPE_CHECKING:
    from policy.rule import Rule
    from speaker.config.settings_checks import Asks, Tls

_USUAL = CheckSettings("", HttpCheck(""))


def rule(what: Rule | None) -> object:
    """Return a rule as it is written; None for none."""
    match what:
        case None:
            return None
        case Term(name):
            return name
        case Not(inner):
            return {"not": rule(inner)}
        case AtLeast(count, of):
            parts = [rule(each) for each in of]
            if count == len(of):
                return {"all": parts}
            return {"any": parts} if count == 1 else {"at_least": count, "of": parts}
        case ShareUp(share, of):
            return {"share_up": share_text(share), "of": [rule(each) for each in of]}


def check(what: CheckSettings) -> dict[str, Any]:
    """Return the keys of `[check.NAME]`."""
    keys: dict[str, Any] = {
        **_asks(what.asks),
        "interval": duration_text(what.interval),
        "timeout": duration_text(what.timeout),
        "rise": what.rise,
        "fall": what.fall,
        "on_timeout": str(what.on_timeout),
        "realservers": [endpoint_text(each) for each in what.realservers],
        "share_up": share_text(what.share_up),
    }
    return {
        key: value
        for key, value in keys.items()
        if value is not None and (key not in _DEFAULTS or value != _DEFAULTS[key])
    }


def _asks(what: Asks) -> dict[str, Any]:
    match what:
        case HttpCheck():
            return _http(what)
        case GrpcCheck():
            about = {"grpc": what.url, "service": what.service or None, "host": what.host}
            return {**about, **_tls(what.tls)}
        case ExecCheck():
            return {
                "exec": [*what.words],
                "user": what.user,
                "up": [*what.up],
                "down": "others" if what.down == others(what.up) else [*what.down],
            }
        case DnsCheck():
            query = f"{what.name} {what.kind}"
            return {"dns": what.server, "query": query, "answer": [*what.answer]}


def _http(what: HttpCheck) -> dict[str, Any]:
    return {
        "http": what.url,
        "method": what.method,
        "headers": dict(what.headers),
        "host": what.host,
        "status": [f"{first}-{last}" for first, last in what.statuses],
        "body": what.body,
        "regex": what.regex,
        "json": None
        if what.json is None
        else {"path": _path(what.json.path), "equals": what.json.equals},
        **_tls(what.tls),
        "reuse": duration_text(what.reuse),
    }


def _tls(what: Tls) -> dict[str, Any]:
    return {"ca": what.ca, "certificate": what.certificate, "key": what.key}


def _path(steps: tuple[str | int, ...]) -> str:
    texts = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return "".join(texts).removeprefix(".")


_DEFAULTS: dict[str, Any] = {
    **_http(HttpCheck("")),
    "up": [0],
    "down": [1],
    "answer": [],
    "interval": duration_text(_USUAL.interval),
    "timeout": duration_text(_USUAL.timeout),
    "rise": _USUAL.rise,
    "fall": _USUAL.fall,
    "on_timeout": str(_USUAL.on_timeout),
    "realservers": [],
    "share_up": share_text(_USUAL.share_up),
}
