"""Machines with etcd between them, as one value that every interleaving of their steps can be tried on.

Between a machine and etcd everything is late: what it hears, what it asks, what it tells, and every answer. Revisions are only ever
compared with one another, so they are numbered again after each step, and the same situation is the same value.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from policy.site_intent import Extent
from policy.standing import NOT_ASKED, Ask, LeaveCase, LeaveVerdict, Word, Words, own_word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 0.5
FRESH = 99
"""A revision that is later than all."""
Said = tuple[bool | None, int]
"""What etcd has of a machine, and its revision: 0 for nothing."""


class Machine(NamedTuple):
    """A machine: its health, what it announces and wants to, and what is under way between it and etcd.

    Attributes:
        at: its place.
        copy: what it heard last of each machine.
        gone: how it stopped announcing, where it did: by leave, or otherwise.
        sent: what it asks, until it is answered. `answer`: what came of it, on the way back.
        late: what it asked, and gave up: it may be done yet.
        telling: what it writes of itself, and which revision of its word that is to replace.
    """

    at: int
    copy: tuple[Said, ...]
    healthy: bool = True
    announces: bool = True
    wanted: bool = True
    confirmed: bool = True
    drained: bool = False
    dead: bool = False
    away: bool = False
    gone: str = ""
    asking: LeaveCase | None = None
    sent: Ask | None = None
    answer: tuple[Ask, bool] | None = None
    late: Ask | None = None
    telling: tuple[bool | None, int] | None = None

    @property
    def words(self) -> Words | None:
        """What it has read; None where etcd is away."""
        if self.away:
            return None
        others = enumerate(self.copy)
        found = (Word(Extent("", str(k)), a, r) for k, (a, r) in others if k != self.at and r)
        return Words(self.copy[self.at][1], tuple(found))

    def looked(self) -> Machine:
        """Look at its health, and decide. Where etcd is away, it is worst where witnesses let it go: they do."""
        if self.drained:
            return self._replace(wanted=False, asking=None, gone="drained")
        if self.healthy:
            return self._replace(wanted=True, asking=None, gone="")
        if not self.wanted and (not self.announces or self.gone):
            return self
        asking = (self.asking or NOT_ASKED).looked(self.words, 0.0)
        now = PATIENCE if self.away else 0.0  # then it is worst once it has waited
        verdict = asking.verdict(self.words, now, PATIENCE)
        if verdict in (LeaveVerdict.GRANTED, LeaveVerdict.UNKNOWN):
            how = "leave" if verdict is LeaveVerdict.GRANTED else "unknown"
            return self._replace(wanted=False, asking=asking, gone=how)
        sent = self.sent
        if sent is None and (ask := asking.next(self.words)) is not None:
            asking, sent = asking.asked(ask), ask
        return self._replace(asking=asking, sent=sent)

    @property
    def word(self) -> bool | None:
        """What it would say of itself."""
        return own_word(
            self.asking,
            announced=self.announces if self.confirmed else None,
            wanted=self.wanted,
            before=self.copy[self.at][0],
        )


class World(NamedTuple):
    """What etcd has, and the machines."""

    says: tuple[Said, ...]
    machines: tuple[Machine, ...]

    @classmethod
    def of(cls, count: int) -> World:
        """Return so many machines, which all announce."""
        says = ((True, 1),) * count
        return cls(says, tuple(Machine(at, says) for at in range(count)))

    @property
    def is_nowhere(self) -> bool:
        """Whether none announces it."""
        return not any(machine.announces for machine in self.machines)

    def steps(self, ops: str) -> Iterator[tuple[str, World]]:
        """Yield each step that some machine, or etcd for it, can take now, with what it comes to.

        Args:
            ops: what may happen from outside: fail, recover, lose (an answer), die, away, drain.
        """
        for machine in self.machines:
            for name, after in self._all(machine, ops):
                if after != self:
                    yield f"{machine.at}: {name}", after._numbered(machine.at)

    def _all(self, m: Machine, ops: str) -> Iterator[tuple[str, World]]:
        if not m.dead:
            yield from self._outside(m, ops)
            yield from self._inside(m)
        yield from self._etcd(m)

    def _outside(self, m: Machine, ops: str) -> Iterator[tuple[str, World]]:
        if "fail" in ops and m.healthy:
            yield "fail", self._with(m._replace(healthy=False))
        if "recover" in ops:
            yield "recover", self._with(m._replace(healthy=True, drained=False, away=False))
        if "drain" in ops:
            yield "drain", self._with(m._replace(drained=True))
        if "away" in ops:
            yield "away", self._with(m._replace(away=True))
        if "die" in ops:
            yield "die", self._with(m._replace(dead=True, announces=False, gone="dead"))
        if "lose" in ops and m.sent is not None and m.late is None:
            asking = m.asking and m.asking.answered(m.sent, done=None)
            late = m.sent if m.answer is None else None
            yield "lose", self._with(m._replace(sent=None, answer=None, late=late, asking=asking))

    def _inside(self, m: Machine) -> Iterator[tuple[str, World]]:
        yield "look", self._with(m.looked())
        if m.announces != m.wanted:
            yield "apply", self._with(m._replace(announces=m.wanted, confirmed=False))
        yield "confirm", self._with(m._replace(confirmed=True))
        if not m.away:
            for k, said in enumerate(self.says):
                copy = (*m.copy[:k], said, *m.copy[k + 1 :])
                yield f"hear {k}", self._with(m._replace(copy=copy))
        if m.telling is None and m.word != m.copy[m.at][0]:
            yield "tell", self._with(m._replace(telling=(m.word, m.copy[m.at][1])))
        if m.answer is not None:
            ask, done = m.answer
            asking = m.asking and m.asking.answered(ask, done=done)
            yield "answer", self._with(m._replace(sent=None, answer=None, asking=asking))

    def _etcd(self, m: Machine) -> Iterator[tuple[str, World]]:
        if m.dead and self.says[m.at][1]:
            yield "lease over", World(self._said(m.at, (None, 0)), self.machines)
        elif m.away:
            return
        if m.telling is not None:
            word, own = m.telling
            is_so = self.says[m.at][1] == own and not m.dead
            says = self._said(m.at, (word, FRESH)) if is_so else self.says
            yield "told", self._with(m._replace(telling=None), says)
        if m.sent is not None and m.answer is None:
            done, says = self._transact(m, m.sent)
            yield "transact", self._with(m._replace(answer=(m.sent, done)), says)
        if m.late is not None:
            yield "transact late", self._with(m._replace(late=None), self._transact(m, m.late)[1])

    def _transact(self, m: Machine, ask: Ask) -> tuple[bool, tuple[Said, ...]]:
        other = self.says[int(ask.other.by.machine)][1]
        done = self.says[m.at][1] == ask.own and other == ask.other.modified and not m.dead
        return done, self._said(m.at, (False, FRESH)) if done else self.says

    def _said(self, at: int, said: Said) -> tuple[Said, ...]:
        return (*self.says[:at], said, *self.says[at + 1 :])

    def _with(self, m: Machine, says: tuple[Said, ...] | None = None) -> World:
        machines = (*self.machines[: m.at], m, *self.machines[m.at + 1 :])
        return World(self.says if says is None else says, machines)

    def _numbered(self, at: int) -> World:
        """Return the same with revisions numbered again, after a step of one machine: 1 is the one that etcd has now."""
        says = tuple((announced, min(revision, 1)) for announced, revision in self.says)
        if says == self.says and not self.machines[at].dead:
            return self._with(_numbered(self.machines[at], says))
        return World(says, tuple(_numbered(m, self.says) for m in self.machines))


def _numbered(m: Machine, says: tuple[Said, ...]) -> Machine:
    names = [{0: 0} | ({now: 1} if now else {}) for _, now in says]

    def rev(k: int, revision: int) -> int:
        return names[k].setdefault(revision, len(names[k]) + 1)

    def renamed(ask: Ask | None) -> Ask | None:
        if ask is None:
            return None
        other = replace(ask.other, modified=rev(int(ask.other.by.machine), ask.other.modified))
        return Ask(rev(m.at, ask.own), other)

    answered = m.answer and renamed(m.answer[0])
    return m._replace(
        copy=tuple((announced, rev(k, revision)) for k, (announced, revision) in enumerate(m.copy)),
        telling=m.telling and (m.telling[0], rev(m.at, m.telling[1])),
        sent=renamed(m.sent),
        late=renamed(m.late),
        answer=(answered, m.answer[1]) if m.answer and answered else None,
        asking=m.asking and replace(m.asking, ask=renamed(m.asking.ask)),
    )


def explore(first: World, ops: str, check: Callable[[World, bool], None], deepest: int) -> int:
    """Try every interleaving, and return how many situations there are.

    Args:
        first: where it begins.
        ops: what may happen from outside, see `World.steps`.
        check: is given each situation, and whether nothing goes on in it but what comes from outside; raises where it must not be.
        deepest: how many steps there are at most.
    """
    seen, todo = {first}, deque([(first, 0)])
    while todo:
        world, depth = todo.popleft()
        check(world, not any(True for _ in world.steps("")))
        if depth == deepest:
            continue
        for _, after in world.steps(ops):
            if after not in seen:
                seen.add(after)
                todo.append((after, depth + 1))
    return len(seen)
