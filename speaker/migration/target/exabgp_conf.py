"""exabgp.conf of one data centre, as text that ExaBGP 5.0 and 4.2 read alike."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from speaker.migration.bgpd_conf.statement import MigrationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speaker.migration.target.site import PlannedSession, Site

PROCESS = "vip-speaker"
HEAD = """\
# ExaBGP of {name}, for 5.0 and 4.2: the sessions that bgpd had by {file}.
# Made by vip_mgmt import. Install it as /etc/exabgp/exabgp.conf, readable for ExaBGP's user;
# exabgp.conf.example and docs/exabgp.md have what else ExaBGP needs."""


def render(site: Site, reconciler: str) -> str:
    """Return the text of a data centre's exabgp.conf.

    Args:
        site: the data centre.
        reconciler: the path of vip_watchdog there.

    Raises:
        MigrationError: a neighbour's password can't be said to ExaBGP.
    """
    lines = [HEAD.format(name=site.name, file=comment(site.configuration.file)), ""]
    lines += [
        f"process {PROCESS} {{",
        f"    run /usr/bin/env VIP_DC={site.name} {reconciler};",
        "    encoder json;",
        "    respawn true;",
        "}",
        "",
    ]
    for session in site.sessions:
        lines += [*_neighbor(site, session), ""]
    return "\n".join(lines)


def comment(value: str) -> str:
    """Return a text that ExaBGP, which looks into comments too, reads as nothing."""
    return re.sub(r"[^A-Za-z0-9 .:/_+,-]", "?", value)


def _neighbor(site: Site, session: PlannedSession) -> Iterator[str]:
    neighbor = session.neighbor
    asn = site.configuration.asn if neighbor.local_as is None else neighbor.local_as.asn
    yield f"# {comment(neighbor.statement.where)}"
    yield f"neighbor {neighbor.address} {{"
    if neighbor.description is not None:
        yield f'    description "{comment(neighbor.description)}";'
    yield f"    local-address {session.local};"
    yield f"    local-as {asn};"
    yield f"    peer-as {neighbor.asn};"
    yield f"    router-id {site.router_id};"
    yield f"    hold-time {neighbor.hold_time};"
    if neighbor.password is not None:
        yield from _password(session)
    if neighbor.ttl_security is not None:
        yield "    outgoing-ttl 255;"
        yield f"    incoming-ttl {256 - neighbor.ttl_security};"
    elif neighbor.multihop is not None:
        yield f"    outgoing-ttl {neighbor.multihop};"
    if neighbor.port is not None:
        yield f"    connect {neighbor.port};"
    if session.fed and neighbor.graceful_restart is not None:
        yield f"    capability {{ graceful-restart {neighbor.graceful_restart}; }}"
        yield "    manual-eor true;"
    yield ""
    yield "    family {"
    for version in sorted(session.fed or session.families):
        yield f"        ipv{version} unicast;"
    yield "    }"
    if session.fed:
        yield ""
        yield "    api {"
        yield f"        processes [ {PROCESS} ];"
        yield "        neighbor-changes;"
        yield "        send { parsed; update; }"
        yield "    }"
    else:
        yield "    # bgpd sent it nothing"
    yield "}"


def _password(session: PlannedSession) -> Iterator[str]:
    """Yield the MD5 key (RFC 2385).

    ExaBGP changes blanks and brackets even in quotes, and may take a password of hexadecimal
    digits for Base64, so it is always told which it is.
    """
    password = session.neighbor.password or ""
    if not (password.isascii() and password.isprintable()):
        raise MigrationError(
            f"{session.neighbor.statement.where}: neighbor {session.neighbor.address}: its password is "
            "not of ASCII characters; agree on another one"
        )
    if re.fullmatch(r"[A-Za-z0-9._+/=-]+", password):
        yield f'    md5-password "{password}";'
        yield "    md5-base64 false;"
    else:
        yield f'    md5-password "{base64.b64encode(password.encode()).decode()}";'
        yield "    md5-base64 true;"
