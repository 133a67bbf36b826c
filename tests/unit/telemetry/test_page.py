"""The status page: what it says, that nothing from outside acts in it, and what its followers are told."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
from contextlib import ExitStack
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from policy.intent import Intent, Mode
from speaker.api import PrefixStatus, Sentence
from speaker.reconcile.notices import Notice
from speaker.telemetry import live, page
from speaker.telemetry.assets import ASSETS
from speaker.telemetry.live import CLIENTS
from speaker.telemetry.look import Look
from speaker.telemetry.page import Page
from speaker.telemetry.recent import KEPT, Recent
from speaker.telemetry.shown import Shown
from tests.support.fakes.site import INSIDE, PEER, SECOND, V4, Site, running
from tests.support.lab.eventually import eventually
from tests.support.lab.growth import assert_linear, counting
from tests.unit.telemetry.test_server import get, served
from tests.unit.test_growth import many

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.lab.growth import Work

OPEN = {"meta", "link", "input", "br"}


class Read(HTMLParser):
    """Elements that are all closed, their attributes, and their text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in OPEN:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_what_it_says(tmp_path: Path) -> None:
    """The page has each VIP, each data centre's preference, who was sent it, why, and what happened."""

    def ask(site: Site, port: int) -> None:
        loop = site.life.tasks[0].get_loop()
        drain = site.reconciler.operator.apply({SECOND: Intent(Mode.DRAINED, "alice", 0.0, "why")})
        asyncio.run_coroutine_threadsafe(drain, loop).result()

        def html() -> str:
            return get(port, "/")[1].decode()

        eventually(lambda: "drained by alice" in html(), within=10, what="the drain")
        read = Read(html())
        text = re.sub(r"\s+", " ", read.text)
        why = next(html for html in re.findall(r"<details.*?</details>", html()) if "alice" in html)
        for said in (
            "drained by alice",
            "drained by alice, ",
            "par1, lyo1",
            "203.0.113.11 AS64496",
        ):
            assert said in why, (said, why)
        for said in ("vip-1.tld", "vip-2.tld", str(V4), "par1 → lyo1", "203.0.113.11", "why"):
            assert said in text, said
        assert "withdrawn" in text
        ids = [attrs["id"] for _, attrs in read.tags if "id" in attrs]
        assert len(ids) == len({*ids})

    served(tmp_path, ask)


def test_a_family_that_no_session_has(tmp_path: Path) -> None:
    """That no session has it is said; it is not unknown."""

    def ask(site: Site, port: int) -> None:
        def refuse() -> None:
            for peer in (PEER, INSIDE):
                site.exabgp.down(peer)
                site.exabgp.daemon.sessions[peer].refused = frozenset({6})
                site.exabgp.up(peer, sent_after=0)

        site.life.tasks[0].get_loop().call_soon_threadsafe(refuse)
        eventually(
            lambda: "<small>no session has its family</small>" in get(port, "/")[1].decode(),
            within=10,
            what="a VIP that is sent to nobody",
        )

    served(tmp_path, ask)


def test_nothing_from_outside(tmp_path: Path) -> None:
    """No style, script or address of anybody's else is in it, none stands in the page itself, and it reloads by itself."""

    def ask(site: Site, port: int) -> None:
        del site
        status, html, response = get(port, "/")
        assert status == 200
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        read = Read(html.decode())
        linked = {attrs.get("src") or attrs.get("href") for _, attrs in read.tags} - {None}
        assert linked == {"page.css", "page.js", "#vips"}
        assert not any(name.startswith("on") or name == "style" for _, a in read.tags for name in a)
        assert not {"style", "iframe", "form", "object"} & {tag for tag, _ in read.tags}
        assert ("meta", {"http-equiv": "refresh", "content": "15"}) in read.tags
        for name, kind in ASSETS.items():
            status, content, response = get(port, f"/{name}")
            assert (status, response.headers["Content-Type"]) == (200, kind)
            assert b"http:" not in content
            assert b"https:" not in content
            assert b"@import" not in content

    served(tmp_path, ask)


HOSTILE = st.text() | st.sampled_from(
    ["<script>alert(1)</script>", "'\"><img src=x onerror=y>", "\u202e&amp;"]
)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_any_text(name: str, peer: str, reason: str) -> None:
    """Whatever a name, a session or a reason has in it is text, and no element or attribute of the page."""
    route = PrefixStatus(
        vip=name, prefix="192.0.2.1/32", announced=None, peers={peer: None}, as_path=(), rank=0,
        prepends=0, realservers=None, health="unknown", intent="auto", reason=reason, wanted=None,
        as_wanted=False,
    )  # fmt: skip
    notice = Notice(time=0.0, event="alarm", subject=name, reason=reason)
    why = {"192.0.2.1/32": [Sentence(about="peer", text=peer), Sentence(about=name, text=reason)]}
    usual = {
        "details",
        "summary",
        "dl",
        "dt",
        "dd",
        "tbody",
        "tr",
        "th",
        "td",
        "div",
        "code",
        "span",
        "ul",
        "li",
        "small",
        "b",
        "section",
        "h2",
        "ol",
        "time",
    }
    parts = [
        page._vip("vip-0", name, [route], {"192.0.2.1/32": ((name, peer), False)}, why, name),
        page._trouble([reason], [route]),
        page._recent([notice]),
    ]
    for part in parts:
        read = Read(part)
        assert {tag for tag, _ in read.tags} <= usual
        allowed = {
            "id",
            "class",
            "role",
            "scope",
            "colspan",
            "data-label",
            "aria-hidden",
            "aria-labelledby",
            "datetime",
        }
        assert {key for _, attrs in read.tags for key in attrs} <= allowed


def test_what_changed() -> None:
    """A follower is told the parts that differ; all of it where there are other parts, or another order."""
    before = Page("t", {"head": "a"}, {"vip-0": "b", "vip-1": "c"}, {"recent": "d"}, 1)
    after = Page("t", {"head": "a"}, {"vip-0": "b", "vip-1": "C"}, {"recent": "d"}, 2)
    assert after.since(before) == {"vip-1": "C"}
    assert before.since(before) == {}
    assert Page("t", {"head": "a"}, {"vip-0": "b"}, {"recent": "d"}, 3).since(before) is None
    assert b"event: parts\n" in live.difference(before, after)


def test_following(tmp_path: Path) -> None:
    """A browser is told of a change as it happens, and of nothing that did not change."""

    def ask(site: Site, port: int) -> None:
        found = re.search(rb'data-number="(\d+)"', get(port, "/")[1])
        assert found is not None
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", f"/live?have={found[1].decode()}")
        answer = connection.getresponse()
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert answer.readline() == b"event: alive\n"
        site.source.live[V4] = 0
        while answer.readline() != b"event: parts\n":
            pass
        told = json.loads(answer.readline().removeprefix(b"data: "))
        assert "vip-1" not in told["parts"]
        connection.close()

    served(tmp_path, ask)


def test_few_follow(tmp_path: Path) -> None:
    """Of those who follow there are so many at most; the others, and Prometheus, are answered; who goes makes room."""

    def ask(site: Site, port: int) -> None:
        del site
        with ExitStack() as stack:
            for _ in range(CLIENTS):
                caller = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                caller.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert caller.recv(15) == b"HTTP/1.1 200 OK"
            assert get(port, "/live")[0] == 503
            assert get(port, "/live", method="HEAD")[:2] == (200, b"")
            assert get(port)[0] == 200
            assert get(port, "/")[0] == 200

        def has_room() -> bool:
            with socket.create_connection(("127.0.0.1", port)) as caller:
                caller.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return caller.recv(15) == b"HTTP/1.1 200 OK"

        eventually(has_room, within=30, what="room for another")

    served(tmp_path, ask)


def test_the_same_page(tmp_path: Path) -> None:
    """While nothing changes, no page is made: the one before is shown."""

    async def main() -> None:
        async with running(tmp_path, cycles=False) as site:
            recent = Recent()
            shown = page_of(site, recent)
            assert shown() is shown()
            site.source.live[V4] = 0
            await site.reconciler.cycle()
            await site.reconciler.read_back_if_changed()
            assert shown().number == 2

    asyncio.run(main())


def test_the_time_is_set_back(tmp_path: Path) -> None:
    """A page of a time that is to come is not kept until then: another one is made."""

    async def main() -> None:
        async with running(tmp_path, cycles=False) as site:
            shown = Shown(site.reconciler, Recent())
            before, now = Look(site.reconciler), Look(site.reconciler)
            now._snapshot.wall = before.wall - 3600.0
            assert [shown._page(look)[0].number for look in (before, now)] == [1, 2]

    asyncio.run(main())


def page_of(site: Site, recent: Recent):  # type: ignore[no-untyped-def]  # noqa: ANN201 - what makes a page, for a test
    all_shown = Shown(site.reconciler, recent)
    return lambda: all_shown._page(Look(site.reconciler))[0]


def test_recent(tmp_path: Path) -> None:
    """The last things that happened are kept, newest first, and no more than some."""

    async def main() -> Recent:
        recent = Recent()
        async with running(tmp_path, cycles=False) as site:
            with recent.listening(site.reconciler):
                for number in range(KEPT + 5):
                    site.reconciler.alarms.note("state", f"{number}")
            site.reconciler.alarms.note("state", "not heard any more")
        return recent

    recent = asyncio.run(main())
    assert len(recent.all) == KEPT
    assert recent.all[0].reason == f"{KEPT + 4}"
    assert recent.count == KEPT + 5


def test_growth(tmp_path: Path) -> None:
    """A page grows with the number of prefixes, and no more."""

    def measure(count: int) -> Work:
        async def main() -> Work:
            directory = tmp_path / str(count)
            directory.mkdir()
            async with running(directory, more=many(count), cycles=False) as site:
                with counting() as work:
                    page.page(Look(site.reconciler), (), 1).html()
                return work

        return asyncio.run(main())

    assert_linear(measure)
