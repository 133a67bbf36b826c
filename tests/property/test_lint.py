"""The lint against the model: it finds a fault exactly where some set of living DCs has one."""

from __future__ import annotations

from itertools import chain, combinations
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from policy.best_path import best
from policy.lint import lint
from policy.lint.announced import Announced, Announcements
from policy.lint.balance import pairs
from policy.lint.finding import Code
from policy.lint.routes import routes
from policy.route import AsPath, Attributes, Origin, Route
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy.topology import Topology

NEVER = {Code.TIE, Code.NOT_FIRST, Code.FOREIGN_ASN}
NAMES = made.DC_NAMES[:4]


def living(names: Iterable[str]) -> Iterable[tuple[str, ...]]:
    """All non-empty sets."""
    names = tuple(names)
    return chain.from_iterable(combinations(names, count + 1) for count in range(len(names)))


@given(made.topologies())
def test_what_is_accepted_is_clean(topology: Topology) -> None:
    """Rule 6: where prepends rise with each rank no two DCs tie, and each takes over in its turn."""
    found = lint(topology)
    assert not NEVER & {finding.code for finding in found}
    if len(topology.dcs) > 1:
        assert Code.NO_BACKUP not in {finding.code for finding in found}


@st.composite
def any_announced(draw: st.DrawFn) -> Announced:
    """An address that some of four DCs announce, with few different attributes."""
    prefix = made.HOSTS_V4[0]
    given_by = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    attributes = st.builds(
        Attributes,
        st.lists(st.sampled_from(made.ASNS[:2]), min_size=1, max_size=3).map(
            lambda asns: AsPath(tuple(asns))
        ),
        st.sampled_from([None, 0, 1]),
        st.sampled_from(Origin),
    )
    return Announced(
        prefix,
        {name: Route(prefix, draw(attributes)) for name in given_by},
        tuple(draw(st.permutations(NAMES))),
    )


@given(any_announced())
def test_every_set_of_living_dcs(address: Announced) -> None:
    """A tie is found exactly where some living DCs tie; a wrong order where, tie apart, one is wrong."""
    found = {f.code for f in routes(Announcements(dict.fromkeys(NAMES, made.ASNS[0]), (address,)))}
    chosen = {alive: best(address.routes, alive) for alive in living(NAMES)}
    assert (Code.TIE in found) == any(len(names) > 1 for names in chosen.values())
    wrong = any(
        len(names) == 1 and names != {next(name for name in address.prefer if name in alive)}
        for alive, names in chosen.items()
    )
    assert (Code.NOT_FIRST in found) == wrong
    own = made.ASNS[0]
    foreign = any(set(route.attributes.as_path) - {own} for route in address.routes.values())
    assert (Code.FOREIGN_ASN in found) == foreign
    assert (Code.NO_BACKUP in found) == (len(address.routes) < 2)


@given(made.topologies())
def test_pairs_have_everything_once(topology: Topology) -> None:
    """Pairing loses no address, takes none twice, and never pairs two names or two of a family."""
    found = [*pairs(Announcements.of(topology))]
    flat = [one.prefix for pair in found for one in pair if one is not None]
    assert sorted(map(str, flat)) == sorted(map(str, topology.prefixes))
    for ipv4, ipv6 in found:
        assert ipv4 is None or ipv4.prefix.version == 4
        assert ipv6 is None or ipv6.prefix.version == 6
        assert ipv4 is None or ipv6 is None or ipv4.vip == ipv6.vip
