"""Why a session is down: what ExaBGP told, and what it does not say of a local address that is not here."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from speaker.backends.exabgp.local_address import is_here
from speaker.backends.exabgp.neighbors import ConfiguredNeighbors
from speaker.backends.exabgp.sessions import Sessions
from tests.support.fakes.site import NEIGHBORS

FIRST, SECOND = NEIGHBORS


def test_here() -> None:
    """What is on this machine is; what is not is not; of what can't be asked for so it is not known."""
    assert is_here(ip_address("127.0.0.1")) is True
    assert is_here(ip_address("192.0.2.99")) is False
    assert is_here(ip_address("2001:db8::99")) is not True
    assert is_here(ip_address("fe80::1")) is not True


@pytest.mark.parametrize(("here", "is_said"), [(False, True), (True, False), (None, False)])
def test_a_local_address_that_is_not_here(*, here: bool | None, is_said: bool) -> None:
    """It is said of sessions that are down, with what to do; not where it is not known, or a session is up, or ExaBGP chooses."""
    sessions = Sessions(lambda _: here)
    neighbors = ConfiguredNeighbors(NEIGHBORS)
    sessions.shown({FIRST.ends: None, SECOND.ends: 5.0}, 10.0)
    found = sessions.reasons(neighbors)
    assert (FIRST in found) is is_said
    assert SECOND not in found
    if is_said:
        text = (
            "its local-address 203.0.113.2 is not on this machine; add it (ip address), or correct"
        )
        assert found[FIRST].startswith(text)
        (peer, _) = neighbors.peers(sessions.of(neighbors), found)
        assert peer.reason.startswith(text)
    chosen = replace(FIRST, local_address=None)
    sessions.shown({chosen.ends: None}, 11.0)
    assert not sessions.reasons(ConfiguredNeighbors([chosen]))
