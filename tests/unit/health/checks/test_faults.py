"""A fault of what one check asks is that check's alone: others are asked in their time, a look waits for nothing, and it ends with the fault."""

from __future__ import annotations

import ast
import asyncio
import gzip
import ssl
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from policy.health import Health
from policy.route import parse_prefix
from speaker.config.settings_checks import (
    CheckSettings,
    DnsCheck,
    ExecCheck,
    GrpcCheck,
    HttpCheck,
    Tls,
)
from speaker.health import checks
from speaker.health.checks.source import ChecksSource, probes
from speaker.units import endpoint_text
from tests.support.lab.dns import GARBAGE, SILENCE, DnsServer, Reply, records
from tests.support.lab.eventually import SLOW
from tests.support.lab.nginx import Certificates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    Asked = HttpCheck | ExecCheck | DnsCheck | GrpcCheck
    Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]]

UP, DOWN, UNKNOWN = Health.UP, Health.DOWN, Health.UNKNOWN
PREFIX = parse_prefix("192.0.2.1/32")
BODY, HOST = b"all is ok", "shop.invalid"
HEAD = b"HTTP/1.1 200 OK\r\n"
INTERVAL, TIMEOUT, ENOUGH = 0.05, 0.3, 30.0
"""How often is asked; for how long what fails has time, and what is well: it may have to wait for a busy machine."""


def answer(body: bytes = BODY, more: bytes = b"", status: bytes = b"200 OK") -> bytes:
    head = b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n" % (status, len(body), more)
    return head + body


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def closes(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read(65536)


async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


def sends(*pieces: bytes) -> Talk:
    async def send(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.writelines(pieces)
        await writer.drain()

    return send


def drips(at_once: bytes, slowly: bytes) -> Talk:
    """Send something, and then a byte in each third of the time that there is for all."""

    async def send(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(at_once)
        for byte in slowly:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(TIMEOUT / 3)

    return send


def floods(head: bytes, piece: bytes) -> Talk:
    """Send a beginning, and then a piece for ever."""

    async def send(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()

    return send


def flaps(answers: Iterable[bytes]) -> Talk:
    """Say another thing each time."""

    async def send(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(next(endless))

    endless = cycle(answers)
    return send


WELL = sends(answer())


@dataclass(frozen=True)
class Fault:
    """What a server does instead of answering, and what its check comes to.

    With `raw`, it does so before TLS; with a `certificate`, it shows that one.
    """

    health: Health
    talk: Talk = WELL
    raw: bool = False
    certificate: str = "good"


NONE = Fault(UP)
BOMB = gzip.compress(BODY * 5_000_000)
FAULTS = {
    "hangs": Fault(UNKNOWN, hang),
    "a byte now and then": Fault(UNKNOWN, drips(b"", answer())),
    "its body a byte now and then": Fault(UNKNOWN, drips(answer()[: -len(BODY)], BODY)),
    "resets": Fault(DOWN, reset),
    "closes": Fault(DOWN, sends()),
    "says that it is down": Fault(DOWN, sends(answer(status=b"503 Unavailable"))),
    "redirects": Fault(DOWN, sends(answer(more=b"Location: /\r\n", status=b"302 Found"))),
    "flaps": Fault(UP, flaps([answer(), answer(status=b"503 Unavailable")])),
    "an endless body": Fault(DOWN, floods(HEAD + b"\r\n", b"x" * 65536)),
    "a decompression bomb": Fault(DOWN, sends(answer(BOMB, b"Content-Encoding: gzip\r\n"))),
    "a flood of headers": Fault(DOWN, floods(HEAD, b"X-A: b\r\n" * 1000)),
    "an endless header": Fault(DOWN, floods(HEAD + b"X-A: ", b"b" * 65536)),
    "no HTTP": Fault(DOWN, sends(b"SSH-2.0-x\r\n\r\n")),
}
TLS_FAULTS = {
    "hangs in the handshake": Fault(UNKNOWN, hang, raw=True),
    "hangs after it": Fault(UNKNOWN, hang),
    "resets": Fault(DOWN, reset, raw=True),
    "closes in the handshake": Fault(DOWN, closes, raw=True),
    "no TLS": Fault(DOWN, sends(answer()), raw=True),
    "an expired certificate": Fault(DOWN, certificate="old"),
    "another name's certificate": Fault(DOWN, certificate="other"),
    "nobody's certificate": Fault(DOWN, certificate="self"),
}


class Server:
    """An application on loopback, which is well until it has a fault. It counts what it is asked.

    Args:
        certificates: what it may show, by name; None without TLS.
    """

    def __init__(self, certificates: dict[str, ssl.SSLContext] | None = None) -> None:
        self._certificates = certificates
        self.fault = NONE
        self.asked = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        fault = self.fault
        try:
            if not fault.raw:
                if self._certificates is not None:
                    await writer.start_tls(self._certificates[fault.certificate])
                await reader.readuntil(b"\r\n\r\n")
            await fault.talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Listen, and give the port."""
        tasks: set[asyncio.Task[None]] = set()

        def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.add(task := asyncio.ensure_future(self._serve(reader, writer)))
            task.add_done_callback(tasks.discard)

        async with await asyncio.start_server(begin, "127.0.0.1", 0) as server:
            yield server.sockets[0].getsockname()[1]
            for task in tasks:
                task.cancel()


class Looks:
    """Looks at two checks: one whose target gets a fault, and a server's that stays well."""

    def __init__(self, what: Asked, well: Server, port: int) -> None:
        self._well = well
        bad = CheckSettings("bad", what, INTERVAL, TIMEOUT, rise=2, fall=2)
        good = CheckSettings("good", asks(port), INTERVAL, ENOUGH)
        asked = {each.name: probes(each, PREFIX, ()) for each in (bad, good)}
        self.source = ChecksSource({PREFIX: asked})

    def look(self) -> dict[str, Health]:
        """Look as a cycle does, which waits for nothing, and return what is said."""
        looking = self.source.observe()
        with pytest.raises(StopIteration) as ended:
            looking.send(None)
        said = ended.value.value.said[PREFIX]
        return {name.removeprefix("check/"): each.health for name, each in said.items()}

    async def until(self, bad: Health, *, asked: int = 0) -> None:
        """Wait until the check is so, and the other was asked so often since; which is up all the time."""
        before = self._well.asked
        async with asyncio.timeout(SLOW * 10):
            while self.look()["bad"] is not bad or self._well.asked < before + asked:
                await asyncio.sleep(INTERVAL / 5)
                assert self.look()["good"] is UP

    async def first(self) -> None:
        """Wait until both are up."""
        async with asyncio.timeout(SLOW * 10):
            while {*self.look().values()} != {UP}:  # noqa: ASYNC110 - as cycles do
                await asyncio.sleep(INTERVAL / 5)

    async def suffer(
        self, begin: Callable[[], object], end: Callable[[], object], bad: Health
    ) -> None:
        """Have the fault begin and end, and see what comes of it each time."""
        await self.first()
        begin()
        await self.until(bad, asked=10)
        await self.until(bad, asked=10)
        end()
        await self.until(UP, asked=1)


def asks(port: int, **keys: object) -> HttpCheck:
    """Return a question whose host no name server knows: it is asked nowhere but at the address."""
    scheme = "https" if "tls" in keys else "http"
    url = f"{scheme}://127.0.0.1:{port}/"
    return HttpCheck(url, host=HOST, body=BODY.decode(), **keys)  # type: ignore[arg-type]  # as a test names them


def suffers(what: Callable[[int], Asked], bad: Server, fault: Fault) -> None:
    """Have a server have a fault, and another one none."""

    async def main() -> None:
        async with AsyncExitStack() as stack:
            well = Server()
            port, other = [await stack.enter_async_context(s.listening()) for s in (bad, well)]
            looks = Looks(what(port), well, other)
            stack.push_async_callback(looks.source.close)
            await looks.suffer(
                lambda: setattr(bad, "fault", fault),
                lambda: setattr(bad, "fault", NONE),
                fault.health,
            )

    asyncio.run(main())


@pytest.mark.parametrize("fault", FAULTS)
def test_of_a_server(fault: str) -> None:
    """An application that fails, in any way."""
    suffers(asks, Server(), FAULTS[fault])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of certificates."""
    folder = tmp_path_factory.mktemp("certificates")
    made = Certificates(folder)
    for name, host, days in (("good", HOST, 30), ("old", HOST, -1), ("other", "other.invalid", 30)):
        made.make(name, host, days)
    other = tmp_path_factory.mktemp("another-authority")
    Certificates(other).make("self", HOST)
    for suffix in ("pem", "key"):
        (folder / f"self.{suffix}").write_bytes((other / f"self.{suffix}").read_bytes())
    return folder


@pytest.mark.parametrize("fault", TLS_FAULTS)
def test_of_tls(fault: str, home: Path) -> None:
    """One whose TLS fails, or whose certificate is not accepted."""
    shown = {}
    for name in ("good", "old", "other", "self"):
        shown[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        shown[name].load_cert_chain(home / f"{name}.pem", home / f"{name}.key")
    tls = Tls(home / "ca.pem")
    suffers(lambda port: asks(port, tls=tls), Server(shown), TLS_FAULTS[fault])


def suffers_beside(
    what: Asked, begin: Callable[[], object], end: Callable[[], object], bad: Health
) -> None:
    """Have something that is no server of ours have a fault, beside a server that has none."""

    async def main() -> None:
        well = Server()
        async with well.listening() as port:
            looks = Looks(what, well, port)
            try:
                await looks.suffer(begin, end, bad)
            finally:
                await looks.source.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("text", "health"),
    [
        ("sleep 1000 & sleep 1000", UNKNOWN),
        ("trap '' TERM; while :; do :; done", UNKNOWN),
        ("exec yes", UNKNOWN),
        ("exec cat /dev/zero", UNKNOWN),
        ("exit 1", DOWN),
        ("exit 3", UNKNOWN),
        ("kill -9 $$", UNKNOWN),
    ],
)
def test_of_a_program(text: str, health: Health, tmp_path: Path) -> None:
    """A program that forks and hangs, runs for ever, writes for ever, or ends badly."""
    flag = tmp_path / "fault"
    what = ExecCheck(("/bin/sh", "-c", f"test -e {flag} || exit 0; {text}"))
    suffers_beside(what, flag.touch, flag.unlink, health)


RECORD = "health.example.net. A 192.0.2.7"


@pytest.mark.parametrize(
    ("reply", "health"),
    [
        (SILENCE, UNKNOWN),
        (GARBAGE, UNKNOWN),
        (Reply(rcode="SERVFAIL"), DOWN),
        (records(RECORD.replace("192.0.2.7", "192.0.2.8")), DOWN),
    ],
    ids=["silent", "garbage", "fails", "another address"],
)
def test_of_a_name_server(reply: Reply, health: Health) -> None:
    """A name server that is silent, fails, or says something else than before."""
    question = "health.example.net A"
    script = {question: records(RECORD)}
    with DnsServer(script) as server:
        what = DnsCheck(endpoint_text(server.endpoint), "health.example.net", "A", ("192.0.2.7",))
        suffers_beside(
            what,
            lambda: script.update({question: reply}),
            lambda: script.update({question: records(RECORD)}),
            health,
        )


def test_those_that_hang_hold_up_nobody() -> None:
    """However many hang, in whatever way, and however long they may: what is well is asked as often as before."""

    async def main(silent: str) -> None:
        hanging, well = Server(), Server()
        hanging.fault = Fault(UNKNOWN, hang, raw=True)
        async with hanging.listening() as port, well.listening() as other:
            whats: list[Asked] = [asks(port), asks(port, tls=Tls()), DnsCheck(silent, "x.example")]
            whats.append(GrpcCheck(f"http://127.0.0.1:{port}"))
            whats = [*whats * 30, ExecCheck(("/bin/sleep", "1000"))]
            hang_on = [
                CheckSettings(f"bad{index}", what, INTERVAL, timeout=1000.0)
                for index, what in enumerate(whats)
            ]
            good = CheckSettings("good", asks(other), INTERVAL, ENOUGH)
            asked = {each.name: probes(each, PREFIX, ()) for each in (*hang_on, good)}
            source = ChecksSource({PREFIX: asked})
            try:
                async with asyncio.timeout(SLOW * 10):
                    while well.asked < 20 or hanging.asked < 90:
                        await source.observe()
                        await asyncio.sleep(INTERVAL)
                said = (await source.observe()).said[PREFIX]
            finally:
                await source.close()
        assert {name for name, each in said.items() if each.health is UP} == {"check/good"}

    with DnsServer({"x.example A": SILENCE}) as server:
        asyncio.run(main(endpoint_text(server.endpoint)))


def test_no_clock_of_the_wall() -> None:
    """No check goes by the time of day, which may be set: none of these modules reads it. (Certificates do, in OpenSSL.)"""
    folder = Path(checks.__file__).parent
    read = [
        f"{path.name}: {ast.unparse(node)}"
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and ast.unparse(node)
        in {"time.time", "datetime.now", "datetime.datetime.now", "time.localtime"}
    ]
    assert len([*folder.glob("*.py")]) > 5
    assert not read
