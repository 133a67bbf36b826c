"""Neighbours out of whatever configuration ExaBGP may show: as many, with the same processes and families."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import accumulate, chain
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from speaker.backends.base import BackendError
from speaker.backends.exabgp.neighbors import ConfiguredNeighbors, Ends, parse_neighbors
from tests.support.fakes.exabgp import DIALECTS
from tests.support.fakes.exabgp_shown import Shown
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from speaker.units import IpAddress

PROCESSES = ["speaker", "listener", "vip-speaker"]
WORDS = ["parsed", "packets", "consolidate", "open", "update", "notification", "keepalive"]
# ExaBGP's own reader takes no quote into a text.
ASCII = st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\"'")
TEXTS = st.one_of(
    st.text(ASCII | st.just("\n")),
    st.sampled_from(["{", "}", "};", "\n}\n", "a }\nneighbor 192.0.2.1 {\n", "api {", "  }", ";"]),
)
SECRET = "sesame"
names = st.frozensets(st.sampled_from(PROCESSES))


@st.composite
def shown(draw: st.DrawFn, peer: IpAddress, local: IpAddress | None) -> Shown:
    """A neighbour with any texts, processes and what each is told."""
    processes = draw(names)
    near = replace(
        draw(made.neighbors(peer, local or peer)),
        local_address=local,
        processes=processes,
        told=draw(names) & processes,
    )
    told = st.dictionaries(st.sampled_from(PROCESSES), st.lists(st.sampled_from(WORDS)))
    families = st.lists(st.sampled_from(["ipv4 multicast", "ipv6 mpls-vpn", "l2vpn evpn"]))
    return Shown(near, draw(TEXTS), draw(TEXTS), draw(told), draw(families))


@st.composite
def configurations(draw: st.DrawFn) -> list[Shown]:
    """Neighbours that no two have the same ends, some with a local address that ExaBGP chooses."""
    ends = [*made.ENDS, *((peer, None) for peer in made.PEERS)]
    chosen = draw(st.lists(st.sampled_from(ends), unique=True, max_size=6))
    return [draw(shown(peer, local)) for peer, local in chosen]


PLAIN = Shown(made.ebgp(made.PEERS[0]))
TWO = replace(PLAIN.neighbor, processes=frozenset({"listener", "speaker"}))


@given(configurations(), st.sampled_from(DIALECTS))
@example([replace(PLAIN, neighbor=TWO)], 5)
@example([replace(PLAIN, received={"speaker": ["parsed", "update"]})], 4)
@example([replace(PLAIN, description="a {", password="}\n}")], 4)
def test_any_configuration(configured: list[Shown], dialect: int) -> None:
    """Every neighbour is found once, in order, whatever its texts are and however many `api` sections it has."""
    lines = [line for each in configured for line in each.lines(dialect)]
    assert list(parse_neighbors(lines)) == [each.read for each in configured]


@given(configurations(), st.sampled_from(DIALECTS), st.data())
def test_a_part_of_a_configuration(
    configured: list[Shown], dialect: int, data: st.DataObject
) -> None:
    """What breaks off is an error or whole neighbours, and no message has a text of the configuration."""
    secret = [replace(each, password=SECRET) for each in configured]
    shown_ = [each.lines(dialect) for each in secret]
    lines = list(chain.from_iterable(shown_))
    end = data.draw(st.integers(0, len(lines)))
    ends = list(accumulate(map(len, shown_), initial=0))
    if end in ends:
        found = parse_neighbors(lines[:end])
        assert list(found) == [each.read for each in configured[: ends.index(end)]]
        return
    with pytest.raises(BackendError) as caught:
        parse_neighbors(lines[:end])
    assert SECRET not in str(caught.value)


@given(st.lists(st.one_of(TEXTS, st.sampled_from(['"', "neighbor x {", "api {", "}", "}"]))))
def test_other_texts(lines: list[str]) -> None:
    """Anything else is an error, and no other exception."""
    with suppress(BackendError):
        parse_neighbors(lines)


@given(configurations())
def test_who_is_who(configured: list[Shown]) -> None:
    """Each session belongs to its neighbour, and no two are called by one name."""
    known = ConfiguredNeighbors(each.neighbor for each in configured)
    for near in known.all:
        assert known.of(near.ends) is near
        stranger = known.of(Ends(near.address, made.PEERS[0]))
        assert stranger is None or stranger.local_address is None
    assert len({known.name(near) for near in known.all}) == len(known.all)
