"""Owns the client of a cluster of etcd: `speaker.site.base.Etcd` over its JSON gateway.

Theory of operation. Any member answers for the cluster, and who answered last is asked first. A question goes to the next member
where one fails, or says nothing for its share of the time. Reading, and what is done to a lease whose number is known, may be
asked as often as one likes. A transaction may not: the second time not all is so any more, if the first was done. So whoever is
asked second says what the keys have, and by that it is known whether it was done; where that can't be told, it is an error.

A watch is a stream that ends by itself after some seconds, to be asked for again from where it ended: that a member answers, and
has a leader, is so known all the time, and a right that was taken away is noticed. What breaks otherwise is an error, for then it
may be that the cluster was restored from a copy, and its reader has to read all again.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeVar

import aiohttp

from speaker.config.settings_checks import Tls
from speaker.health.checks.certificates import Contexts
from speaker.printable import printable
from speaker.site.base import (
    SILENCE,
    CompactedError,
    Contents,
    EtcdError,
    EtcdRefusedError,
    LeaseOverError,
    Transacted,
    UnreachableError,
    by_revision,
    checked,
)
from speaker.site.etcd import answers, requests
from speaker.site.etcd.errors import (
    LeaseExistsError,
    MemberError,
    NotAskedError,
    TlsError,
    TokenError,
    TooMuchError,
)
from speaker.site.etcd.login import Login
from speaker.site.etcd.member import MemberClient
from speaker.site.etcd.race import Race, about, failure, said
from speaker.site.etcd.watching import turn

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

    from speaker.config.settings_site import SiteSettings
    from speaker.site.base import Changed, Compare, Delete, Put, Stored
    from speaker.site.etcd.answers import RangePage, TransactionAnswer, WatchLine
    from speaker.site.etcd.requests import Json

T = TypeVar("T")
MAX_BYTES = 256 << 20
"""Bytes of all pages of one reading."""


class EtcdClient:
    """A client of one cluster. It connects when it is first asked.

    Args:
        settings: where it is, and who is asking.
    """

    def __init__(self, settings: SiteSettings) -> None:
        self._contexts = Contexts()
        self._tls = Tls(settings.ca, settings.cert, settings.key)
        self._login = Login(settings.user, settings.password_file)
        self._session: aiohttp.ClientSession | None = None
        self._order = [
            MemberClient(url, self._connections, self._context) for url in settings.endpoints
        ]
        random.shuffle(self._order)  # not all machines of a site at one member
        self._cluster = ""
        self._closed = False

    async def read(self, under: str, *, within: float) -> Contents:
        """See `Etcd.read`."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + within
        what = f"read: {printable(under)}"
        items: list[Stored] = []
        size = revision = 0
        limit = requests.PAGE
        while True:
            after = items[-1].key if items else None
            asked = requests.range_under(under, after, revision, limit)
            race = self._race(_paging(asked), min(ends - loop.time(), requests.PAGE_WITHIN))
            try:
                body, page = await self._run(what, race)
            except UnreachableError:
                if limit == requests.PAGE or not _is_too_much(race):
                    raise
                limit = requests.PAGE
                continue
            limit = min(2 * limit, requests.LARGEST_PAGE)
            size += len(body)
            items += page.items
            revision = revision or page.revision
            if not page.more:
                self._cluster = page.cluster
                return Contents(revision, tuple(items), page.cluster)
            if size > MAX_BYTES:
                raise EtcdError(
                    f"etcd: {what}: more than {MAX_BYTES} bytes; remove what is foreign"
                )

    async def transact(
        self, compares: Sequence[Compare], then: Sequence[Put | Delete], *, within: float
    ) -> Transacted:
        """See `Etcd.transact`."""
        checked(compares, then)
        asked = requests.transaction(compares, then)

        async def ask(member: MemberClient, token: str) -> TransactionAnswer:
            return answers.attempt(await member.ask("/v3/kv/txn", asked, token))

        what = f"store: {printable(then[0].key) if then else 'nothing'}"
        race = self._race(ask, within)
        try:
            found = await self._run(what, race)
        except EtcdRefusedError as error:
            if race.alone:
                raise
            text = f"{error}; but it may be done by another member"
            raise UnreachableError(text, error.causes) from error
        if race.alone:
            return Transacted(found.done, found.revision)
        if came := answers.came_of(compares, then, found):
            return came
        raise about(what, UnreachableError("it may be done, no member can tell; read it again"))

    async def grant(self, seconds: int, *, within: float) -> int:
        """See `Etcd.grant`."""
        # A number of our own, so that asking twice does it once.
        number = 1 + secrets.randbelow((1 << 62) - 1)

        async def ask(member: MemberClient, token: str) -> int:
            try:
                body = await member.ask("/v3/lease/grant", {"TTL": seconds, "ID": number}, token)
            except LeaseExistsError:
                return number
            return answers.lease(body)

        return await self._ask("grant a lease", ask, within)

    async def keep(self, lease: int, *, within: float) -> float:
        """See `Etcd.keep`."""

        async def ask(member: MemberClient, token: str) -> float:
            return answers.kept(
                await member.first_line("/v3/lease/keepalive", {"ID": lease}, token)
            )

        try:
            return await self._ask("keep a lease", ask, within)
        except LeaseOverError:
            return 0.0

    async def revoke(self, lease: int, *, within: float) -> None:
        """See `Etcd.revoke`."""

        async def ask(member: MemberClient, token: str) -> None:
            try:
                await member.ask("/v3/lease/revoke", {"ID": lease}, token)
            except LeaseOverError:
                return  # it was done, or it has ended by itself

        await self._ask("end a lease", ask, within)

    async def watch(self, under: str, since: int) -> AsyncGenerator[Sequence[Changed], None]:
        """See `Etcd.watch`."""
        what, cluster = f"watch: {printable(under)}", self._cluster
        left, failed = [*self._order], dict[MemberClient, EtcdError]()
        share = min(SILENCE / len(left), SILENCE / 2)
        while True:
            member = left[0]
            try:
                async with aclosing(turn(member, self._login, under, since, share)) as heard:
                    async for each in heard:
                        if each.created:
                            await self._check_same(what, under, since, cluster, each)
                            left = [member]
                            yield ()
                        for changes in by_revision(each.changes):
                            yield changes
                            since = changes[0].revision + 1
            except (MemberError, TokenError) as error:
                self._learn(None, {member: error})
                failed[member] = error
                left.remove(member)
                if not left:
                    self._login.forget()
                    raise about(what, failure(UnreachableError, said(failed))) from error
            except EtcdError as error:
                raise self._refused(what, error) from error

    async def close(self) -> None:
        """See `Etcd.close`."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _check_same(
        self, what: str, under: str, since: int, cluster: str, heard: WatchLine
    ) -> None:
        """Check that a watch is at the cluster that was read, and that this is not older than then.

        Raises:
            CompactedError: it is another one, or was restored from a copy.
        """
        if cluster and heard.cluster != cluster:
            raise CompactedError(f"it is another cluster, {heard.cluster}; read all again")
        if heard.revision + 1 >= since:
            return
        # Or only this member is behind: what a majority has tells.
        asked = _paging(requests.revision_now(under))
        _, page = await self._ask(what, asked, SILENCE / 2)
        if page.revision + 1 < since:
            raise CompactedError(
                f"revision {page.revision} comes before {since - 1}: restored from a copy; read all again"
            )

    async def _ask(
        self, what: str, ask: Callable[[MemberClient, str], Awaitable[T]], within: float
    ) -> T:
        return await self._run(what, self._race(ask, within))

    def _race(self, ask: Callable[[MemberClient, str], Awaitable[T]], within: float) -> Race[T]:
        return Race(
            self._order,
            lambda member: self._login.asking(member, lambda token: ask(member, token)),
            within,
        )

    async def _run(self, what: str, race: Race[T]) -> T:
        try:
            return await race.run()
        except UnreachableError as error:
            self._login.forget()
            raise about(what, error) from error
        except EtcdError as error:
            raise self._refused(what, error) from error
        finally:
            self._learn(race.winner, race.behind)

    def _learn(
        self, winner: MemberClient | None, behind: Mapping[MemberClient, EtcdError | None]
    ) -> None:
        """Ask who answered first from now on, and who did not last."""
        self._order.sort(key=lambda each: 0 if each is winner else 2 if each in behind else 1)
        if any(isinstance(error, TlsError) for error in behind.values()):
            self._contexts.forget(self._tls)

    async def _context(self) -> ssl.SSLContext:
        return await self._contexts.of(self._tls)

    def _refused(self, what: str, error: EtcdError) -> EtcdError:
        """Return a refusal as it is reported. Its reason may be the certificate that was shown: it is read again."""
        if self._tls.certificate is not None:
            self._contexts.forget(self._tls)
        return about(what, error)

    def _connections(self) -> aiohttp.ClientSession:
        if self._closed:
            raise NotAskedError("the client is closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, use_dns_cache=False),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                auto_decompress=False,
            )
        return self._session


def _paging(asked: Json) -> Callable[[MemberClient, str], Awaitable[tuple[bytes, RangePage]]]:
    """Return what asks a member for a page: its text, and what it says."""

    async def ask(member: MemberClient, token: str) -> tuple[bytes, RangePage]:
        body = await member.ask("/v3/kv/range", asked, token)
        return body, answers.page(body)

    return ask


def _is_too_much(race: Race[T]) -> bool:
    """Tell whether a member had more to say than is read of one answer."""
    return any(isinstance(error, TooMuchError) for error in race.failed.values())
