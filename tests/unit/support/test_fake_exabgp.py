"""The fake does what tests/daemons pins of the real ExaBGP."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policy.route import Asn, Prefix, parse_prefix
from tests.support.fakes.exabgp import DIALECTS, Daemon, Dialect, Received
from tests.support.strategies import policy as made

PREFIX: Prefix = parse_prefix("192.0.2.1/32")
PEER = made.ebgp(made.PEERS[0])
NAME = str(PEER.address)
PATH = "as-path [ 64699 64699 ]"


def line(change: str) -> str:
    verb, _, attributes = change.partition(" ")
    return f"{verb} attributes next-hop 203.0.113.1 {attributes} nlri {PREFIX}"


def seen(daemon: Daemon) -> tuple[int, int | None] | None:
    """The length of the path and the MED that the peer has of the prefix."""
    found: Received | None = daemon.sessions[NAME].table.get(PREFIX)
    return None if found is None else (len(found.as_path), found.med)


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        (["withdraw", f"announce {PATH}"], {}),
        ([f"announce {PATH}", "withdraw"], {5: (2, None)}),
        (["announce med 5", "announce med 4", "withdraw"], {4: (1, 5), 5: (1, 4)}),
        (["announce med 1", "announce med 2", "announce med 1"], {4: (1, 2), 5: (1, 2)}),
    ],
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_changes_before_the_session_is_up(
    changes: list[str], wrong: dict[Dialect, tuple[int, int | None]], dialect: Dialect
) -> None:
    """What changes while a session is down may arrive in an earlier shape, until it is sent again."""
    daemon = Daemon([PEER], dialect)
    for change in changes:
        assert daemon.answer(line(change)) == ["done"]
    daemon.establish(NAME)
    withdrawn = changes[-1] == "withdraw"
    right = None if withdrawn else (2, None) if PATH in changes[-1] else (1, 1)
    assert seen(daemon) == wrong.get(dialect, right)
    assert (len(daemon.answer("show adj-rib out extensive")) > 1) == (not withdrawn)
    daemon.answer(line(changes[-1]))
    assert (seen(daemon) == right) == (withdrawn or dialect not in wrong)
    daemon.answer("flush adj-rib out")
    assert seen(daemon) == right


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_the_peer_sees(dialect: Dialect) -> None:
    """No as-path gives the local AS on eBGP and none on iBGP; a given one is taken as it is."""
    inside = replace(
        made.ebgp(made.PEERS[1]), local_as=Asn(64699), peer_as=Asn(64699), families=frozenset({4})
    )
    daemon = Daemon([PEER, inside], dialect)
    for name in daemon.sessions:
        daemon.establish(name)
    for words, paths in (
        ("", [(64699,), ()]),
        ("as-path [ 64496 64497 ]", [(64496, 64497), (64496, 64497)]),
    ):
        daemon.answer(line(f"announce {words}"))
        assert [session.table[PREFIX].as_path for session in daemon.sessions.values()] == paths


@pytest.mark.parametrize("dialect", DIALECTS)
def test_words_that_are_heeded(dialect: Dialect) -> None:
    """A word that the real one would heed anywhere in a line fails the test."""
    with pytest.raises(AssertionError, match="shutdown"):
        Daemon([PEER], dialect).answer(line("announce community [ graceful-shutdown ]"))
    with pytest.raises(AssertionError, match="families"):
        Daemon([PEER], dialect).answer(line("withdraw") + " 2001:db8::1/128")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_refused(dialect: Dialect) -> None:
    """Unknown neighbours and unknown words are an error."""
    daemon = Daemon([PEER], dialect)
    assert daemon.answer(f"neighbor 203.0.113.99 {line('announce')}") == ["error"]
    assert daemon.answer(f"neighbor {NAME} local-as 64496 {line('announce')}") == ["error"]
    assert daemon.answer(line("announce colour 5")) == ["error"]
    assert daemon.answer("flush adj-rib out") == ["error"]
