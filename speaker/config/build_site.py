"""[site]: what it means, and what in it makes no sense."""

from __future__ import annotations

import socket
from math import ceil
from typing import TYPE_CHECKING

from speaker.config.schema_site import machine_name
from speaker.config.settings_site import SiteSettings
from speaker.config.url import is_plain, split_url
from speaker.units import address

if TYPE_CHECKING:
    from speaker.config.fault import Faults
    from speaker.config.schema import Document
    from speaker.config.schema_site import SiteTable

MAX_DC = 64
"""Characters of a data centre's name, where it is in keys of etcd."""
_FORM = "https://192.0.2.21:2379"


def site(document: Document, faults: Faults, host: str | None = None) -> SiteSettings | None:
    """Return what `[site]` means; None without it.

    Args:
        document: the file.
        faults: receives what makes no sense.
        host: this machine's name, None to ask for it.
    """
    table = document.site
    if table is None:
        return None
    seen: set[str] = set()
    for index, url in enumerate(table.etcd):
        why = _not_an_endpoint(url) or ("is there twice; remove one" if url in seen else "")
        if why:
            faults.add(("site", "etcd", index), f"{url!r:.200} {why}")
        seen.add(url)
    _check_pairs(table, faults)
    for dc in document.dc:
        if len(dc) > MAX_DC:
            faults.add(("dc", dc), f"with [site], a name has {MAX_DC} characters at most")
    return SiteSettings(
        endpoints=tuple(url.rstrip("/") for url in table.etcd),
        machine=table.machine or _here(host or socket.gethostname(), faults),
        prefix=table.prefix,
        ca=table.ca,
        cert=table.cert,
        key=table.key,
        user=table.user,
        password_file=table.password_file,
        patience=table.patience,
        ttl=float(ceil(table.ttl)),
        timeout=table.timeout,
        start_wait=table.start_wait,
    )


def _here(host: str, faults: Faults) -> str:
    """Return this machine's name up to its first dot."""
    try:
        return machine_name(host.partition(".")[0])
    except ValueError as error:
        faults.add(
            ("site", "machine"),
            f"none, and this machine's own does not do: {error}; set site.machine",
        )
        return "?"


def _not_an_endpoint(url: str) -> str:
    """Return why a text is no URL of a member of etcd; nothing where it is one."""
    found = split_url(url)
    is_form = url.startswith(("http://", "https://")) and is_plain(url)
    beside = any(mark in url for mark in "?#@")
    if found is None or not is_form or not found.port or beside or found.path not in {"", "/"}:
        return f"is not the URL of a member of etcd; write it like {_FORM}"
    try:
        where = address(found.hostname)
    except ValueError:
        return "has a name for its host; write an address, so that nothing waits for DNS"
    if found.scheme == "http" and not where.is_loopback:
        return "is not loopback, and would be spoken to unencrypted; write https://"
    return ""


def _check_pairs(table: SiteTable, faults: Faults) -> None:
    for one, other in (("cert", "key"), ("key", "cert"), ("user", "password_file"), ("password_file", "user")):  # fmt: skip
        if getattr(table, one) is not None and getattr(table, other) is None:
            faults.add(("site", one), f"of no use without site.{other}; set both")
    if table.ca is not None and not any(url.startswith("https://") for url in table.etcd):
        faults.add(("site", "ca"), "of no use without https:// in site.etcd; remove it")
