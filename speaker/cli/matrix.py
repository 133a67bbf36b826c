"""vip_mgmt plan --peers: which VIP each peer is to have, and with which AS_PATH."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from policy.lint.peers import LintedPeer, as_seen
from policy.route import Asn, AsPath, Attributes
from speaker.exit_status import ExitStatus
from speaker.terminal import table, tell

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from policy.route import Prefix
    from speaker.api import Operations, PeerStatus, PrefixStatus
    from speaker.cli.arguments import Call

_NOTHING = "-"


def matrix(call: Call, operations: Operations, prefixes: Sequence[Prefix]) -> ExitStatus:
    """Print what each peer is to have of some prefixes; without any name, of all.

    Raises:
        SpeakerError: there is no answer.
    """
    status = operations.status()
    if not status.peers:
        # What answers in place of a watchdog knows of no peers, and has no plan: it refuses, and says why.
        operations.plan()
    wanted = {*map(str, prefixes)}
    routes = [route for route in status.routes if not call.words or route.prefix in wanted]
    show = _json if call.as_json else _table
    tell(show(status.peers, routes))
    return ExitStatus.DONE


def _paths(peers: Collection[PeerStatus], route: PrefixStatus) -> dict[str, AsPath | None]:
    """Return the AS_PATH with which each peer is to see a prefix, None for not at all."""
    found: dict[str, AsPath | None] = {}
    for peer in peers:
        if not route.wanted or (route.peers and peer.name not in route.peers):
            found[peer.name] = None
        elif route.gets:
            text = route.gets.get(peer.name)
            found[peer.name] = Attributes.parse(text).as_path if text else None
        else:
            path = AsPath(tuple(map(Asn, route.as_path)))
            local = peer.asn if peer.local_as is None else peer.local_as
            linted = LintedPeer(peer.address, Asn(peer.asn), Asn(local))
            found[peer.name] = path if peer.local_as is None else as_seen(path, linted)
    return found


def _table(peers: Collection[PeerStatus], routes: Collection[PrefixStatus]) -> str:
    rows = [("VIP", "PREFIX", *(f"{peer.name} AS{peer.asn}" for peer in peers))]
    for route in routes:
        paths = _paths(peers, route).values()
        rows.append((route.vip, route.prefix, *map(_shown, paths)))
    return table(rows)


def _shown(path: AsPath | None) -> str:
    """Return an AS_PATH; an iBGP peer sees an empty one."""
    return _NOTHING if path is None else str(path) or "(empty)"


def _json(peers: Collection[PeerStatus], routes: Collection[PrefixStatus]) -> str:
    return json.dumps(
        [
            {
                "vip": route.vip,
                "prefix": route.prefix,
                "peers": {
                    name: None if path is None else [*path]
                    for name, path in _paths(peers, route).items()
                },
            }
            for route in routes
        ],
        indent=2,
    )
