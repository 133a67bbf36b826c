"""What each session gets of a route, where single neighbours get something else than all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from policy.route import Asn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.route import Attributes, Override, Route
    from speaker.backends.base import Peer


class Gets:
    """What sessions get, in the text of attributes.

    Args:
        peers: the sessions.
    """

    def __init__(self, peers: Sequence[Peer]) -> None:
        self._peers = peers
        self._known: dict[
            tuple[int, int], tuple[Attributes, tuple[Override, ...], dict[str, str]]
        ] = {}

    def of(self, route: Route | None) -> dict[str, str]:
        """Return what each session gets of a route, by its name; nothing at all where all get the same.

        So it is for None, which only other data centres announce. A session that does not get it has an empty text. Routes with the same answer share it.
        """
        if route is None or not route.overrides:
            return {}
        # What they are of is kept, so that nothing else has its id meanwhile.
        key = id(route.attributes), id(route.overrides)
        if key not in self._known:
            to = {str(address): what for address, what in route.overrides}
            texts = {
                peer.name: _text(peer, to.get(peer.address, route.attributes))
                for peer in self._peers
            }
            self._known[key] = route.attributes, route.overrides, texts
        return self._known[key][2]


def _text(peer: Peer, what: Attributes | None) -> str:
    """Return what a peer sees: our AS on its session, LOCAL_PREF on iBGP alone."""
    if what is None:
        return ""
    from policy.lint.peers import LintedPeer, as_seen  # noqa: PLC0415 - most passes need none of lint

    linted = LintedPeer(peer.address, Asn(peer.asn), Asn(peer.local_as))
    preference = what.local_preference if peer.asn == peer.local_as else None
    path = as_seen(what.as_path, linted)
    return str(replace(what, as_path=path, local_preference=preference))
