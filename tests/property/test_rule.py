"""Rules in three values: Kleene's laws, and that the shortest part really decides."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, pairwise, product
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy.errors import PolicyError
from policy.health import AddressHealth, Health, so_many
from policy.rule import AtLeast, Not, Rule, Said, ShareUp, Term, decisive, depth, terms, value
from policy.ruled import circle, ruled, together
from tests.support.strategies.checks import rules

if TYPE_CHECKING:
    from collections.abc import Mapping

UP, DOWN, UNKNOWN = Health.UP, Health.DOWN, Health.UNKNOWN
NAMES = ("ipvs", "check/a", "check/b", "report/c", "vip/d")
A, B, C = Term("check/a"), Term("check/b"), Term("report/c")


RULES = rules(NAMES)
WEIGHTS = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)
WEIGHED = st.fixed_dictionaries(
    {name: st.builds(Said, st.sampled_from(Health), weight=WEIGHTS) for name in NAMES}
)
ANYTHING = (*map(Said, Health), Said(Health.UP, weight=0.0))
SAID = st.fixed_dictionaries({name: st.sampled_from(Health).map(Said) for name in NAMES})


def says(**health: Health) -> dict[str, Said]:
    return {f"check/{name}": Said(each) for name, each in health.items()}


def every(known: Mapping[str, Said]) -> list[dict[str, Said]]:
    """All that the sources may say, where some say what they do."""
    open_names = [name for name in NAMES if name not in known]
    return [
        {**known, **dict(zip(open_names, values, strict=True))}
        for values in product(ANYTHING, repeat=len(open_names))
    ]


def all_of(*of: Rule) -> Rule:
    return AtLeast(len(of), of)


def any_of(*of: Rule) -> Rule:
    return AtLeast(1, of)


@pytest.mark.parametrize(
    ("one", "other", "both", "either"),
    [
        (UP, UP, UP, UP),
        (UP, DOWN, DOWN, UP),
        (UP, UNKNOWN, UNKNOWN, UP),
        (DOWN, DOWN, DOWN, DOWN),
        (DOWN, UNKNOWN, DOWN, UNKNOWN),
        (UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN),
    ],
)
def test_tables(one: Health, other: Health, both: Health, either: Health) -> None:
    """`all` and `any` of two are Kleene's tables, in either order."""
    for said in (says(a=one, b=other), says(a=other, b=one)):
        assert value(all_of(A, B), said) is both
        assert value(any_of(A, B), said) is either


def test_not_and_silence() -> None:
    """`not` turns up and down about, and nothing else; a source that says nothing is unknown."""
    assert [value(Not(A), says(a=each)) for each in (UP, DOWN, UNKNOWN)] == [DOWN, UP, UNKNOWN]
    assert value(A, {}) is UNKNOWN


@given(RULES, SAID | WEIGHED, SAID | WEIGHED)
@example(Not(A), says(a=UNKNOWN), says(a=UP))
def test_more_knowledge(rule: Rule, said: dict[str, Said], more: dict[str, Said]) -> None:
    """What a rule says stays so when more becomes known: so no operator turns unknown into down, or up."""
    known = {
        name: more[name] if each.health is UNKNOWN and name in more else each
        for name, each in said.items()
    }
    before = value(rule, said)
    assert before is UNKNOWN or value(rule, known) is before


@given(RULES)
def test_nothing_known(rule: Rule) -> None:
    """Where nothing is known, no rule knows anything."""
    assert value(rule, {}) is UNKNOWN


@given(RULES.filter(lambda rule: "not" not in str(rule)), SAID | WEIGHED, st.sampled_from(NAMES))
def test_monotone(rule: Rule, said: dict[str, Said], better: str) -> None:
    """Without `not`, a source that comes up never makes a rule worse."""
    order = [DOWN, UNKNOWN, UP]
    before, after = value(rule, said), value(rule, {**said, better: Said(UP)})
    assert order.index(after) >= order.index(before)


@given(st.lists(RULES, min_size=1, max_size=4), SAID | WEIGHED)
def test_de_morgan(parts: list[Rule], said: dict[str, Said]) -> None:
    """Not all is any not; not at least n of k is at least k - n + 1 not. In three values."""
    size = len(parts)
    for count in range(1, size + 1):
        one = Not(AtLeast(count, tuple(parts)))
        other = AtLeast(size - count + 1, tuple(map(Not, parts)))
        assert value(one, said) is value(other, said)
    assert value(Not(Not(parts[0])), said) is value(parts[0], said)


@given(st.lists(st.sampled_from(Health), min_size=1, max_size=5))
def test_at_least_counts(values: list[Health]) -> None:
    """At least n of k: up where n are, down where n can't be any more."""
    names = [str(index) for index in range(len(values))]
    said = {name: Said(each) for name, each in zip(names, values, strict=True)}
    for count in range(1, len(values) + 1):
        found = value(AtLeast(count, tuple(map(Term, names))), said)
        assert (found is UP) == (values.count(UP) >= count)
        assert (found is DOWN) == (len(values) - values.count(DOWN) < count)


@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=8), SAID, st.data())
def test_weights(names: list[str], said: dict[str, Said], data: st.DataObject) -> None:
    """A source that stands in a list more than once counts as often: those that are up weigh enough, or can't any more."""
    count = data.draw(st.integers(1, len(names)))
    weight = {health: sum(said[name].health is health for name in names) for health in Health}
    expected = UP if weight[UP] >= count else UNKNOWN
    if weight[UP] + weight[UNKNOWN] < count:
        expected = DOWN
    assert value(AtLeast(count, tuple(map(Term, names))), said) is expected


@given(st.lists(RULES, min_size=1, max_size=5), WEIGHTS, SAID)
def test_a_share_without_weights(parts: list[Rule], share: float, said: dict[str, Said]) -> None:
    """A share of what takes all or nothing is a number of them, one at least; and is told so."""
    of = tuple(parts)
    one, other = ShareUp(share, of), AtLeast(so_many(share, len(of)), of)
    assert value(one, said) is value(other, said)
    assert decisive(one, said) == decisive(other, said)


@given(st.lists(st.tuples(st.sampled_from(Health), WEIGHTS), min_size=1, max_size=5), WEIGHTS)
def test_a_share_by_weights(sources: list[tuple[Health, float]], share: float) -> None:
    """It is up where those that are up take so much, and down where they would not with all that is unknown."""
    said = {str(place): Said(each, weight=weight) for place, (each, weight) in enumerate(sources)}
    wanted = max(Fraction(f"{share:.3f}") * len(sources), Fraction(1, 10**6))
    takes = sum(Fraction(f"{weight:.3f}") for each, weight in sources if each is UP)
    open_ = sum(each is UNKNOWN for each, _ in sources)
    found = value(ShareUp(share, tuple(map(Term, said))), said)
    assert (found is UP) == (takes >= wanted)
    assert (found is DOWN) == (takes + open_ < wanted)


@given(RULES, SAID | WEIGHED)
@example(all_of(A, any_of(B, C)), says(a=DOWN, b=DOWN) | {"report/c": Said(DOWN)})
def test_the_part_decides(rule: Rule, said: dict[str, Said]) -> None:
    """Whatever the rest says, the part that decides keeps the rule as it is. Of an unknown one: once it is known, so is the rule."""
    found, names = value(rule, said), decisive(rule, said).names
    assert names
    if found is UNKNOWN:
        assert all(said[name].health is UNKNOWN for name in names)
        for values in product((UP, DOWN), repeat=len(names)):
            known = dict(zip(names, map(Said, values), strict=True))
            assert value(rule, {**said, **known}) is not UNKNOWN
    else:
        assert all(
            value(rule, each) is found for each in every({name: said[name] for name in names})
        )


@given(RULES.filter(lambda rule: len({*terms(rule)}) == len([*terms(rule)])), SAID)
@example(all_of(any_of(A, B), C), says(a=DOWN, b=DOWN) | {"report/c": Said(DOWN)})
def test_the_part_is_the_shortest(rule: Rule, said: dict[str, Said]) -> None:
    """Where each source stands once, and takes all or nothing, no fewer sources decide what the shortest part decides."""
    found, names = value(rule, said), decisive(rule, said).names
    if found is UNKNOWN:
        return
    for fewer in combinations(NAMES, len(names) - 1):
        assert value(rule, {name: said[name] for name in fewer}) is not found


@given(RULES, SAID | WEIGHED)
@example(all_of(any_of(A, B), any_of(B, C)), says(a=UP, b=UP) | {"report/c": Said(UP)})
@example(any_of(all_of(A, B), all_of(C, B)), says(a=DOWN, b=DOWN) | {"report/c": Said(DOWN)})
@example(all_of(any_of(A, B), any_of(A, C), Not(Not(B))), says(a=UP, b=UP) | {"report/c": Said(UP)})
@example(
    ShareUp(0.5, (A, all_of(B, C))),
    {"check/a": Said(UP, weight=0.2), "check/b": Said(UP), "report/c": Said(UP)},
)
def test_nothing_can_be_taken_out(rule: Rule, said: dict[str, Said]) -> None:
    """Of the part that decides nothing can be taken out, however often a source stands in the rule; and it is what is told."""
    found, part = value(rule, said), decisive(rule, said)
    if found is UNKNOWN:
        return
    for name in part.names:
        rest = {other: said[other] for other in part.names if other != name}
        assert value(rule, rest) is not found
    assert {name for name in NAMES if f"{name} is " in part.text} <= {*part.names}


@pytest.mark.parametrize(
    ("rule", "said", "text"),
    [
        (
            all_of(A, B),
            {"check/a": Said(UP), "check/b": Said(DOWN, "HTTP 503, not 200")},
            "check/b is down (HTTP 503, not 200)",
        ),
        (
            all_of(A, any_of(B, C)),
            says(a=UP) | {"report/c": Said(UP, "all well")},
            "check/a is up and report/c is up (all well)",
        ),
        (
            AtLeast(2, (A, B, C)),
            says(a=DOWN, b=DOWN),
            "check/a is down and check/b is down, and 2 of 3 must be up",
        ),
        (
            all_of(A, Not(C)),
            says(a=UP) | {"report/c": Said(UP, "planned")},
            "report/c is up (planned), which must not be",
        ),
        (ShareUp(0.5, (A, B)), says(a=UP, b=DOWN), "check/a is up"),
        (
            ShareUp(0.5, (A, B, C)),
            says(a=UP, b=DOWN) | {"report/c": Said(UP, "0.3 of it, by app", weight=0.3)},
            "check/b is down and report/c is up (0.3 of it, by app), and 0.5 of 3 must be up",
        ),
        (all_of(A, B), says(a=UP), "check/b is unknown (nothing is known yet)"),
        (all_of(any_of(A, B), any_of(B, C)), says(a=UP, b=UP), "check/b is up"),
    ],
)
def test_sentences(rule: Rule, said: dict[str, Said], text: str) -> None:
    """The part that decides is told with what its sources say."""
    assert decisive(rule, said).text == text


def test_many_are_counted() -> None:
    """A reason names a few sources, and says how many more there are."""
    names = [f"check/{index}" for index in range(9)]
    said = {name: Said(UP) for name in names}
    text = decisive(all_of(*map(Term, names)), said).text
    assert text == "check/0 is up and check/1 is up and check/2 is up and 6 more"


@given(RULES)
def test_terms_and_depth(rule: Rule) -> None:
    """What a rule names is what it is written with."""
    assert all(name in str(rule) for name in terms(rule))
    assert 1 <= depth(rule) <= 1 + str(rule).count("(") + str(rule).count("not ")


@pytest.mark.parametrize("count", [-1, 0, 3])
def test_impossible_counts(count: int) -> None:
    """At least none, or more than there are, is refused."""
    with pytest.raises(PolicyError, match="at least"):
        AtLeast(count, (A, B))
    with pytest.raises(PolicyError, match="a share"):
        ShareUp(float(count), (A, B) if count else ())


def test_services_are_one_source() -> None:
    """The verdict on a VIP's services is one source of its rule, and keeps its numbers."""
    own = AddressHealth(UP, 3, "3 realservers", {}, 5.0)
    rule = all_of(Term("ipvs"), A)
    assert ruled(rule, own, says(a=UP)).reason == "ipvs is up (3 realservers) and check/a is up"
    down = ruled(rule, own, says(a=DOWN))
    assert (down.health, down.realservers, down.look_again) == (DOWN, 3, 5.0)
    assert ruled(A, None, {}).realservers is None


def test_another_vip() -> None:
    """A VIP is up to others' rules where all of its addresses are; where it is not announced here, nothing is known."""
    up, down = AddressHealth(UP, 1, "1 realserver"), AddressHealth(DOWN, 0, "0 realservers")
    unknown = AddressHealth(UNKNOWN, None, "not observed")
    assert together([up, None]).health is UP
    assert together([up, unknown, down]) == Said(DOWN, "0 realservers")
    assert together([up, unknown]) == Said(UNKNOWN, "not observed")
    assert together([]).health is UNKNOWN


GRAPHS = st.dictionaries(
    st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=3), max_size=6
)


@given(GRAPHS)
@example({"a": ["a"]})
@example({"a": ["b"], "b": ["c", "d"], "d": ["b"]})
def test_circles(asks: dict[str, list[str]]) -> None:
    """A circle is found where there is one, and each step of it is one."""
    way = circle(asks)
    left = dict(asks)  # whoever asks for nothing that is left can be taken away
    while done := [name for name, of in left.items() if not left.keys() & {*of}]:
        for name in done:
            del left[name]
    assert bool(way) == bool(left)
    if way:
        assert way[0] == way[-1]
        assert all(after in asks[before] for before, after in pairwise(way))
