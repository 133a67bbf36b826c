"""The last one standing: over every schedule of two data centres that fail, and every delay of what they hear."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import assume, example, given
from hypothesis import strategies as st

from policy.decide import Cause, Decision
from policy.keep_last import KeepLast
from policy.last import NOT_SHARED, LastOne, Standing, keep
from policy.route import Asn, AsPath, Attributes, Community, Route, parse_prefix
from policy.standing import LeaveVerdict
from policy.topology import DataCentre
from policy.witness import Elsewhere, Heard, HeardPath, Hearing, Witness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.route import Prefix

PREFIX = parse_prefix("192.0.2.1/32")
ASN, ROUTER = Asn(64699), Asn(64500)
DCS = (
    DataCentre("par1", ASN, mark=Community(64699, 1)),
    DataCentre("lyo1", ASN, mark=Community(64699, 2)),
)
OPS = ("fail", "recover", "look", "hear", "deaf", "listen")
SCHEDULES = st.lists(st.tuples(st.sampled_from(OPS), st.integers(0, 1)), max_size=24)


def path(dc: DataCentre) -> HeardPath:
    """A path of a data centre, as a router tells it."""
    marks = () if dc.mark is None else (dc.mark,)
    return HeardPath(Attributes(AsPath((ROUTER, dc.asn)), communities=marks))


@dataclass
class Place:
    """A data centre: its health, what it announces, what it heard of the other one, and what is still on its way."""

    dc: DataCentre
    other: DataCentre
    healthy: bool = True
    announced: bool = True
    heard: bool = True
    hearing: Hearing = Hearing.WHOLE
    coming: deque[bool] = field(default_factory=deque)
    withdrew_knowing: bool = True
    """Whether it had heard all of the other one's withdrawals, and had a witness, when it withdrew last."""

    def decide(self, rule: KeepLast) -> bool:
        """Return whether it announces from now on."""
        route = Route(PREFIX, Attributes(AsPath((self.dc.asn,))))
        decision = Decision(PREFIX, route if self.healthy else None, Cause.HEALTH, "as seen")
        paths = {PREFIX: (path(self.other),)} if self.heard else {}
        witness = Witness("203.0.113.1", ROUTER, ASN, self.hearing, paths)
        last = LastOne(rule, Heard(self.dc.name, DCS, (witness,)))
        announced = {PREFIX} if self.announced else set()
        kept = keep(last, {PREFIX: decision}, announced, (), lambda _: route)
        return kept.get(PREFIX, decision).route is not None


class World:
    """Two data centres, each of which hears what the other one announces, after any delay, in order."""

    def __init__(self, rule: KeepLast) -> None:
        one, other = DCS
        self.places = (Place(one, other), Place(other, one))
        self._rule = rule

    def do(self, op: str, at: int) -> None:
        """Let something happen at one of them."""
        here, there = self.places[at], self.places[1 - at]
        match op:
            case "fail" | "recover":
                here.healthy = op == "recover"
            case "hear" if here.coming and here.hearing is Hearing.WHOLE:
                here.heard = here.coming.popleft()
            case "deaf":
                here.hearing, here.heard = Hearing.DOWN, False
            case "listen":  # the witness tells its table again: what has come to it by now
                if here.hearing is Hearing.DOWN:
                    here.heard = here.coming.popleft() if here.coming else there.announced
                    here.hearing = Hearing.WHOLE
            case "look":
                self._look(here, there)

    def _look(self, here: Place, there: Place) -> None:
        announced = here.decide(self._rule)
        if here.announced and not announced:
            here.withdrew_knowing = here.hearing is Hearing.WHOLE and (
                there.announced or not any(not each for each in here.coming)
            )
        if announced != here.announced:
            here.announced = announced
            there.coming.append(announced)

    @property
    def is_nowhere(self) -> bool:
        """Whether none announces it."""
        return not any(place.announced for place in self.places)


BOTH_AT_ONCE: Sequence[tuple[str, int]] = (("fail", 0), ("fail", 1), ("look", 0), ("look", 1))


@given(SCHEDULES)
@example(list(BOTH_AT_ONCE))
def test_strict(schedule: list[tuple[str, int]]) -> None:
    """It is announced somewhere, but where the later of two withdrew before it heard that the earlier one had.

    That is the one case that can't be told without coordination: both look at once. Witnesses that come and go change
    nothing of it.
    """
    world = World(KeepLast.STRICT)
    for op, at in schedule:
        world.do(op, at)
        if world.is_nowhere:
            assert not all(place.withdrew_knowing for place in world.places)
            return


ONE_BY_ONE: Sequence[tuple[str, int]] = (("fail", 0), ("look", 0), ("fail", 1), ("look", 1))
DEAF: Sequence[tuple[str, int]] = (("deaf", 0), ("deaf", 1))


@given(SCHEDULES)
@example([*ONE_BY_ONE])
@example([*DEAF, *ONE_BY_ONE])
def test_heard_in_time(schedule: list[tuple[str, int]]) -> None:
    """Where each hears all that there is before it looks, some data centre always announces it."""
    world = World(KeepLast.STRICT)
    for op, at in schedule:
        if op == "look":
            while world.places[at].coming and world.places[at].hearing is Hearing.WHOLE:
                world.do("hear", at)
        world.do(op, at)
        assert not world.is_nowhere


@given(SCHEDULES)
def test_known(schedule: list[tuple[str, int]]) -> None:
    """Without strict, a data centre that has no live witness withdraws as without the rule; else the same holds."""
    world = World(KeepLast.KNOWN)
    for op, at in schedule:
        assume(op != "deaf")
        world.do(op, at)
        if world.is_nowhere:
            assert not all(place.withdrew_knowing for place in world.places)
            return


def test_both_at_once_is_possible() -> None:
    """The exception is real: the rule does not close it."""
    world = World(KeepLast.STRICT)
    for op, at in BOTH_AT_ONCE:
        world.do(op, at)
    assert world.is_nowhere


@given(
    st.sampled_from(KeepLast),
    st.sampled_from(Hearing),
    st.sampled_from(Cause),
    st.sampled_from([(), (PREFIX,)]),
)
def test_only_bad_health_of_what_is_announced(
    rule: KeepLast, hearing: Hearing, cause: Cause, here: tuple[Prefix, ...]
) -> None:
    """Nothing else is kept: not what an operator drains, nor what is withdrawn already; nothing is ever withdrawn by it."""
    route = Route(PREFIX, Attributes(AsPath((ASN,))))
    heard = Heard("par1", DCS, (Witness("203.0.113.1", ROUTER, ASN, hearing),))
    decision = Decision(PREFIX, None, cause, "as seen")
    kept = keep(LastOne(rule, heard), {PREFIX: decision}, here, (), lambda _: route)
    is_asked = hearing in (Hearing.WHOLE, Hearing.LEARNING)
    holds = rule is KeepLast.STRICT or (rule is KeepLast.KNOWN and is_asked)
    assert bool(kept) == (holds and bool(here) and cause is Cause.HEALTH)
    for each in kept.values():
        assert (each.route, each.cause) == (route, Cause.LAST)
    said = Decision(PREFIX, route, cause, "as seen")
    assert keep(LastOne(rule, heard), {PREFIX: said}, here, (), lambda _: route) == {}


@given(st.sampled_from(Hearing), st.lists(st.sampled_from([0, 1, 2]), max_size=3))
def test_elsewhere(hearing: Hearing, whose: list[int]) -> None:
    """Only a path that is another data centre's for certain says that one announces it; what is not told is no answer."""
    paths = [
        path(DCS[at]) if at < 2 else HeardPath(Attributes(AsPath((ROUTER, ASN)))) for at in whose
    ]
    witness = Witness("203.0.113.1", ROUTER, ASN, hearing, {PREFIX: tuple(paths)} if paths else {})
    found = Heard("par1", DCS, (witness,)).elsewhere(PREFIX)
    if 1 in whose:
        assert found is Elsewhere.ANNOUNCED
    elif hearing in (Hearing.WHOLE, Hearing.LEARNING):
        assert found is Elsewhere.NOT_SEEN
    else:
        assert found is Elsewhere.UNASKED


@given(
    st.sampled_from([KeepLast.KNOWN, KeepLast.STRICT]),
    st.sampled_from(LeaveVerdict),
    st.sampled_from([Hearing.WHOLE, Hearing.DOWN]),
    st.booleans(),
    st.booleans(),
)
def test_what_etcd_tells_goes_first(
    rule: KeepLast,
    verdict: LeaveVerdict,
    hearing: Hearing,
    seen: bool,  # noqa: FBT001 - as hypothesis gives it
    known: bool,  # noqa: FBT001
) -> None:
    """Leave lets it go whatever is heard; the last one is kept, but where a data centre that etcd does not know is seen; else witnesses decide."""
    paths = {PREFIX: (path(DCS[1]),)} if seen else {}
    heard = Heard("par1", DCS, (Witness("203.0.113.1", ROUTER, ASN, hearing, paths),))
    dcs = frozenset({"par1", *(["lyo1"] if known else [])})
    why = LastOne(rule, heard, Standing({PREFIX: verdict}, LeaveVerdict.UNKNOWN, dcs)).why(PREFIX)
    unshared = LastOne(rule, heard).why(PREFIX)
    match verdict:
        case LeaveVerdict.GRANTED:
            assert why == ""
        case LeaveVerdict.ASKING:
            assert why.startswith("asking")
        case LeaveVerdict.LAST:
            assert bool(why) == (known or not seen)
        case LeaveVerdict.UNKNOWN:
            assert why == unshared


def test_asking_is_a_cause_of_its_own() -> None:
    """What is kept while etcd is asked is no alarm: that passes in a moment."""
    route = Route(PREFIX, Attributes(AsPath((ASN,))))
    down = {PREFIX: Decision(PREFIX, None, Cause.HEALTH, "down")}
    last = LastOne(KeepLast.KNOWN, Heard(), Standing(usual=LeaveVerdict.ASKING))
    (kept,) = keep(last, down, (PREFIX,), (), lambda _: route).values()
    assert (kept.cause, kept.route) == (Cause.ASKING, route)
    assert LastOne(KeepLast.KNOWN).standing is NOT_SHARED


def test_without_the_rule_nothing_is_asked() -> None:
    """`keep_last = false` asks nobody, with etcd, too."""
    assert LastOne(standing=Standing(usual=LeaveVerdict.LAST)).why(PREFIX) == ""
