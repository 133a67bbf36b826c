"""`[check]`: what each means, and what in it makes no sense."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from speaker.config.settings_checks import (
    ADDRESS,
    REALSERVER,
    CheckSettings,
    HttpCheck,
    JsonValue,
    Tls,
)
from speaker.units import address

if TYPE_CHECKING:
    from speaker.config.fault import Faults, KeyPath
    from speaker.config.schema_checks import CheckTable
    from speaker.config.validate import Form

MAX_CHECKS = 10_000
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OURS = {"host", "content-length", "transfer-encoding", "connection", "accept-encoding"}
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?")
_STEP = re.compile(r"\.?([A-Za-z0-9_$@-]+)|\[([0-9]{1,6})\]")


class CheckBuilder:
    """Makes the checks of `[check]`, and notes every fault on the way."""

    def __init__(self, form: Form, faults: Faults) -> None:
        self._form, self._faults = form, faults

    def checks(self) -> dict[str, CheckSettings]:
        """Return them by name, those without a fault."""
        found = self._form.document.check
        if len(found) > MAX_CHECKS:
            self._faults.add(("check",), f"{len(found)} checks; {MAX_CHECKS} at most")
            return {}
        made = {name: self._check(("check", name), name, table) for name, table in found.items()}
        return {name: check for name, check in made.items() if check is not None}

    def _check(self, path: KeyPath, name: str, table: CheckTable) -> CheckSettings | None:
        asks = self._http(path, table)
        if table.realservers and REALSERVER not in table.http:
            self._faults.add(
                (*path, "realservers"),
                f'nothing asks them; write {REALSERVER} into http, as "http://{REALSERVER}/health"',
            )
        if asks is None:
            return None
        return CheckSettings(
            name,
            asks,
            table.interval,
            table.timeout,
            table.rise,
            table.fall,
            table.on_timeout,
            tuple(table.realservers),
            table.share_up,
        )

    def _http(self, path: KeyPath, table: CheckTable) -> HttpCheck | None:
        if why := _not_a_url(table.http):
            self._faults.add((*path, "http"), f"{table.http!r:.200} {why}")
            return None
        self._headers(path, table)
        if table.host is not None and not _HOST.fullmatch(table.host):
            self._faults.add(
                (*path, "host"), f"{table.host!r:.100} is not a host name; write shop.tld"
            )
        is_tls = table.http.startswith("https:")
        for key in ("ca", "certificate", "key"):
            if getattr(table, key) is not None and not is_tls:
                self._faults.add(
                    (*path, key), "is of no use without TLS; write https://, or remove it"
                )
        if (table.certificate is None) != (table.key is None):
            lacks = "key" if table.key is None else "certificate"
            self._faults.add((*path, lacks), "missing; a client certificate needs both")
        if table.method == "HEAD" and (table.body is not None or table.json_ is not None):
            self._faults.add((*path, "method"), "HEAD has no body to look at; write GET")
        json = None
        if table.json_ is not None:
            steps = _steps(table.json_.path)
            if not steps:
                self._faults.add(
                    (*path, "json", "path"),
                    f"{table.json_.path!r:.100} is no path; write keys and places, as status.db[0].state",
                )
            json = JsonValue(steps, table.json_.equals)
        return HttpCheck(
            table.http,
            table.method,
            tuple(table.headers.items()),
            table.host,
            table.status,
            table.body,
            json,
            Tls(table.ca, table.certificate, table.key),
        )

    def _headers(self, path: KeyPath, table: CheckTable) -> None:
        for name, text in table.headers.items():
            where = (*path, "headers", name)
            if name.lower() in _OURS:
                self._faults.add(where, "is set by the check itself; of Host, write host = instead")
            elif not _TOKEN.fullmatch(name):
                self._faults.add(where, "is not a header's name")
            elif not text.isascii() or len(text) > 2000:
                self._faults.add(where, "is not ASCII of 2000 characters at most")


def _not_a_url(text: str) -> str:
    """Return why a text is no URL of a check; its host is an address, so that no check waits for DNS."""
    try:
        found = urlsplit(
            text.replace(ADDRESS, "192.0.2.1", 1).replace(REALSERVER, "192.0.2.1:1", 1)
        )
        port = found.port
    except ValueError as error:
        return f"is no URL: {error}; write https://{ADDRESS}/health"
    if found.scheme not in {"http", "https"} or not found.hostname or port == 0:
        return f"is no URL of a check; write https://{ADDRESS}/health"
    if not text.isascii() or not text.isprintable() or re.search(r"[\s\\]", text):
        return "has more than printable ASCII; escape the rest with %"
    if found.username is not None or found.fragment:
        return "has a user or a fragment; put what it needs into headers"
    if re.search(r"[{}]", text.replace(ADDRESS, "", 1).replace(REALSERVER, "", 1)):
        return f"has braces; only one {ADDRESS} or {REALSERVER} may be in it, as its host"
    inside = re.match(r"https?://[^/?]*", text)
    if (ADDRESS in text or REALSERVER in text) and (
        inside is None or ("{" not in inside[0] or "{" in text[inside.end() :])
    ):
        return f"has {ADDRESS} or {REALSERVER} elsewhere than as its host"
    try:
        address(found.hostname)
    except ValueError:
        return (
            "has a name for its host; write an address, so that the check does not wait for DNS, "
            "and the name as host ="
        )
    return ""


def _steps(path: str) -> tuple[str | int, ...]:
    """Parse `status.db[0].state`; nothing where it is no path."""
    steps: list[str | int] = []
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None or (at == 0 and path.startswith(".")):
            return ()
        steps.append(match[1] if match[1] is not None else int(match[2]))
        at = match.end()
    return tuple(steps)
