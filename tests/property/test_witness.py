"""Whose a path is, which one is best, and where a witness has something else than was sent: for any paths."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from policy.asn import Asn
from policy.best_path import announcements, best_by
from policy.disagreement import disagreements
from policy.preference import route
from policy.route import AsPath, Attributes, Community, Origin, parse_prefix
from policy.topology import Address, DataCentre, Profile, Topology, Vip
from policy.witness import Elsewhere, Heard, HeardPath, Hearing, Witness

if TYPE_CHECKING:
    from policy.route import Prefix

PREFIX, OTHER = parse_prefix("192.0.2.1/32"), parse_prefix("192.0.2.2/32")
ASN, ROUTER = Asn(64699), Asn(64500)
DCS = tuple(
    DataCentre(
        name,
        ASN,
        mark=Community(64699, n),
        next_hops=frozenset({ip_address(f"203.0.113.{n}")}),
        originators=frozenset({ip_address(f"198.51.100.{n}")}),
    )
    for n, name in enumerate(("par1", "lyo1", "fra1"), 1)
)
NAMES = tuple(dc.name for dc in DCS)
RANKS = tuple(map(Profile.plain, (0, 1, 2)))
SITE = Topology(
    DCS, (Vip("vip-1.tld", (Address(PREFIX, NAMES), Address(OTHER, NAMES[::-1])), RANKS),)
)
"""What each of the first and the last data centre is first for."""

paths = st.builds(
    HeardPath,
    st.builds(
        Attributes,
        st.lists(st.sampled_from([ASN, ROUTER, Asn(64511)]), max_size=4).map(
            lambda a: AsPath((*a,))
        ),
        st.none() | st.integers(0, 3),
        st.sampled_from(Origin),
        st.lists(st.sampled_from([Community(64699, n) for n in range(1, 6)]), max_size=2).map(
            tuple
        ),
        st.just(()),
        local_preference=st.none() | st.sampled_from([50, 100, 200]),
    ),
    st.sampled_from([ip_address(f"203.0.113.{n}") for n in range(1, 6)]),
    st.none() | st.sampled_from([ip_address(f"198.51.100.{n}") for n in range(1, 6)]),
)


def witness(*found: HeardPath, hearing: Hearing = Hearing.WHOLE) -> Witness:
    """A router that has some paths of the prefix."""
    return Witness("203.0.113.9", ROUTER, ASN, hearing, {PREFIX: found} if found else {})


def to_all(_: Prefix, __: str) -> bool:
    """Tell that it was sent to each."""
    return True


@given(st.lists(paths, max_size=4), st.sampled_from(NAMES))
def test_whose_it_is(found: list[HeardPath], here: str) -> None:
    """A mark goes before the next hop, that before the originator; where two fit, it is not certain; nothing follows from it."""
    router = witness(*found)
    heard = Heard(here, DCS, (router,))
    for path in found:
        marked = [dc.name for dc in DCS if dc.mark in path.attributes.communities]
        by_hop = [dc.name for dc in DCS if path.next_hop in dc.next_hops]
        by_originator = [dc.name for dc in DCS if path.originator in dc.originators]
        fits = marked or by_hop or by_originator
        # All have one AS, which tells nothing.
        assert heard.dc_of(router, path) == (fits[0] if len(fits) == 1 else "")
    certain = {heard.dc_of(router, path) for path in found} - {"", here}
    assert (heard.elsewhere(PREFIX) is Elsewhere.ANNOUNCED) == bool(certain)


@given(st.lists(paths, min_size=1, max_size=4))
def test_best(found: list[HeardPath]) -> None:
    """Some path is best; each of these has the highest LOCAL_PREF, of them the shortest AS_PATH, of them the lowest ORIGIN."""
    router = witness(*found)
    chosen = [found[place].attributes for place in router.best(PREFIX)]
    assert chosen

    def strength(each: Attributes) -> tuple[int, int, int]:
        preference = 100 if each.local_preference is None else each.local_preference
        return -preference, len(each.as_path), list(Origin).index(each.origin)

    assert {strength(each) for each in chosen} == {min(strength(p.attributes) for p in found)}


@given(
    st.sets(st.sampled_from(NAMES), min_size=1), st.sampled_from(NAMES), st.sampled_from(Hearing)
)
def test_a_router_that_does_as_it_should(living: set[str], here: str, hearing: Hearing) -> None:
    """A router that passes on what it chose, of all that is announced, has nothing else than was sent.

    Also where it shows the other prefix of ours, so that it is expected to show all.
    """
    vip = SITE.vips[0]
    shown: dict[Prefix, tuple[HeardPath, ...]] = {}
    sent: dict[Prefix, tuple[Attributes, ...]] = {}
    for address in vip.addresses:
        routes = announcements(SITE, vip, address)
        (chosen,) = best_by(vip.order, address.prefer, routes, living)
        of = {dc.name: route(vip, address, dc).attributes for dc in DCS}
        path = AsPath((ROUTER, *of[chosen].as_path))
        attributes = Attributes(path, communities=of[chosen].communities)
        shown[address.prefix] = (HeardPath(attributes),)
        sent[address.prefix] = (of[here],) if here in living else ()
    router = Witness("203.0.113.9", ROUTER, ASN, hearing, shown)
    found = disagreements(Heard(here, DCS, (router,)), SITE, sent, to_all)
    assert [each for each in found if each is not None] == []


@given(st.sampled_from(NAMES))
def test_one_that_lost_it(here: str) -> None:
    """One that shows our other prefix and has lost this one, or has a worse path than ours, does not have what was sent."""
    vip = SITE.vips[0]
    (dc,) = (dc for dc in DCS if dc.name == here)
    of = {a.prefix: route(vip, a, dc).attributes for a in vip.addresses}
    own = Attributes(AsPath((ROUTER, *of[OTHER].as_path)), communities=of[OTHER].communities)
    router = Witness("203.0.113.9", ROUTER, ASN, Hearing.WHOLE, {OTHER: (HeardPath(own),)})
    sent = {prefix: (attributes,) for prefix, attributes in of.items()}
    found = [
        e for e in disagreements(Heard(here, DCS, (router,)), SITE, sent, to_all) if e is not None
    ]
    assert found == [("203.0.113.9", PREFIX, "sent to 203.0.113.9, not seen at it")]
    heard = Heard(here, DCS, (router,))
    kept_back = disagreements(heard, SITE, sent, lambda prefix, _: prefix != PREFIX)
    assert not any(kept_back), "it was not sent to it"


def test_another_family() -> None:
    """A session without a prefix's family says nothing of it: not that it is announced nowhere else."""
    for hearing in Hearing:
        sixth = replace(witness(hearing=hearing), families=frozenset({6}))
        assert Heard("par1", DCS, (sixth,)).elsewhere(PREFIX) is Elsewhere.UNASKED
        both = Heard("par1", DCS, (sixth, witness(hearing=hearing))).elsewhere(PREFIX)
        assert (both is Elsewhere.NOT_SEEN) is witness(hearing=hearing).is_live
