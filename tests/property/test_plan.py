"""The plan gets from whatever is announced to what is desired, however often it is interrupted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from policy.plan import Announce, Change, Drift, Withdraw, apply, plan
from policy.route import Prefix, Route
from tests.support.strategies import policy as made

Announced = Mapping[Prefix, Route | Drift | None]
Desired = Mapping[Prefix, Route | None]
OWNED = st.lists(made.FEW_PREFIXES, unique=True)


def wanted(desired: Desired, owned: Sequence[Prefix]) -> dict[Prefix, Route | None]:
    """What is to be of every prefix that is ours: those that are not desired are to go."""
    return {**dict.fromkeys(owned), **desired}


def is_reached(desired: Desired, announced: Announced, owned: Sequence[Prefix]) -> bool:
    return all(
        prefix in announced and announced[prefix] == route
        for prefix, route in wanted(desired, owned).items()
    )


@given(made.desired_sets(), made.announced_sets(), OWNED)
def test_it_gets_there(desired: Desired, announced: Announced, owned: list[Prefix]) -> None:
    """What is announced once the plan is done is what is desired, and no more of what is ours."""
    after = apply(plan(desired, announced, owned), announced)
    assert is_reached(desired, after, owned)


@given(made.desired_sets(), made.announced_sets(), OWNED, st.data())
def test_interrupted(
    desired: Desired, announced: Announced, owned: list[Prefix], data: st.DataObject
) -> None:
    """Interrupted anywhere, and with changes lost or of unknown outcome, the next plan gets there."""
    state = dict(announced)
    for _ in range(3):
        changes = plan(desired, state, owned)
        done = changes[: data.draw(st.integers(0, len(changes)))]
        happened = [change for change in done if data.draw(st.booleans())]
        state = apply(happened, state)
        for change in done:
            if data.draw(st.booleans()):  # nobody knows what came of it
                state.pop(change.prefix, None)
    assert is_reached(desired, apply(plan(desired, state, owned), state), owned)


@given(made.desired_sets())
def test_nothing_to_do(desired: Desired) -> None:
    """Where all is as desired there is no change."""
    assert plan(desired, desired) == ()


@given(made.desired_sets(), made.announced_sets(), OWNED)
def test_twice(desired: Desired, announced: Announced, owned: list[Prefix]) -> None:
    """After a plan that was done there is no other."""
    after = apply(plan(desired, announced, owned), announced)
    assert plan(desired, after, owned) == ()


@given(made.desired_sets(), made.announced_sets(), OWNED)
def test_only_ours(desired: Desired, announced: Announced, owned: list[Prefix]) -> None:
    """What is neither desired nor owned is never touched, whatever is announced of it."""
    changes = plan(desired, announced, owned)
    assert {change.prefix for change in changes} <= desired.keys() | set(owned)
    after = apply(changes, announced)
    for prefix in announced.keys() - desired.keys() - set(owned):
        assert after[prefix] == announced[prefix]


@given(made.desired_sets(), made.announced_sets(), OWNED)
def test_one_change_a_prefix(desired: Desired, announced: Announced, owned: list[Prefix]) -> None:
    """No two changes are of one prefix: ExaBGP reorders those."""
    prefixes = [change.prefix for change in plan(desired, announced, owned * 2)]
    assert len(prefixes) == len(set(prefixes))


@given(made.desired_sets(), made.announced_sets(), OWNED)
def test_withdrawals_first(desired: Desired, announced: Announced, owned: list[Prefix]) -> None:
    """Withdrawals come first: they draw traffic to where nobody answers."""
    kinds = [type(change) for change in plan(desired, announced, owned)]
    assert kinds == sorted(kinds, key=[Withdraw, Announce].index)


@given(made.desired_sets(), made.announced_sets(), OWNED)
def test_no_needless_change(desired: Desired, announced: Announced, owned: list[Prefix]) -> None:
    """Every change changes something that is known, or makes sure of what is unknown."""
    for change in plan(desired, announced, owned):
        before = apply([], announced)
        assert change.prefix not in announced or apply([change], announced) != before


@given(st.lists(made.desired_sets(), min_size=2, max_size=4))
def test_moving_target(targets: list[Desired]) -> None:
    """Through whatever targets in between: the last one is reached."""
    owned: dict[Prefix, None] = {}
    state: dict[Prefix, Route | Drift | None] = {}
    for target in targets:
        owned |= dict.fromkeys(target)
        changes: Sequence[Change] = plan(target, state, owned)
        state = apply(changes[: len(changes) // 2], state)
    assert is_reached(targets[-1], apply(plan(targets[-1], state, owned), state), list(owned))
