"""`[check]`: what each means, and what in it makes no sense."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from policy.wording import count
from speaker.config.check_url import not_a_url
from speaker.config.settings_checks import (
    ADDRESS,
    REALSERVER,
    CheckSettings,
    DnsCheck,
    ExecCheck,
    GrpcCheck,
    HttpCheck,
    JsonValue,
    Tls,
    others,
)
from speaker.units import endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from speaker.config.fault import Faults, KeyPath
    from speaker.config.schema_checks import CheckTable
    from speaker.config.settings_checks import Asks
    from speaker.config.validate import Form

MAX_CHECKS = 10_000
MAX_WORDS, MAX_LENGTH = 64, 16_384
KINDS = "A AAAA CNAME MX NS PTR SOA SRV TXT".split()
_KEYS = {
    "http": {
        "method",
        "headers",
        "host",
        "status",
        "body",
        "regex",
        "json",
        "ca",
        "certificate",
        "key",
        "reuse",
    },
    "grpc": {"service", "host", "ca", "certificate", "key"},
    "exec": {"user", "up", "down"},
    "dns": {"query", "answer"},
}
"""What a check may ask by, and the keys that only it has."""
_NAMES = {"json_": "json"}
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
_NAME = re.compile(r"(?=.{1,254}$)(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?|\.")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OURS = {"host", "content-length", "transfer-encoding", "connection", "accept-encoding"}
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?")
_STEP = re.compile(r"\.?([A-Za-z0-9_$@-]+)|\[([0-9]{1,6})\]")


class CheckBuilder:
    """Makes the checks of `[check]`, and notes every fault on the way.

    Args:
        form: what vip.toml has.
        faults: where they are noted.
        is_installed: tells of a module whether it can be imported.
    """

    def __init__(
        self,
        form: Form,
        faults: Faults,
        is_installed: Callable[[str], bool] = lambda name: find_spec(name) is not None,
    ) -> None:
        self._form, self._faults, self._is_installed = form, faults, is_installed

    def checks(self) -> dict[str, CheckSettings]:
        """Return them by name, those without a fault."""
        found = self._form.document.check
        if len(found) > MAX_CHECKS:
            self._faults.add(
                ("check",), f"{count(len(found), 'check')}; {MAX_CHECKS} at most: remove some"
            )
            return {}
        made = {name: self._check(("check", name), name, table) for name, table in found.items()}
        return {name: check for name, check in made.items() if check is not None}

    def _check(self, path: KeyPath, name: str, table: CheckTable) -> CheckSettings | None:
        asks = self._asks(path, table)
        if asks is None:
            return None
        if table.realservers and REALSERVER not in asks.target:
            self._faults.add(
                (*path, "realservers"),
                f'nothing asks them; write {REALSERVER} for whom is asked, as "http://{REALSERVER}/health"',
            )
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

    def _asks(self, path: KeyPath, table: CheckTable) -> Asks | None:
        """Return what is asked, of which there is one; None where it makes no sense."""
        kinds = [kind for kind in _KEYS if getattr(table, kind) is not None]
        if len(kinds) != 1:
            found = " and ".join(kinds) or "nothing to ask"
            self._faults.add(path, f"{found}; write one of {', '.join(_KEYS)}")
            return None
        (kind,) = kinds
        given = {_NAMES.get(key, key) for key in table.model_fields_set}
        for key in sorted(given & set().union(*_KEYS.values()) - _KEYS[kind]):
            self._faults.add((*path, key), f"is of no use with {kind}; remove it")
        if table.http is not None:
            return self._http(path, table, table.http)
        if table.grpc is not None:
            return self._grpc(path, table, table.grpc)
        if table.dns is not None:
            return self._dns(path, table, table.dns)
        return self._exec(path, table, table.exec or [])

    def _exec(self, path: KeyPath, table: CheckTable, words: list[str]) -> ExecCheck | None:
        why = ""
        if not words or not PurePosixPath(words[0]).is_absolute():
            why = f"{words[:1]} is no program; write its absolute path, and its arguments"
        elif any("\0" in word for word in words):
            why = "a word has a NUL in it; remove it"
        elif len(words) > MAX_WORDS or sum(map(len, words)) > MAX_LENGTH:
            why = f"more than {MAX_WORDS} words, or {MAX_LENGTH} characters; put them into a script"
        elif ADDRESS in words[0] or REALSERVER in words[0]:
            why = f"{words[0]!r} is not one program; write {ADDRESS} into its arguments"
        elif any(ADDRESS in word for word in words) and any(REALSERVER in word for word in words):
            why = f"has {ADDRESS} and {REALSERVER}; write one of them"
        if why:
            self._faults.add((*path, "exec"), why)
            return None
        down = others(table.up) if table.down == "others" else tuple(table.down)
        if both := sorted({*table.up} & {*down}):
            self._faults.add((*path, "down"), f"{both[0]} is also up; keep one")
        if table.user is not None and not _USER.fullmatch(table.user):
            self._faults.add(
                (*path, "user"), f"{table.user!r:.40} is no user's name; write one as nobody"
            )
        return ExecCheck(tuple(words), table.user, tuple(table.up), down)

    def _dns(self, path: KeyPath, table: CheckTable, server: str) -> DnsCheck | None:
        where = server.replace(
            f"[{ADDRESS}]", ADDRESS
        )  # in brackets or not: it may be of either family
        if where == ADDRESS:
            where = f"{ADDRESS}:53"
        try:
            endpoint(where.replace(ADDRESS, "192.0.2.1").replace(REALSERVER, "192.0.2.1:1"))
        except ValueError:
            self._faults.add(
                (*path, "dns"),
                f'{server!r:.100} is no name server; write "{ADDRESS}", "{ADDRESS}:5353", "{REALSERVER}", or an address and port',
            )
            return None
        name, _, kind = (table.query or "").partition(" ")
        kind = kind or "A"
        if not _NAME.fullmatch(name) or kind not in KINDS:
            found = "missing" if table.query is None else f"{table.query!r:.100} is no question"
            self._faults.add(
                (*path, "query"), f'{found}; write a name and a type, as "health.example.net A"'
            )
            return None
        return DnsCheck(where, name, kind, tuple(table.answer))

    def _http(self, path: KeyPath, table: CheckTable, url: str) -> HttpCheck | None:
        if why := not_a_url(url):
            self._faults.add((*path, "http"), f"{url!r:.200} {why}")
            return None
        self._headers(path, table)
        self._tls(path, table, url)
        looked_at = (table.body, table.regex, table.json_)
        if table.method == "HEAD" and any(each is not None for each in looked_at):
            self._faults.add((*path, "method"), "HEAD has no body to look at; write GET")
        if table.method == "POST" and table.reuse:
            self._faults.add(
                (*path, "reuse"),
                "is not for POST, which can't be asked twice where a connection was closed just then; remove it",
            )
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
            url,
            table.method,
            tuple(table.headers.items()),
            table.host,
            table.status,
            table.body,
            table.regex,
            json,
            Tls(table.ca, table.certificate, table.key),
            table.reuse,
        )

    def _grpc(self, path: KeyPath, table: CheckTable, url: str) -> GrpcCheck | None:
        why = not_a_url(url)
        if not why and REALSERVER not in url and urlsplit(url.replace(ADDRESS, "x")).port is None:
            why = f"has no port; write http://{ADDRESS}:50051"
        if not why and not re.fullmatch(r"https?://[^/?]*", url):
            why = f"has more than a host and a port; write http://{ADDRESS}:50051"
        if why:
            self._faults.add((*path, "grpc"), f"{url!r:.200} {why}")
            return None
        if not self._is_installed("h2"):
            self._faults.add(
                (*path, "grpc"),
                "needs the Python module h2, which is not installed; pip install 'vip-speaker[grpc]'",
            )
        self._tls(path, table, url)
        tls = Tls(table.ca, table.certificate, table.key)
        return GrpcCheck(url, table.service or "", table.host, tls)

    def _tls(self, path: KeyPath, table: CheckTable, url: str) -> None:
        """Note what is wrong with the name that is asked for, and with certificates."""
        if table.host is not None and not _HOST.fullmatch(table.host):
            self._faults.add(
                (*path, "host"), f"{table.host!r:.100} is not a host name; write shop.tld"
            )
        is_tls = url.startswith("https:")
        for key in ("ca", "certificate", "key"):
            if getattr(table, key) is not None and not is_tls:
                self._faults.add(
                    (*path, key), "is of no use without TLS; write https://, or remove it"
                )
        if (table.certificate is None) != (table.key is None):
            lacks = "key" if table.key is None else "certificate"
            self._faults.add((*path, lacks), "missing; a client certificate needs both")

    def _headers(self, path: KeyPath, table: CheckTable) -> None:
        for name, text in table.headers.items():
            where = (*path, "headers", name)
            if name.lower() in _OURS:
                self._faults.add(where, "is set by the check itself; of Host, write host = instead")
            elif not _TOKEN.fullmatch(name):
                self._faults.add(where, "is not a header's name; write letters, digits and -")
            elif not text.isascii() or len(text) > 2000:
                self._faults.add(
                    where, "is not ASCII of 2000 characters at most; shorten it, or write ASCII"
                )


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
