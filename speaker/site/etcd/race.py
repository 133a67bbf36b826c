"""Asks members one after the other until one answers, and waits for none of them alone.

Who fails, is not asked again; who says nothing for a share of the time is waited for further while the next is asked. So a member
that hangs costs a share, and one that is only slow is not given up.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from speaker.site.base import EtcdRefusedError, UnreachableError
from speaker.site.etcd.errors import MemberError, NotAskedError, TlsError
from speaker.site.troubles import lines

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from speaker.site.base import Causes, EtcdError
    from speaker.site.etcd.member import MemberClient

T = TypeVar("T")


class Race(Generic[T]):
    """One question to several members.

    Args:
        members: whom to ask, in this order.
        ask: asks one.
        within: seconds until it is an error.

    Attributes:
        failed: who failed, and how.
        winner: who answered.
    """

    def __init__(
        self,
        members: Sequence[MemberClient],
        ask: Callable[[MemberClient], Awaitable[T]],
        within: float,
    ) -> None:
        self._left = [*members]
        self._ask, self._within = ask, within
        self._asked: dict[asyncio.Task[T], MemberClient] = {}
        self._may_have: set[MemberClient] = set()
        self.failed: dict[MemberClient, MemberError] = {}
        self.winner: MemberClient | None = None

    @property
    def behind(self) -> Mapping[MemberClient, EtcdError | None]:
        """Who was asked, and has not answered; why, where they failed."""
        silent = [each for each in self._may_have if each is not self.winner]
        return {**dict.fromkeys(silent), **self.failed}

    @property
    def alone(self) -> bool:
        """Whether nobody but the winner may have done what was asked."""
        return self._may_have <= {self.winner}

    async def run(self) -> T:
        """Return the first answer.

        Raises:
            UnreachableError: there was none in time.
            EtcdRefusedError: no member could be asked, for TLS.
            EtcdError: a member refused.
        """
        loop = asyncio.get_running_loop()
        share, ends = self._within / max(1, len(self._left)), loop.time() + self._within
        try:
            while True:
                if self._left:
                    self._start(self._left.pop(0))
                elif not self._asked:
                    raise self._error()
                limit = loop.time() + share if self._left else ends
                while self._asked and (wait := min(limit, ends) - loop.time()) > 0:
                    done, _ = await asyncio.wait(
                        self._asked, timeout=wait, return_when=asyncio.FIRST_COMPLETED
                    )
                    for task in done:
                        if self._answered(task):
                            return task.result()
                    if done and self._left:
                        break  # one has failed: the next
                if loop.time() >= ends:
                    raise self._error()
        finally:
            await self._stop()

    def _start(self, member: MemberClient) -> None:
        self._may_have.add(member)
        self._asked[asyncio.ensure_future(self._ask(member))] = member

    def _answered(self, task: asyncio.Task[T]) -> bool:
        """Tell whether a task ended with an answer, or a refusal, which is one."""
        member = self._asked.pop(task)
        error = task.exception()
        if isinstance(error, MemberError):
            self.failed[member] = error
            if isinstance(error, NotAskedError):
                self._may_have.discard(member)
            return False
        self.winner = member
        if isinstance(error, EtcdRefusedError):
            self._may_have.discard(member)
        return True

    def _error(self) -> EtcdError:
        silent = {
            member: MemberError(f"no answer in {self._within:g} s")
            for member in self._asked.values()
        }
        causes: Causes = said({**self.failed, **silent}) or {"no time to ask anybody": ()}
        if not silent and all(isinstance(each, TlsError) for each in self.failed.values()):
            return failure(EtcdRefusedError, causes, "see the certificates, and site.ca, site.cert")
        return failure(UnreachableError, causes, "see to the members, and the network to them")

    async def _stop(self) -> None:
        for task in self._asked:
            task.cancel()
        if self._asked:
            await asyncio.wait(self._asked)
            for task in self._asked:
                if not task.cancelled():
                    task.exception()  # which nobody waits for any more


def said(errors: Mapping[MemberClient, EtcdError]) -> dict[str, list[str]]:
    """Return what members said, or why they said nothing: each once, with those of which it is so."""
    causes: dict[str, list[str]] = {}
    for member, error in errors.items():
        causes.setdefault(str(error), []).append(member.url.partition("://")[2])
    return causes


def failure(kind: type[EtcdError], causes: Causes, remedy: str = "") -> EtcdError:
    """Return the error that members' words are, with what to do."""
    causes = {**causes, **({remedy: ()} if remedy else {})}
    return kind("; ".join(lines(causes)), causes)


def about(what: str, error: EtcdError) -> EtcdError:
    """Return an error with what was asked."""
    return type(error)(f"etcd: {what}: {error}", error.causes or {str(error): ()})
