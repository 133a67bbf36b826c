"""Wherever a roll is interrupted, and however often: each machine is drained when its command runs, and all is restored at the end."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.errors import PolicyError
from policy.intent import Mode
from policy.roll import Roll, RollStage, announced_by, nowhere_without
from policy.site_intent import EVERYWHERE, Extent, SiteIntent, asked, holding, merged
from speaker.cli.roll_command import NotRolledError
from speaker.cli.roll_file import RollProgress
from speaker.cli.rolling import Limits, Rolling
from tests.support.fakes.rolled_site import FakeRolledSite, extent_of

NAMES = ("par1/lb1", "par1/lb2", "par1/lb3")
PREFIXES = ("192.0.2.1/32", "192.0.2.2/32", "2001:db8::1/128")
LIMITS = Limits(5.0, 5.0)


class Word(NamedTuple):
    """What an operator asks, for a machine or the data centre."""

    extent: Extent
    prefix: str
    mode: Mode


class Interrupted(BaseException):
    """As ^C, or the end of the machine."""


@dataclass
class World:
    """A site, a record, an interruption after so many acts (a record, an order, a run), and what operators ask after so many."""

    site: FakeRolledSite
    record: Roll
    left: int = 1_000_000
    ran: list[str] = field(default_factory=list)
    typed: dict[int, list[Word]] = field(default_factory=dict)
    words: dict[str, tuple[SiteIntent, ...]] = field(default_factory=lambda: defaultdict(tuple))
    """What stands of what operators asked, by prefix, as if nothing rolled."""
    acts: int = 0
    last: bool = False

    def type(self, word: Word) -> None:
        """Have an operator ask for something."""
        said = self.site.ask(word.extent, word.prefix, word.mode)
        known = self.words[word.prefix]
        alone = asked(said.id, word.extent, said.intent, known)
        self.words[word.prefix] = merged(known, [alone])

    def wanted(self, name: str, prefix: str) -> SiteIntent | None:
        """Return what operators want of a prefix at a machine."""
        return holding(self.words[prefix], extent_of(name), self.site.now)

    def act(self) -> None:
        for word in self.typed.get(self.acts, []):
            self.type(word)
        self.acts += 1
        for name, prefix in product(NAMES, PREFIXES):
            wanted = self.wanted(name, prefix)
            if wanted is not None and not wanted.intent.restores:
                holds = self.site.holds(name, prefix)
                assert holds is not None
                assert holds.id == wanted.id, "an operator's drain is lost"
        self.left -= 1
        if self.left < 0:
            raise Interrupted

    def keep(self, now: Roll) -> None:
        self.act()
        self.record = RollProgress.from_json(RollProgress.of(("true",), now).to_json()).roll
        self.act()

    def run(self, machine: str) -> int:
        name = f"par1/{machine}"
        restored = {p for p in PREFIXES if (w := self.wanted(name, p)) and w.intent.restores}
        assert self.site.announces(name) <= restored, "the command runs while it announces"
        assert self.record.current is not None
        assert self.record.current.name == name
        self.act()
        self.ran.append(name)
        self.act()
        return 0

    def go(self) -> None:
        self.site.act = self.act
        rolling = Rolling(
            self.site,
            self.keep,
            self.run,
            LIMITS,
            last=self.last,
            wait=self.site.wait,
            steady=lambda: self.site.now,
        )
        rolling.go(self.record)


DRAINED = st.dictionaries(st.sampled_from(NAMES), st.sets(st.sampled_from(PREFIXES)))


@given(st.lists(st.integers(0, 30), max_size=6), DRAINED)
def test_interrupted_anywhere(interruptions: list[int], drained: dict[str, set[str]]) -> None:
    """After any interruptions the same roll ends with each command run, in order, and all as it was before; one at most is drained.

    It stops only where a machine alone announces something.
    """
    site = FakeRolledSite(NAMES, PREFIXES, drained)
    before = {name: site.announces(name) for name in NAMES}
    is_alone = any(sum(p in has for has in before.values()) == 1 for p in PREFIXES)
    world, stopped = World(site, Roll.over(NAMES)), False
    for left in (*interruptions, 1_000_000):
        world.left = left
        try:
            world.go()
        except Interrupted:
            assert len([name for name in NAMES if site.announces(name) != before[name]]) <= 1
        except NotRolledError:
            stopped = True
    assert stopped == is_alone
    assert {name: site.announces(name) for name in NAMES} == before
    assert world.ran == sorted(world.ran)
    if not is_alone:
        assert {*world.ran} == {*NAMES}
        assert world.record.current is None


WORDS = st.builds(
    Word,
    st.sampled_from([*map(extent_of, NAMES), Extent("par1"), EVERYWHERE]),
    st.sampled_from(PREFIXES),
    st.sampled_from([Mode.DRAINED, Mode.DRAINING, Mode.DRAINING, Mode.AUTO, Mode.FORCED]),
)


@given(
    st.lists(WORDS, max_size=3),
    st.dictionaries(st.integers(0, 30), st.lists(WORDS, min_size=1, max_size=2), max_size=4),
    st.lists(st.integers(0, 30), max_size=3),
)
def test_operators_words_stand(
    before: list[Word], typed: dict[int, list[Word]], interruptions: list[int]
) -> None:
    """Whatever operators ask before a roll and at whichever of its steps: at its end each machine obeys what they asked last, as without it.

    And at no time a drain of theirs is lost. What the roll drained alone is restored.
    """
    site = FakeRolledSite(NAMES, PREFIXES, {})
    world = World(site, Roll.over(NAMES), typed=typed, last=True)
    for word in before:
        world.type(word)
    stops = sum(map(len, typed.values()))
    for left in (*interruptions, *[1_000_000] * (stops + 1)):
        world.left = left
        with suppress(Interrupted, NotRolledError):  # as where one is restored while it drains
            world.go()
    assert world.record.current is None
    for name, prefix in product(NAMES, PREFIXES):
        wanted, holds = world.wanted(name, prefix), site.holds(name, prefix)
        if wanted is None:
            assert holds is None or (holds.own and holds.intent.mode is Mode.AUTO)
        else:
            assert holds is not None
            assert holds.id == wanted.id


def test_stages() -> None:
    """A stage can't be left out, nor come twice."""
    roll = Roll.over(["par1/lb2", "par1/lb1"])
    assert [one.name for one in roll.machines] == ["par1/lb1", "par1/lb2"]
    assert not roll.has_begun
    with pytest.raises(PolicyError, match="no machine is under way"):
        roll.advance()
    roll = roll.begin(["192.0.2.1/32"])
    assert roll.has_begun
    with pytest.raises(PolicyError, match="no machine can be draining now"):
        roll.begin(["192.0.2.1/32"])
    seen = []
    for _ in range(3):
        roll = roll.advance()
        seen.append(roll.machines[0].stage)
    assert seen == [RollStage.RUNNING, RollStage.RESTORING, RollStage.DONE]
    assert roll.current is not None
    assert (roll.current.name, roll.current.stage) == ("par1/lb2", RollStage.WAITING)


def test_nowhere() -> None:
    """What another machine is not known to announce is not counted on."""
    states: dict[str, dict[str, bool | None]] = {
        "192.0.2.1/32": {"par1/lb1": True, "par1/lb2": None},
        "192.0.2.2/32": {"par1/lb1": True, "lyo1/lb1": True},
        "192.0.2.3/32": {"par1/lb1": False},
    }
    assert announced_by("par1/lb1", states) == ("192.0.2.1/32", "192.0.2.2/32")
    assert nowhere_without("par1/lb1", states) == ("192.0.2.1/32",)
