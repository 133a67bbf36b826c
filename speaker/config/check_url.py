"""The URL of a check: its host is an address, so that no check waits for DNS."""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import IPv6Address

from speaker.config.settings_checks import ADDRESS, REALSERVER
from speaker.config.url import is_plain, split_url
from speaker.units import address


def not_a_url(text: str) -> str:
    """Return why a text is no URL of a check; nothing where it is one."""
    if re.match(rf"https?://{re.escape(REALSERVER)}:", text):
        return f"has a port, and {REALSERVER} has its own already; leave it out"
    if _lacks_brackets(text):
        return "has an IPv6 address without brackets; write http://[2001:db8::1]:8080/health"
    found = split_url(text.replace(ADDRESS, "192.0.2.1", 1).replace(REALSERVER, "192.0.2.1:1", 1))
    if found is None or not text.startswith(("http://", "https://")):
        return f"is no URL of a check; write https://{ADDRESS}/health"
    if not is_plain(text):
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


def _lacks_brackets(url: str) -> bool:
    """Whether the host of a URL is a bare IPv6 address; a port may follow it."""
    host = re.sub(r"^https?://|[/?#].*", "", url, flags=re.DOTALL)
    for text in (host, host.rpartition(":")[0]):
        with suppress(ValueError):
            return IPv6Address(text) is not None
    return False
