"""The listener: who is answered, what is refused, and what of a caller's is bounded."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import select
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import pytest

from speaker.telemetry import exposition, server, shown
from speaker.telemetry.recent import Recent
from speaker.telemetry.sending import Content, unhosted
from speaker.telemetry.server import CONNECTIONS, serve, serving
from tests.support.fakes.site import Site, running
from tests.support.lab.eventually import eventually
from tests.unit.telemetry.scraped import read, value
from tests.unit.test_growth import many

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from speaker.telemetry.look import Look

LOOPBACK = IPv4Address("127.0.0.1")


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def served(directory: Path, ask: Callable[[Site, int], Any], more: str = "") -> Any:
    """Run a site with its listener, and ask it from a thread."""

    async def main() -> Any:
        port = free_port()
        async with (
            running(directory, more=more) as site,
            serving(site.reconciler, (LOOPBACK, port)),
        ):
            return await asyncio.to_thread(ask, site, port)

    return asyncio.run(main())


def get(
    port: int, path: str = "/metrics", host: str = "localhost", method: str = "GET", **headers: str
) -> tuple[int, bytes, http.client.HTTPResponse]:
    """Ask as a browser would."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    connection.request(method, path, headers={"Host": host, **named})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body, response


def test_a_scrape(tmp_path: Path) -> None:
    """Prometheus gets text of the type that it expects, packed where it takes that and there is much."""

    def ask(site: Site, port: int) -> None:
        del site
        status, body, response = get(port)
        assert status == 200
        assert response.headers["Content-Type"] == exposition.CONTENT_TYPE
        assert value(read(body.decode()), "vip_withdrawals_held") == 0
        status, packed, response = get(port, Accept_Encoding="gzip")
        assert response.headers["Content-Encoding"] == "gzip"
        assert read(gzip.decompress(packed).decode()).keys() == read(body.decode()).keys()
        assert get(port, method="HEAD")[:2] == (200, b"")

    served(tmp_path, ask, many(100))


def test_read_only(tmp_path: Path) -> None:
    """Nothing but a question is answered, and each answer tells a browser to do nothing with it."""

    def ask(site: Site, port: int) -> None:
        del site
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            assert get(port, method=method)[0] == 405
        for path in ("/intents", "/reload", "/../etc/passwd", "/metrics/x"):
            status, _, response = get(port, path)
            assert status == 404
            assert "default-src 'none'" in response.headers["Content-Security-Policy"]
            assert response.headers["X-Content-Type-Options"] == "nosniff"

    served(tmp_path, ask)


@pytest.mark.parametrize(
    ("host", "is_taken"),
    [
        ("localhost", True),
        ("LOCALHOST.:9180", True),
        ("127.0.0.1:9180", True),
        ("[::1]:9180", True),
        ("192.0.2.7", True),
        ("lb1.tld:9180", True),
        ("LB1.TLD", True),
        ("attacker.example:9180", False),
        ("localhost.attacker.example", False),
        ("192.0.2.7.attacker.example", False),
        ("", False),
        ("a b", False),
        ("[::1", False),
        ("[attacker.example]", False),
        ("lb1.tld:9180:1", False),
    ],
)
def test_host(host: str, is_taken: bool) -> None:  # noqa: FBT001 - a case of the table
    """A request is taken by an address, localhost, or a name that is known; a stranger's name is refused."""
    assert (unhosted(host, {"lb1.tld"}) == "") == is_taken


def test_rebinding(tmp_path: Path) -> None:
    """A browser that a stranger's name has led here reads nothing; a name of vip.toml's does."""

    def ask(site: Site, port: int) -> None:
        del site
        status, body, _ = get(port, host="attacker.example")
        assert status == 421
        assert b"vip_" not in body
        assert b"metrics.hosts" in body
        assert get(port, host="status.tld")[0] == 200

    served(tmp_path, ask, '[metrics]\nhosts = ["status.tld"]\n')


def test_who_reads_nothing(tmp_path: Path) -> None:
    """Who asks, and does not read, is let go; others are answered meanwhile, and no cycle waits."""

    def ask(site: Site, port: int) -> None:
        with ExitStack() as stack:
            callers = []
            for _ in range(3):
                caller = stack.enter_context(socket.socket())
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                caller.connect(("127.0.0.1", port))
                caller.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 12)
                callers.append(caller)
            looks = site.source.looks
            assert get(port)[0] == 200
            eventually(lambda: site.source.looks > looks, within=10, what="the next cycle")
            for caller in callers:
                eventually(partial(is_ended, caller), within=40, what="its end")

    served(tmp_path, ask, many(1000))


def is_ended(caller: socket.socket) -> bool:
    """Tell whether the other end is gone, without reading what it sent."""
    poll = select.poll()
    poll.register(caller, 0)
    return bool(poll.poll(0))


def test_long_lines(tmp_path: Path) -> None:
    """A request whose lines are longer, or more, than a browser's is refused."""

    def ask(site: Site, port: int) -> None:
        del site
        assert get(port, f"/metrics?{'x' * server.MAX_LINE}")[0] == 400
        assert get(port, X="x" * (server.MAX_HEADER + 1))[0] == 400
        more = {f"x{number}": "" for number in range(server.MAX_HEADERS + 2)}
        assert get(port, **more)[0] == 400

    served(tmp_path, ask)


def test_many_connections(tmp_path: Path) -> None:
    """Where no connection is left, the one that is idle longest makes room for Prometheus."""

    def ask(site: Site, port: int) -> None:
        del site
        with ExitStack() as stack:
            for _ in range(CONNECTIONS + 5):
                caller = stack.enter_context(socket.socket())
                caller.connect(("127.0.0.1", port))
            assert get(port)[0] == 200

    served(tmp_path, ask)


def test_made_once(tmp_path: Path) -> None:
    """Many who ask at once are shown the same text, which is made once, in a thread."""
    made: list[str] = []

    def make(look: Look) -> int:
        del look
        made.append(threading.current_thread().name)
        return len(made)

    async def main() -> list[int]:
        async with running(tmp_path, cycles=False) as site:
            one = shown.Made(site.reconciler, make)
            first = asyncio.ensure_future(one.latest())
            await asyncio.sleep(0)
            first.cancel()  # a caller who goes away
            return await asyncio.gather(*(one.latest() for _ in range(50)))

    assert set(asyncio.run(main())) == {1}
    assert made != [threading.main_thread().name]


def test_a_page_is_packed_once(tmp_path: Path) -> None:
    """Many who ask for the page at once get the same text, which is made and packed once for all."""

    async def main() -> list[Content]:
        async with running(tmp_path, cycles=False) as site:
            page = shown.Shown(site.reconciler, Recent())
            return await asyncio.gather(*(page.document() for _ in range(20)))

    documents = asyncio.run(main())
    assert len({id(document.content) for document in documents}) == 1
    with ThreadPoolExecutor(20) as threads:
        packed = [*threads.map(Content.packed, documents)]
    assert len({id(each) for each in packed}) == 1
    assert gzip.decompress(packed[0]) == documents[0].content


def test_who_goes_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Who asks, and is gone before the answer, leaves nothing in the log: not a traceback each time."""

    def ask(site: Site, port: int) -> None:
        del site
        for path in ("/", "/metrics", "/page.css", "/live") * 5:
            with socket.create_connection(("127.0.0.1", port)) as caller:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                caller.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert get(port, "/")[0] == 200

    served(tmp_path, ask, many(500))
    assert [record for record in caplog.records if record.exc_info] == []


def test_where_it_listens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A port that another one has is an alarm, with the remedy, and is had as soon as it is free."""

    async def main() -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            more = f'[metrics]\nlisten = "127.0.0.1:{port}"\n'
            async with running(tmp_path, more=more) as site:
                task = asyncio.create_task(serve(site.reconciler))
                wanted = f"metrics: listen: 127.0.0.1:{port}: "

                def says() -> bool:
                    return any(text.startswith(wanted) for text in site.reconciler.alarms.texts)

                await asyncio.to_thread(eventually, says, within=10, what="an alarm")
                other.close()
                await asyncio.to_thread(
                    eventually, lambda: not says(), within=4 * server.CHECK, what="its end"
                )
                assert (await asyncio.to_thread(get, port))[0] == 200
                task.cancel()

    asyncio.run(main())
    assert "correct metrics.listen" in caplog.text
