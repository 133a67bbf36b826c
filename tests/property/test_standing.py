"""The last one standing, exactly: every interleaving of machines that fail, ask, tell, withdraw, and announce again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.site_intent import Extent
from policy.standing import NOT_ASKED, Ask, LeaveCase, LeaveVerdict, Word, Words, own_word
from tests.support.standing_world import PATIENCE, World, explore

WALKS = st.lists(st.integers(0, 10_000), max_size=120)


def judge(world: World, is_quiet: bool) -> None:  # noqa: FBT001 - as `explore` calls it
    """Check a situation, in which machines stop announcing by leave alone."""
    assert not world.is_nowhere
    if not is_quiet:
        return
    for machine in world.machines:
        others = [m for m in world.machines if m is not machine]
        assert world.says[machine.at][0] is machine.announces  # what is said comes true
        assert machine.announces or not machine.healthy
        if machine.announces and not machine.healthy:
            assert not any(other.announces for other in others)  # kept as the last one alone


@pytest.mark.parametrize(
    ("count", "ops", "deepest", "at_least"),
    [
        pytest.param(2, "fail", 99, 500, id="two that fail: all that there is"),
        pytest.param(2, "fail lose", 13, 5_000, id="two that fail, answers lost or late"),
        pytest.param(2, "fail recover", 13, 5_000, id="two that fail and recover"),
        pytest.param(3, "fail", 11, 5_000, id="three that fail"),
    ],
)
def test_every_interleaving(count: int, ops: str, deepest: int, at_least: int) -> None:
    """Some machine always announces; once nothing goes on, what is bad is kept only where no other one announces."""
    assert explore(World.of(count), ops, judge, deepest) > at_least


def walk(world: World, ops: str, choices: list[int]) -> World:
    """Take steps as they are chosen, until none announces."""
    for choice in choices:
        steps = [*world.steps(ops)]
        if world.is_nowhere or not steps:
            return world
        world = steps[choice % len(steps)][1]
    return world


@given(st.sampled_from([2, 3]), WALKS)
def test_long_schedules(count: int, choices: list[int]) -> None:
    """So it is, however long it goes on: failing, recovering, answers lost, transactions that come late."""
    assert not walk(World.of(count), "fail recover lose", choices).is_nowhere


@given(st.sampled_from([2, 3]), WALKS)
def test_what_it_leaves(count: int, choices: list[int]) -> None:
    """None announces only where some machine stopped otherwise than by leave: it died, was drained, or etcd was away from it."""
    world = walk(World.of(count), "fail recover lose die away drain", choices)
    if world.is_nowhere:
        assert any(machine.gone in ("dead", "drained", "unknown") for machine in world.machines)


def go(world: World, ops: str, *names: str) -> World:
    """Take steps by their names."""
    for name in names:
        world = dict(world.steps(ops))[name]
    return world


LEAVE = ("0: fail", "0: look", "0: transact", "0: answer", "0: look", "0: apply")


@pytest.mark.parametrize(
    ("ops", "names"),
    [
        pytest.param("fail die", ("1: die", *LEAVE), id="its lease is not over"),
        pytest.param("fail die", (*LEAVE, "1: die"), id="it dies after another one left"),
        pytest.param("fail drain", (*LEAVE, "1: drain", "1: look", "1: apply"), id="drained"),
        pytest.param(
            "fail away",
            (*LEAVE, "1: fail", "1: away", "1: look", "1: apply"),
            id="etcd is away from one, and what it hears does not keep it",
        ),
    ],
)
def test_what_it_leaves_is_real(ops: str, names: tuple[str, ...]) -> None:
    """Each exception happens: nothing more may be promised."""
    assert go(World.of(2), ops, *names).is_nowhere


def test_once_a_lease_is_over() -> None:
    """Whose lease is over counts no more: the other one is kept."""
    dead = go(World.of(2), "fail die", "1: die", "1: lease over", "0: hear 1", "0: fail")
    assert not explore_nowhere(dead)


def explore_nowhere(world: World) -> bool:
    """Tell whether it can come to be announced nowhere from here, if nothing more comes from outside."""
    found: list[World] = []
    explore(world, "", lambda each, _: found.append(each) if each.is_nowhere else None, 99)
    return bool(found)


OTHER = Word(Extent("lyo1", "lb1"), announced=True, modified=7)
WORDS = Words(5, (OTHER,))
ALONE = Words(5, (Word(OTHER.by, announced=False, modified=8), Word(OTHER.by, None, 9)))


@given(st.floats(0, 2 * PATIENCE), st.sampled_from([None, WORDS]))
def test_patience(waited: float, words: Words | None) -> None:
    """Without an answer it is kept for `patience`, also where etcd is away, which may be for a moment: then witnesses decide."""
    asking = NOT_ASKED.looked(words, 100.0).asked(Ask(5, OTHER)).looked(words, 100.0 + waited)
    is_asking = 100.0 + waited - 100.0 < PATIENCE
    expected = LeaveVerdict.ASKING if is_asking else LeaveVerdict.UNKNOWN
    assert asking.verdict(words, 100.0 + waited, PATIENCE) is expected


def test_patience_is_not_begun_again_by_a_broken_connection() -> None:
    """It counts from when it was asked first, until it is answered: by leave, or by nobody else being there."""
    asking = NOT_ASKED.looked(WORDS, 0.0).looked(None, 0.2).looked(WORDS, 0.4)
    assert asking.verdict(WORDS, 0.6, PATIENCE) is LeaveVerdict.UNKNOWN
    alone = asking.looked(ALONE, 0.6)
    assert alone.verdict(ALONE, 0.6, PATIENCE) is LeaveVerdict.LAST
    assert alone.looked(WORDS, 9.0).verdict(WORDS, 9.1, PATIENCE) is LeaveVerdict.ASKING


def test_the_last_one_stays_so_while_etcd_is_away() -> None:
    """What was read last stands: nobody else has come since, as far as anybody knows. Once somebody has, it is asked again."""
    last = NOT_ASKED.looked(ALONE, 0.0).looked(None, 0.2).looked(None, 9.0)
    assert last.verdict(None, 9.0, PATIENCE) is LeaveVerdict.LAST
    asking = last.looked(WORDS, 20.0)
    assert asking.verdict(WORDS, 20.1, PATIENCE) is not LeaveVerdict.LAST
    assert asking.looked(None, 20.2).verdict(None, 20.6, PATIENCE) is LeaveVerdict.UNKNOWN


def test_what_was_not_done_waits_until_it_was_read_what_had_changed() -> None:
    """It is not asked again and again with what was read before."""
    ask = Ask(5, OTHER)
    refused = NOT_ASKED.asked(ask).answered(ask, done=False)
    assert refused.next(WORDS) is None
    assert refused.next(Words(6, (OTHER,))) == Ask(6, OTHER)
    assert NOT_ASKED.asked(ask).next(WORDS) is None  # one at a time
    assert NOT_ASKED.asked(ask).answered(ask, done=None).next(WORDS) == ask


def test_an_answer_to_something_else() -> None:
    """What was not asked now gives no leave."""
    assert NOT_ASKED.asked(Ask(6, OTHER)).answered(Ask(5, OTHER), done=True).granted is False


@pytest.mark.parametrize(
    ("asking", "announced", "wanted", "before", "expected"),
    [
        (None, True, True, None, True),
        (None, False, True, True, False),
        (None, None, True, True, None),
        (None, True, False, True, None),
        (None, True, False, False, False),
        (NOT_ASKED, True, True, True, True),
        (NOT_ASKED.asked(Ask(5, OTHER)), True, True, False, False),
        (LeaveCase(granted=True), True, True, True, False),
    ],
)
def test_own_word(
    asking: LeaveCase | None,
    announced: bool | None,  # noqa: FBT001 - a table
    wanted: bool,  # noqa: FBT001
    before: bool | None,  # noqa: FBT001
    expected: bool | None,  # noqa: FBT001
) -> None:
    """A machine says that it announces only what is confirmed, what it wants, and what it may not withdraw."""
    found = own_word(asking, announced=announced, wanted=wanted, before=before)
    assert found is expected
