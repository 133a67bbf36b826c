"""Where applications report: who is let in, for what; how much a caller can use up; TLS; and that it follows vip.toml."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import http.client
import json
import socket
import ssl
import subprocess
from contextlib import AsyncExitStack, ExitStack, closing, suppress
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import pytest

from policy.intent import Mode
from speaker import config
from speaker.config.settings_api import ApiTls
from speaker.control.api_server import (
    CONNECTIONS,
    MAX_HEADER,
    MAX_HEADERS,
    MAX_LINE,
    SUBJECT,
    Desk,
    ListenPlace,
    serve,
    serve_at,
    serving,
)
from speaker.control.rate import AT_ONCE
from speaker.control.reports import MAX_REPORT
from speaker.control.tls import HANDSHAKES, Handshakes
from tests.support.fakes.site import SECOND, running, write_config
from tests.support.lab.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aiohttp import web

    from speaker.control.connections import Connections
    from tests.support.fakes.site import Site

LOOPBACK = IPv4Address("127.0.0.1")
APP, LOOK = "a" * 32, "l" * 32
MORE = """rule = {{ all = ["ipvs", "report/shop"] }}
[report.shop]
drain = true
[report.db]
drain = true
[api]
tokens_file = "{directory}/tokens"
[api.tokens.app]
report = ["shop", "db"]
drain = ["shop"]
[api.tokens.look]
read = true
"""
UP = {"state": "up", "ttl": "30s"}


def write_tokens(directory: Path) -> str:
    """Write the file of tokens, and return what vip.toml has of them."""
    path = directory / "tokens"
    hashes = {
        name: hashlib.sha256(t.encode()).hexdigest() for name, t in (("app", APP), ("look", LOOK))
    }
    path.write_text("".join(f"{name} sha256:{each}\n" for name, each in hashes.items()))
    path.chmod(0o644)
    return MORE.format(directory=directory)


def served(
    directory: Path,
    ask: Callable[[Site, int], Any],
    tls: ApiTls | None = None,
    more: str = "",
    api: str = "",
) -> Any:
    """Run a site with its API, and ask it from a thread.

    Args:
        directory: where its files go.
        ask: asks it, at a port.
        tls: what it shows.
        more: of vip.toml.
        api: more of its `[api]`.
    """

    async def main() -> Any:
        text = write_tokens(directory).replace("[api]\n", f"[api]\n{api}") + more
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port: int = found.getsockname()[1]
        async with AsyncExitStack() as stack:
            site = await stack.enter_async_context(running(directory, more=text))
            desk = Desk(site.reconciler)
            await stack.enter_async_context(serving(desk, ListenPlace((LOOPBACK, port), tls)))
            return await asyncio.to_thread(ask, site, port)

    return asyncio.run(main())


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    body: object = None,
    token: str = APP,
) -> tuple[int, Any, Any]:
    """Ask, and return the status, the JSON and the headers."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connection.request(method, target, None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    return response.status, json.loads(response.read()), response.headers


def secure(port: int, trusts: ssl.SSLContext) -> http.client.HTTPSConnection:
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=trusts)


def once(port: int, *asked: Any, **more: Any) -> tuple[int, Any, Any]:
    """Ask over a connection of its own."""
    with closing(at(port)) as connection:
        return ask(connection, *asked, **more)


def at(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=60)


def test_reported(tmp_path: Path) -> None:
    """A report over it is recorded under the token's name, and the peer loses the prefix."""

    def play(site: Site, port: int) -> None:
        down = {"state": "down", "ttl": "5m", "reason": "disk full"}
        status, told, _ = once(port, "PUT", "/v1/reports/shop", down)
        assert (status, told["state"], told["by"]) == (200, "down", "app")
        assert site.store.intents().reports["shop"].reason == "disk full"
        eventually(lambda: str(SECOND) not in site.table(), within=10, what="it is withdrawn")
        (line,) = [each for each in site.store.history(()) if each.event == "reported"]
        assert line.reason == "down by app for 5m: disk full"

    served(tmp_path, play)


@pytest.mark.parametrize(
    ("method", "target", "body", "token", "status"),
    [
        ("PUT", "/v1/reports/shop", UP, "", 401),
        ("PUT", "/v1/reports/shop", UP, "x" * 32, 401),
        ("GET", "/v1/reports", None, "", 401),
        ("PUT", "/v1/reports/shop", UP, LOOK, 403),
        ("PUT", "/v1/reports/x", UP, APP, 403),
        ("GET", "/v1/reports", None, APP, 403),
        ("GET", "/v1/reports/shop", None, APP, 403),
        ("GET", "/v1/reports/x", None, LOOK, 404),
        ("PUT", "/v1/reports/db", {**UP, "state": "drain"}, APP, 403),
        ("POST", "/v1/reports/shop", UP, APP, 405),
        ("DELETE", "/v1/reports/shop", None, APP, 405),
        ("GET", "/status", None, APP, 404),
        ("POST", "/intents", {"mode": "drained", "prefixes": ["192.0.2.1/32"]}, APP, 404),
        ("POST", "/reload", None, APP, 404),
    ],
)
def test_who_may_not(
    tmp_path: Path, method: str, target: str, body: object, token: str, status: int
) -> None:
    """Nobody may do what their token's name is not given, nor anything else than reports; nothing is recorded."""

    def play(site: Site, port: int) -> None:
        found, told, headers = once(port, method, target, body, token)
        assert (found, "error" in told) == (status, True)
        assert ("WWW-Authenticate" in headers) == (status == 401)
        assert site.store.intents().reports == {}
        assert site.store.intents().of == {}

    served(tmp_path, play)


def test_who_may(tmp_path: Path) -> None:
    """Who may read sees what was said last; who may drain begins a soft drain."""

    def play(site: Site, port: int) -> None:
        assert once(port, "PUT", "/v1/reports/shop", {**UP, "state": "drain"})[0] == 200
        assert site.store.intents().of[SECOND].mode is Mode.DRAINING
        status, told, _ = once(port, "GET", "/v1/reports", token=LOOK)
        assert (status, [each["state"] for each in told]) == (200, ["drain", None])
        assert once(port, "GET", "/v1/openapi.json", token="")[0] == 200

    served(tmp_path, play)


def test_too_often(tmp_path: Path) -> None:
    """Who asks too often is told to wait, and keeps no other from asking."""

    def play(_: Site, port: int) -> None:
        with closing(at(port)) as connection:
            statuses = []
            for _each in range(int(AT_ONCE) * 3):
                status, _told, headers = ask(connection, "GET", "/v1/reports/x", token=LOOK)
                statuses.append(status)
                if status == 429:
                    assert headers["Retry-After"] == "1"
            assert {*statuses} == {404, 429}
            assert ask(connection, "PUT", "/v1/reports/shop", UP)[0] == 200

    served(tmp_path, play)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /" + b"x" * MAX_LINE + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: " + b"x" * MAX_HEADER + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * (MAX_HEADERS + 8) + b"\r\n",
        b"PUT /v1/reports/shop HTTP/1.1\r\nAuthorization: Bearer "
        + APP.encode()
        + b"\r\nContent-Length: %d\r\n\r\n" % (MAX_REPORT + 1),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
    ids=["line", "header", "headers", "body", "no HTTP"],
)
def test_too_much(tmp_path: Path, request_: bytes) -> None:
    """What is larger than a report ever is, or no request, is refused before it is read."""

    def play(site: Site, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), 60) as connection:
            connection.sendall(request_)
            answer = connection.recv(1 << 16)
        assert answer.split(b" ")[1:2] in ([b"400"], [b"413"])
        assert site.store.intents().reports == {}
        assert once(port, "PUT", "/v1/reports/shop", UP)[0] == 200

    served(tmp_path, play)


def test_connections_are_bounded(tmp_path: Path) -> None:
    """Who connects and says nothing keeps nobody from reporting."""

    def play(_: Site, port: int) -> None:
        with ExitStack() as stack:
            for _each in range(2 * CONNECTIONS):
                stack.enter_context(socket.create_connection(("127.0.0.1", port), 60))
            assert once(port, "PUT", "/v1/reports/shop", UP)[0] == 200

    served(tmp_path, play)


@pytest.fixture
def certificate(tmp_path: Path) -> ApiTls:
    """Return a certificate of its own, for 127.0.0.1."""
    files = ApiTls(tmp_path / "c.pem", tmp_path / "k.pem")
    made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=x"
    more = ["-addext", "subjectAltName=IP:127.0.0.1"]
    out = ["-keyout", str(files.key), "-out", str(files.certificate)]
    subprocess.run(["openssl", *made.split(), *more, *out], check=True, capture_output=True)
    return files


def test_tls(tmp_path: Path, certificate: ApiTls) -> None:
    """A client that trusts the certificate reports; one that does not is not answered, nor one without TLS."""

    def play(site: Site, port: int) -> None:
        trusts = ssl.create_default_context(cafile=str(certificate.certificate))
        with closing(secure(port, trusts)) as connection:
            for state in ("up", "down"):
                assert ask(connection, "PUT", "/v1/reports/shop", {**UP, "state": state})[0] == 200
        with (
            closing(secure(port, ssl.create_default_context())) as connection,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            ask(connection, "GET", "/v1/reports")
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            once(port, "PUT", "/v1/reports/shop", UP)
        assert site.store.intents().reports["shop"].state == "down"

    served(tmp_path, play, certificate)


class Mute(asyncio.Transport):
    """A connection that says nothing."""

    aborted = False

    def abort(self) -> None:
        """See `Transport.abort`."""
        self.aborted = True


def test_handshakes_are_bounded() -> None:
    """Of those that connect and do not shake hands, more than so many are hung up on at once; and all at the end."""

    async def main() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        handshakes = Handshakes(context, asyncio.Protocol)
        connected = [Mute() for _ in range(HANDSHAKES + 8)]
        for each in connected:
            handshakes.begin(each)
        assert [each.aborted for each in connected] == [False] * HANDSHAKES + [True] * 8
        await handshakes.close()
        assert all(each.aborted for each in connected)

    asyncio.run(main())


def test_who_does_not_shake_hands(tmp_path: Path, certificate: ApiTls) -> None:
    """Who connects and says nothing is hung up on after a while, and others come through."""

    def play(_: Site, port: int) -> None:
        within = 30  # asyncio's own limit is 60 s
        with socket.create_connection(("127.0.0.1", port), within) as mute:
            trusts = ssl.create_default_context(cafile=str(certificate.certificate))
            with closing(secure(port, trusts)) as connection:
                assert ask(connection, "PUT", "/v1/reports/shop", UP)[0] == 200
            with suppress(ConnectionResetError):
                assert mute.recv(1) == b""

    served(tmp_path, play, certificate)


def test_follows_vip_toml(tmp_path: Path) -> None:
    """It is where vip.toml says, as soon as it can be: a port that is taken is an alarm until it is free."""

    async def main() -> None:
        text = write_tokens(tmp_path)
        async with running(tmp_path, more=text) as site:
            task = asyncio.create_task(serve(site.reconciler))
            try:
                await asyncio.to_thread(follow, site, asyncio.get_running_loop(), text)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def follow(site: Site, loop: asyncio.AbstractEventLoop, text: str) -> None:
        def take(*listen: str) -> None:
            more = text.replace("[api]\n", f"[api]\nlisten = {json.dumps(listen)}\n")
            loaded = config.load(write_config(tmp_path, more), {})
            taken = site.reconciler.configure(loaded, site.source, site.life.configure)
            asyncio.run_coroutine_threadsafe(taken, loop).result(60)

        path = tmp_path / "api.sock"
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            take(f"127.0.0.1:{port}", str(path))
            eventually(path.exists, within=10, what="the socket is there")
            eventually(
                lambda: any(SUBJECT in t for t in site.reconciler.alarms.texts),
                within=10,
                what="an alarm",
            )
        eventually(lambda: answers(port), within=10, what="the port is served")
        eventually(lambda: not site.reconciler.alarms.texts, within=10, what="no alarm")
        client = http.client.HTTPConnection("localhost", timeout=60)
        client.sock = socket.socket(socket.AF_UNIX)
        client.sock.connect(str(path))
        assert ask(client, "PUT", "/v1/reports/shop", UP)[0] == 200
        client.close()
        assert not site.reconciler.durable.intents.hindered
        take()
        eventually(
            lambda: not answers(port) and not path.exists(), within=10, what="neither is there"
        )

    asyncio.run(main())


def test_a_socket_that_is_removed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is made again, soon, and that is said: applications go on reporting there."""

    async def main() -> None:
        path = tmp_path / "api.sock"
        text = write_tokens(tmp_path).replace("[api]\n", f'[api]\nlisten = ["{path}"]\n')
        async with running(tmp_path, more=text) as site, asyncio.timeout(60):
            task = asyncio.create_task(serve(site.reconciler))
            try:
                for _ in range(3):
                    while not path.exists():  # noqa: ASYNC110 - nothing tells
                        await asyncio.sleep(0.01)
                    path.unlink()
            finally:
                task.cancel()
                await asyncio.wait({task})

    asyncio.run(main())
    said = f"api: {tmp_path}/api.sock: was removed or replaced; creating it again"
    assert caplog.text.count(said) >= 2


class UncleanDesk(Desk):
    """One of whose places something can't be cleaned up, at first."""

    failed = 0

    def application(self, connections: Connections) -> web.Application:
        """See `Desk.application`."""

        async def fail(_: object) -> None:
            self.failed += 1
            if self.failed > 1:  # else nothing would ever end the test where it fails
                return
            raise OSError(errno.EIO, "Input/output error")

        made = super().application(connections)
        made.on_cleanup.append(fail)
        return made


def test_a_clean_up_that_fails(tmp_path: Path) -> None:
    """A place that is to end does, whatever its clean-up raises: it is not served again."""

    async def main() -> None:
        text = write_tokens(tmp_path)
        path = tmp_path / "api.sock"
        async with running(tmp_path, more=text) as site, asyncio.timeout(60):
            notes: list[str] = []
            place = ListenPlace(path)
            desk = UncleanDesk(site.reconciler)
            task = asyncio.create_task(serve_at(desk, place, lambda _, text: notes.append(text)))
            while not notes:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.wait({task}, timeout=10)
            assert task.cancelled()
            assert not path.exists()

    asyncio.run(main())


def answers(port: int) -> bool:
    with suppress(OSError):
        return once(port, "PUT", "/v1/reports/shop", UP)[0] == 200
    return False
