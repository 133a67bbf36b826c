"""[api] and [report]: what they mean, and what in them makes no sense."""

from __future__ import annotations

from os.path import normpath
from pathlib import Path
from typing import TYPE_CHECKING

from policy.health import Health
from policy.report import ReportRule
from policy.wording import count
from speaker.config.settings_api import ApiSettings, ApiTls, TokenRights
from speaker.files.vip_toml import BESIDE, DEFAULT_READ
from speaker.units import endpoint, endpoint_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from speaker.config.fault import Faults
    from speaker.config.schema import Document
    from speaker.units import Endpoint

MAX_REPORTS = 10_000
_MAX_PATH = 107
"""Bytes of the name of a unix socket."""


def api(document: Document, faults: Faults) -> ApiSettings:
    """Return what `[api]` and `[report]` mean."""
    if len(document.report) > MAX_REPORTS:
        faults.add(
            ("report",),
            f"{count(len(document.report), 'report')}; {MAX_REPORTS} at most: remove some",
        )
    for name in document.report:
        if not name.strip("."):
            faults.add(("report", name), f"{name!r} can't be asked for in a URL; name it otherwise")
    reports = {
        name: ReportRule(name, Health(table.expired), table.max_ttl, table.drain)
        for name, table in document.report.items()
    }
    table, tls = document.api, _tls(document, faults)
    listen, sockets = _places(document, faults)
    for index, where in enumerate(table.listen):
        if tls is None and any(each == where for each in map(endpoint_text, _open(listen))):
            faults.add(
                ("api", "listen", index),
                f"{where} is not loopback, and tokens would pass unencrypted; set api.certificate and api.key",
            )
    tokens = {
        name: TokenRights(
            name,
            each.read,
            frozenset(each.report),
            frozenset(each.drain),
            each.certificate,
            each.group,
        )
        for name, each in table.tokens.items()
    }
    _check_tokens(document, reports, faults)
    _check_ways(document, faults, sockets=bool(sockets))
    return ApiSettings(listen, sockets, tls, table.group, table.tokens_file, tokens, reports)


def _tls(document: Document, faults: Faults) -> ApiTls | None:
    certificate, key = document.api.certificate, document.api.key
    if (certificate is None) != (key is None):
        there, lacks = ("key", "certificate") if certificate is None else ("certificate", "key")
        faults.add(("api", there), f"of no use without api.{lacks}; set both")
    if certificate is None or key is None:
        if document.api.client_ca is not None:
            faults.add(
                ("api", "client_ca"),
                "of no use without api.certificate and api.key; set them, or remove it",
            )
        return None
    return ApiTls(certificate, key, document.api.client_ca)


def _places(document: Document, faults: Faults) -> tuple[tuple[Endpoint, ...], tuple[Path, ...]]:
    """Return where it listens: addresses, and names of unix sockets."""
    listen: dict[Endpoint, None] = {}
    sockets: dict[Path, None] = {}
    taken = _taken(document)
    for index, where in enumerate(document.api.listen):
        path = ("api", "listen", index)
        if not where.startswith("/"):
            try:
                listen[endpoint(where)] = None
            except ValueError:
                faults.add(
                    path,
                    f'{where!r:.200} is neither an address with a port nor a path; write it like "127.0.0.1:9181"',
                )
        elif len(where.encode()) > _MAX_PATH or not where.isprintable():
            faults.add(path, f"{where!r:.200}: a socket has at most {_MAX_PATH} printable bytes")
        elif owner := taken.get(_plain(where)):
            faults.add(path, f"{where} is also a path of {owner}; give each a path of its own")
        else:
            sockets[Path(where)] = None
    return tuple(listen), tuple(sockets)


def _taken(document: Document) -> Mapping[str, str]:
    """Return the paths that are others', named or usual, and whose each is."""
    node = document.node
    read = node.control.with_name(DEFAULT_READ) if node.read is None else node.read
    beside = node.control.with_name(BESIDE)
    return {_plain(beside): "a second ExaBGP"} | {
        _plain(path): "[node]" for path in (node.control, read, node.state)
    }


def _plain(path: Path | str) -> str:
    """Return a path as it is written shortest; symbolic links are those of each machine."""
    return f"/{normpath(path).lstrip('/')}"


def _open(listen: tuple[Endpoint, ...]) -> list[Endpoint]:
    """Return those that others than this machine may reach."""
    return [(address, port) for address, port in listen if not address.is_loopback]


def _check_tokens(document: Document, reports: dict[str, ReportRule], faults: Faults) -> None:
    for name, table in document.api.tokens.items():
        for key, names in (("report", table.report), ("drain", table.drain)):
            for index, each in enumerate(names):
                path = ("api", "tokens", name, key, index)
                if each not in reports:
                    faults.add(path, f'"{each}" is unknown; there is no [report.{each}]')
                elif key == "drain" and not reports[each].drain:
                    faults.add(
                        path, f'"{each}" does not drain; set drain = true in [report.{each}]'
                    )
                elif key == "drain" and each not in table.report:
                    faults.add(path, f'"{each}" is not in report, which drains; name it there, too')


def _check_ways(document: Document, faults: Faults, *, sockets: bool) -> None:
    """Refuse ways to be known by which nobody ever is."""
    api = document.api
    if api.group is not None and not sockets:
        faults.add(("api", "group"), "of no use without a unix socket in api.listen; add one")
    for name, table in api.tokens.items():
        if table.certificate is not None and api.client_ca is None:
            faults.add(
                ("api", "tokens", name, "certificate"),
                "of no use without api.client_ca, which says whose certificates count; set it",
            )
        if table.group is not None and not sockets:
            faults.add(
                ("api", "tokens", name, "group"),
                "of no use without a unix socket in api.listen; add one",
            )
