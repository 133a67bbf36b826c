"""The client of etcd beside members that fail as a real one can't be made to: answers lost, foreign, slow, forged."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from speaker.config.settings_site import SiteSettings
from speaker.site.base import (
    Changed,
    Compare,
    EtcdError,
    EtcdRefusedError,
    Put,
    Transacted,
    UnreachableError,
)
from speaker.site.etcd.client import EtcdClient
from speaker.site.etcd.member import MAX_ANSWER
from speaker.site.troubles import in_words
from tests.support.fakes.etcd import Cluster
from tests.support.fakes.etcd_gateway import PASSWORD, Gateway
from tests.support.lab.eventually import SLOW
from tests.unit.site.etcd import recorded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

KEY = "/vip-speaker/a"


class Site:
    """Members of one cluster, and a client that asks them in this order."""

    def __init__(
        self,
        members: list[Gateway],
        urls: list[str],
        password_file: Path | None,
        certificate: Path | None,
    ) -> None:
        self.members, self.urls = members, urls
        user = "vip" if password_file else None
        self.client = EtcdClient(
            SiteSettings(
                tuple(urls),
                "lb1",
                cert=certificate,
                key=certificate,
                user=user,
                password_file=password_file,
            )
        )
        self.client._order.sort(key=lambda each: urls.index(each.url))

    @property
    def asked(self) -> list[list[str]]:
        return [each.asked for each in self.members]


@asynccontextmanager
async def site(
    size: int = 3, password_file: Path | None = None, certificate: Path | None = None
) -> AsyncIterator[Site]:
    cluster = Cluster()
    members = [Gateway(cluster) for _ in range(size)]
    urls = [await each.start() for each in members]
    made = Site(members, urls, password_file, certificate)
    try:
        yield made
    finally:
        await made.client.close()
        for each in members:
            with suppress(RuntimeError):
                await each.stop()


async def put(site: Site, modified: int = 0, within: float = 5) -> Transacted:
    return await site.client.transact([Compare(KEY, modified)], [Put(KEY, b"1")], within=within)


def test_a_lost_answer() -> None:
    """A transaction that was done, and whose answer was lost, is known to be done by what another member has."""

    async def run() -> None:
        async with site() as here:
            here.members[0].lost = 1
            said = await put(here)
            assert said == Transacted(done=True, revision=here.members[0].cluster.revision)
            assert [len(each) for each in here.asked] == [1, 1, 0]

    asyncio.run(run())


def test_lost_and_changed_since() -> None:
    """Where it was done and changed since, it can't be told, and that is said: neither done nor not done."""

    async def run() -> None:
        async with site() as here:
            first = here.members[0]
            first.hangs = True
            asked = asyncio.ensure_future(put(here, within=0.3))
            await first.was_asked.wait()
            first.cluster.put(KEY, b"of another")
            with pytest.raises(UnreachableError, match="may be done"):
                await asked

    asyncio.run(run())


def test_who_refuses_connections_did_nothing() -> None:
    """After a member that could not be asked, what the next one says is so: not done is not done."""

    async def run() -> None:
        async with site() as here:
            here.members[0].cluster.put(KEY, b"of another")
            await here.members[0].stop()
            assert not (await put(here)).done

    asyncio.run(run())


def test_one_that_hangs_costs_its_share() -> None:
    """The next is asked after a share of the time, and first from then on."""

    async def run() -> None:
        async with site() as here:
            here.members[0].hangs = True
            assert (await put(here, within=0.6)).done
            assert [len(each) for each in here.asked] == [1, 1, 0]
            await here.client.read(KEY, within=5)
            assert [len(each) for each in here.asked] == [1, 2, 0]

    asyncio.run(run())


@pytest.mark.nightly
def test_one_that_hangs_while_all_is_read() -> None:
    """However long all of a reading may take, the next member is asked after a share of what one page may."""

    async def run() -> None:
        async with site() as here:
            here.members[0].hangs = True
            loop = asyncio.get_running_loop()
            begun = loop.time()
            await here.client.read(KEY, within=600)
            assert loop.time() - begun < 10 * SLOW
            assert here.asked == [["kv/range"], ["kv/range"], []]

    asyncio.run(run())


def test_all_are_slow() -> None:
    """Who is only slow is waited for while others are asked: all of the time is for each."""

    async def run() -> None:
        async with site() as here:
            for each in here.members:
                each.slow = 0.5
            found = await here.client.read(KEY, within=1.2)
            assert found.items == ()
            assert [len(each) for each in here.asked] == [1, 1, 0]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>\x1b[2J"),
        (502, b"<html>\x1b[2J"),
        (301, b""),
        (200, b"x" * (MAX_ANSWER + 1)),
        (200, b'{"kvs": 7}'),
        (503, b'{"error": "no leader", "message": "etcdserver: \\u001b[2J no leader", "code": 14}'),
    ],
    ids=["no-json", "proxy", "redirection", "too-large", "form", "no-leader"],
)
def test_foreign_answers(status: int, body: bytes) -> None:
    """Who answers something else is passed over; where all do, each is named, and nothing in it acts on a terminal."""

    async def run() -> None:
        async with site() as here:
            here.members[0].says = (status, body)
            here.members[0].headers = {"Location": f"{here.urls[2]}/v3/kv/range"}
            assert (await here.client.read(KEY, within=30)).items == ()
            assert here.asked[2] == []
            for each in here.members:
                each.says = (status, body)
            with pytest.raises(UnreachableError) as caught:
                await here.client.read(KEY, within=30)
            said = str(caught.value)
            assert all(said.count(url.removeprefix("http://")) == 1 for url in here.urls)
            assert said.isprintable()
            assert said.startswith(f"etcd: read: {KEY}: ")
            assert len(said) < 1000

    asyncio.run(run())


def test_pages_grow() -> None:
    """Of many keys few pages are asked for: for each a member counts all that are behind it."""

    async def run() -> None:
        async with site(1) as here:
            for number in range(20_000):
                here.members[0].cluster.put(f"{KEY}/{number:05}", b"1")
            found = await here.client.read(KEY, within=60)
            assert len({each.key for each in found.items}) == len(found.items) == 20_000
            assert len(here.members[0].asked) == 6, (
                "of 500, 1,000, 2,000, 4,000, 8,000, and the rest"
            )

    asyncio.run(run())


def test_a_page_that_is_too_large() -> None:
    """Where many large values come together, they are read in smaller pages."""

    async def run() -> None:
        async with site(1) as here:
            for number in range(1500):
                here.members[0].cluster.put(f"{KEY}/{number:04}", b"x" * 13_000)
            found = await here.client.read(KEY, within=60)
            assert [each.key for each in found.items] == [f"{KEY}/{n:04}" for n in range(1500)]
            assert len(here.members[0].asked) == 4, "one of them was too large"

    asyncio.run(run())


def test_cut_off() -> None:
    """Who closes the connection in the middle of an answer is passed over; where all do, that is said in these words."""

    async def run() -> None:
        async with site() as here:
            here.members[0].cut = True
            assert (await here.client.read(KEY, within=30)).items == ()
            for each in here.members:
                each.cut = True
            with pytest.raises(UnreachableError, match="it closed the connection"):
                await here.client.read(KEY, within=30)

    asyncio.run(run())


@pytest.mark.parametrize("is_shown", [True, False])
def test_another_certificate(tmp_path: Path, is_shown: bool) -> None:  # noqa: FBT001
    """A member that refuses has the files of TLS read again where it was shown a certificate, which may be the reason."""
    file = tmp_path / "c.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -days 1"
    subprocess.run(
        ["openssl", *words.split(), "-keyout", file, "-out", tmp_path / "c"],
        check=True,
        capture_output=True,
    )
    file.write_text(file.read_text() + (tmp_path / "c").read_text())

    async def run() -> None:
        async with site(1, certificate=file if is_shown else None) as here:
            first = await here.client._context()
            assert await here.client._context() is first
            here.members[0].says = (400, b'{"message": "CommonName of client sending a request"}')
            with pytest.raises(EtcdRefusedError, match="has a CommonName"):
                await here.client.read(KEY, within=30)
            assert (await here.client._context() is not first) is is_shown

    asyncio.run(run())


def test_all_are_away() -> None:
    """Where no member takes connections, that is said at once, once, of each, in order."""

    async def run() -> None:
        async with site() as here:
            for each in here.members:
                await each.stop()
            loop = asyncio.get_running_loop()
            begun = loop.time()
            names = ", ".join(sorted(url.removeprefix("http://") for url in here.urls))
            with pytest.raises(UnreachableError) as caught:
                await here.client.read(KEY, within=60)
            remedy = "see to the members, and the network to them"
            assert str(caught.value) == (
                f"etcd: read: {KEY}: {names}: Connection refused; {remedy}"
            )
            assert in_words([caught.value] * 2) == f"etcd: {names}: Connection refused; {remedy}"
            assert loop.time() - begun < SLOW

    asyncio.run(run())


def test_users(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A token is had once, and again when it is refused; the password is read each time. None of it is in an error or a log."""
    file = tmp_path / "password"
    file.write_text("of yesterday\nnot this\n")
    caplog.set_level(logging.DEBUG)

    async def run() -> None:
        async with site(1, file) as here:
            (member,) = here.members
            member.password = PASSWORD
            with pytest.raises(EtcdRefusedError, match="authentication failed") as caught:
                await put(here)
            assert member.asked == ["auth/authenticate"]
            file.write_text(f"{PASSWORD}\n")
            for modified in (0, member.cluster.revision + 1):
                await put(here, modified)
            assert member.asked[1:] == ["auth/authenticate", "kv/txn", "kv/txn"]
            member.tokens.clear()  # as a member does that starts again
            assert (await here.client.read(KEY, within=5)).items
            assert member.asked[4:] == ["kv/range", "auth/authenticate", "kv/range"]
            member.tokens.clear()
            file.unlink()
            with pytest.raises(EtcdRefusedError, match="password_file") as missing:
                await here.client.read(KEY, within=5)
            for text in (str(caught.value), str(missing.value), caplog.text):
                assert "yesterday" not in text
                assert PASSWORD not in text
                assert "token." not in text

    asyncio.run(run())


def test_no_users(tmp_path: Path) -> None:
    """Where the cluster has no users, nobody logs in; where it has them and none is configured, that is said."""
    file = tmp_path / "password"
    file.write_text(PASSWORD)

    async def run() -> None:
        async with site(1, file) as here:
            assert (await put(here)).done
            here.members[0].password = PASSWORD  # it has them from now on
            assert (await here.client.read(KEY, within=5)).items
        async with site(1) as here:
            here.members[0].password = PASSWORD
            with pytest.raises(EtcdRefusedError, match=r"site\.user"):
                await put(here)

    asyncio.run(run())


def test_refused_by_the_second() -> None:
    """Where one said nothing and the next refuses, it is not said that nothing was done."""

    async def run() -> None:
        async with site(2) as here:
            here.members[0].hangs = True
            here.members[1].says = (429, recorded.NO_SPACE)
            with pytest.raises(UnreachableError, match=r"space exceeded.*may be done"):
                await put(here, within=0.4)
            here.members[0].hangs = False
            here.members[0].says = (429, recorded.NO_SPACE)
            with pytest.raises(EtcdRefusedError, match="space exceeded"):
                await put(here, within=0.4)

    asyncio.run(run())


def event(key: str, revision: int, *, more: bool = False) -> bytes:
    text = {"kv": {"key": key, "mod_revision": str(revision)}}
    line = {"result": {"header": {"cluster_id": "7"}, "events": [text], "fragment": more}}
    return json.dumps(line).encode() + b"\n"


def test_a_watch_in_parts() -> None:
    """Lines may come in any parts, and a revision in several lines: what happened at once is told at once."""
    whole = event("YQ==", 5, more=True) + event("Yg==", 5, more=True) + event("Yw==", 6)

    async def run(size: int) -> None:
        async with site(1) as here:
            here.members[0].lines = [whole[i : i + size] for i in range(0, len(whole), size)]
            heard = []
            async with aclosing(here.client.watch("", 2)) as changes:
                async for each in changes:
                    heard += [[*each]] if each else []
                    if len(heard) == 2:
                        break
            assert heard == [[Changed("a", b"", 5), Changed("b", b"", 5)], [Changed("c", b"", 6)]]

    for size in (7, 100, 1000):
        asyncio.run(run(size))


def test_what_a_watch_ends_with() -> None:
    """Whatever a member says in place of what happened is an error of a name."""

    async def ended(part: bytes) -> EtcdError:
        async with site(1) as here:
            here.members[0].lines = [part]
            async with aclosing(here.client.watch("", 2)) as changes:
                with pytest.raises(EtcdError) as caught:
                    async for _ in changes:
                        pass
        return caught.value

    for part, kind in (
        (b"nonsense\n", UnreachableError),
        (recorded.NO_LEADER + b"\n", UnreachableError),
        (recorded.DENIED + b"\n", EtcdRefusedError),
    ):
        error = asyncio.run(ended(part))
        assert type(error) is kind
        assert str(error).startswith("etcd: watch: ")
