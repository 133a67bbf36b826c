"""HTTP checks against servers that answer anything: what it means, and that all of it is bounded."""

from __future__ import annotations

import asyncio
import errno
import gzip
import json
import re
from typing import TYPE_CHECKING

import pytest

from policy.health import Health
from speaker.config.settings_checks import CheckSettings, GrpcCheck, HttpCheck, JsonValue, Tls
from speaker.health.checks.asking import Askers
from speaker.health.checks.connections import MAX_RECEIVED, Way
from speaker.health.checks.failures import CLOSED
from speaker.health.checks.http import MAX_BODY, MAX_SEARCHED, _failed
from speaker.health.checks.probe import Probe, ProbeAnswer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

UP, DOWN, UNKNOWN = Health.UP, Health.DOWN, Health.UNKNOWN


def ok(body: bytes = b"", headers: str = "", status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


class Server:
    """Sends the same to everyone who connects, and notes what it was asked."""

    def __init__(self, pieces: Iterable[bytes], *, hang: bool = False) -> None:
        self.pieces, self.hang = pieces, hang
        self.asked: list[bytes] = []
        self.sent = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            for piece in self.pieces:
                writer.write(piece)
                self.sent += len(piece)
                await writer.drain()
            if self.hang:
                await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def ask(server: Server, path: str = "/", timeout: float = 5.0, **keys: object) -> ProbeAnswer:
    """Ask a server once."""

    async def run() -> ProbeAnswer:
        listening = await asyncio.start_server(server.answer, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        asks = HttpCheck(f"http://127.0.0.1:{port}{path}", **keys)  # type: ignore[arg-type]  # as a test names them
        asker = Askers()
        try:
            return await asker.ask(Probe(CheckSettings("x", asks, timeout=timeout)))
        finally:
            await asker.close()
            listening.close()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("status", "statuses", "health"),
    [
        ("200 OK", ((200, 299),), UP),
        ("204 No Content", ((200, 299),), UP),
        ("302 Found", ((200, 299),), DOWN),
        ("302 Found", ((200, 200), (300, 399)), UP),
        ("503 Service Unavailable", ((200, 299),), DOWN),
    ],
)
def test_statuses(status: str, statuses: tuple[tuple[int, int], ...], health: Health) -> None:
    """An answer is up if its status is one of those that are expected."""
    found = ask(Server([ok(status=status)]), statuses=statuses)
    assert (found.health, found.reason) == (health, f"HTTP {status[:3]}")


def test_no_redirection() -> None:
    """Where an answer points to is not asked."""
    server = Server([ok(headers="Location: /elsewhere\r\n", status="301 Moved")])
    assert ask(server).reason == "HTTP 301"
    assert len(server.asked) == 1


def test_what_is_asked() -> None:
    """Method, path, host and headers are those of the check; nothing compressed is wanted."""
    server = Server([ok()])
    ask(server, "/health?x=%20y", method="OPTIONS", host="shop.tld", headers=(("X-A", "b"),))
    lines = server.asked[0].decode().splitlines()
    assert lines[0] == "OPTIONS /health?x=%20y HTTP/1.1"
    assert {"Host: shop.tld", "X-A: b", "Accept-Encoding: identity"} <= {*lines}


def test_body() -> None:
    """A text that must be in the body is looked for where a body begins."""
    assert ask(Server([ok(b"all is ok")]), body="is ok").health is UP
    found = ask(Server([ok(b"all is lost")]), body="is ok")
    assert (found.health, found.reason) == (
        DOWN,
        f"HTTP 200, without 'is ok' in its first {MAX_BODY} bytes",
    )
    late = b"x" * MAX_BODY + b"is ok"
    assert ask(Server([ok(late)]), body="is ok").health is DOWN


def test_regular_expressions() -> None:
    """A regular expression is searched for where a body begins; one that has others try for ever takes no time."""
    assert ask(Server([ok(b"x\nall: 12 ok")]), regex=r"all: \d+ ok$").health is UP
    found = ask(Server([ok(b"a" * 60_000)]), regex="(a*)*b")
    assert (found.health, found.reason) == (
        DOWN,
        f"HTTP 200, without '(a*)*b' in its first {MAX_SEARCHED} bytes",
    )


JSON = JsonValue(("db", 0, "state"), "up")


@pytest.mark.parametrize(
    ("body", "health", "why"),
    [
        (b'{"db": [{"state": "up"}]}', UP, ""),
        (b'{"db": [{"state": "down"}]}', DOWN, ', db[0].state is "down", not "up"'),
        (b'{"db": []}', DOWN, ", JSON without db[0].state"),
        (b'{"db": {"0": {"state": "up"}}}', DOWN, ", JSON without db[0].state"),
        (b"[" * 60_000, DOWN, ", no JSON"),
        (b"\xff\xfe", DOWN, ", no JSON"),
        (b" " * MAX_BODY + b"{}", DOWN, f", JSON of more than {MAX_BODY} bytes"),
        (b'{"db": [{"state": "\\u001b[31m"}]}', DOWN, ', db[0].state is "\\u001b[31m", not "up"'),
    ],
)
def test_json(body: bytes, health: Health, why: str) -> None:
    """A value at a path of JSON must be as wanted; whatever else is there is told, escaped."""
    found = ask(Server([ok(body)]), json=JSON)
    assert (found.health, found.reason) == (health, f"HTTP 200{why}")


@pytest.mark.parametrize(
    ("wanted", "found", "health"),
    [(1, 1.0, UP), (1, True, DOWN), (True, 1, DOWN), ("1", 1, DOWN), (0.5, 0.5, UP)],
)
def test_kinds_of_json(wanted: float | str, found: object, health: Health) -> None:
    """A truth is no number, and a number no text."""
    body = json.dumps({"x": found}).encode()
    assert ask(Server([ok(body)]), json=JsonValue(("x",), wanted)).health is health


def endless(piece: bytes, most: int = 50_000_000) -> Iterable[bytes]:
    return (piece for _ in range(most // len(piece)))


HEAD = b"HTTP/1.1 200 OK\r\n"


def test_endless_body() -> None:
    """Of a body without an end, a little is read."""
    server = Server([HEAD + b"\r\n", *endless(b"x" * 65536)])
    assert ask(server, body="is ok").health is DOWN
    assert server.sent < 20 * MAX_BODY + 5_000_000  # the kernel's buffers take some


@pytest.mark.parametrize("inside", [b"is ok", b"is ok" * 10_000_000], ids=["little", "a bomb"])
def test_compressed_body(inside: bytes) -> None:
    """What is compressed is not unpacked, though it was not asked for."""
    answer = ok(gzip.compress(inside), "Content-Encoding: gzip\r\n")
    found = ask(Server([answer]), body="is ok")
    assert (found.health, "without 'is ok'" in found.reason) == (DOWN, True)


@pytest.mark.parametrize(
    "pieces",
    [
        [HEAD, *endless(b"X-A: " + b"b" * 1000 + b"\r\n", 20_000_000)],
        [HEAD, *endless(b"X: y\r\n" * 100, 1_000_000), b"\r\n"],
        [HEAD + b"X-A: ", *endless(b"b" * 65536, 20_000_000)],
        [b"SSH-2.0-x\r\n\r\n"],
        [b"\0" * 1000],
        [],
    ],
    ids=["many headers", "small headers", "a long header", "no HTTP", "zeros", "nothing"],
)
def test_no_valid_answer(pieces: list[bytes]) -> None:
    """What is no HTTP, or a flood of it, is down, and soon."""
    server = Server(pieces)
    found = ask(server)
    assert found.health is DOWN
    assert "Error" not in found.reason  # a class of a library says nothing
    assert server.sent < 8_000_000  # the kernel's buffers take some


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "pieces",
    [
        [*endless(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)],
        [*endless((b"HTTP/1.1 103 Early Hints\r\n" + b"Link: x\r\n" * 50 + b"\r\n") * 100)],
        [*endless(b"\r\n" * 30_000)],
        [CHUNKED + b"1;", *endless(b"x" * 65536)],
        [CHUNKED, *endless(b"0" * 65536)],
    ],
    ids=[
        "interim answers",
        "early hints",
        "empty lines",
        "a chunk's extension",
        "a chunk's length",
    ],
)
def test_floods_of_what_is_no_answer(pieces: list[bytes]) -> None:
    """What no header and no byte of a body ends is not read for as long as there is time."""
    server = Server(pieces)
    found = ask(server, body="is ok")
    assert (found.health, found.reason) == (DOWN, f"no valid HTTP: more than {MAX_RECEIVED} bytes")
    assert server.sent < 20_000_000  # the kernel's buffers take some


def test_a_body_in_small_chunks() -> None:
    """A body as long as one is looked at is read whole, however it is cut."""
    chunks = b"1\r\nx\r\n" * (MAX_BODY - 5) + b"5\r\nis ok\r\n0\r\n\r\n"
    assert ask(Server([CHUNKED + chunks]), body="is ok").health is UP


@pytest.mark.parametrize(
    "pieces",
    [[], [HEAD], [HEAD + b"\r\n"], [ok(b"")[:-2] + b"X"]],
    ids=["no answer", "no end of the headers", "no body", "half a header"],
)
def test_hanging(pieces: list[bytes]) -> None:
    """A server that goes silent is unknown, at the end of the check's time."""
    found = ask(Server(pieces, hang=True), timeout=0.2, body="x")
    assert (found.health, found.reason) == (UNKNOWN, "no answer within 0.2 s")


def test_nobody_listens() -> None:
    """Who refuses a connection is down."""

    async def run() -> ProbeAnswer:
        listening = await asyncio.start_server(Server([]).answer, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        listening.close()
        await listening.wait_closed()
        asker = Askers()
        asks = HttpCheck(f"http://127.0.0.1:{port}/")
        try:
            return await asker.ask(Probe(CheckSettings("x", asks)))
        finally:
            await asker.close()

    found = asyncio.run(run())
    assert (found.health, "refused" in found.reason) == (DOWN, True)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENETUNREACH, errno.EADDRNOTAVAIL])
def test_faults_of_this_machine(number: int) -> None:
    """That this machine can't ask says nothing of the other end."""
    found = _failed(OSError(number, ""), Way(0.0))
    assert found.health is UNKNOWN
    assert found.reason.endswith("; a fault of this machine")


@pytest.mark.parametrize("number", [errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH])
def test_faults_of_the_other_end(number: int) -> None:
    """What the other end says, or the network before it, is down."""
    assert _failed(OSError(number, ""), Way(0.0)).health is DOWN


@pytest.mark.parametrize("error", [ConnectionResetError(), BrokenPipeError()])
def test_closed_without_a_number(error: OSError) -> None:
    """What closes in the handshake of TLS, which asyncio tells without a number, is no fault of this machine."""
    assert _failed(error, Way(0.0)) == CLOSED


@pytest.mark.parametrize("kind", [HttpCheck, GrpcCheck])
@pytest.mark.parametrize(
    ("lacks", "said"),
    [
        ("ca", "no certificate or crl found"),
        ("certificate", "no certificate, or no key, in PEM"),
        ("gone", "No such file or directory"),
    ],
)
def test_files_of_tls(
    tmp_path: Path, kind: type[HttpCheck | GrpcCheck], lacks: str, said: str
) -> None:
    """A file of TLS that can't be used is named, with why and with its key in vip.toml; nothing is known of the other end."""
    file = tmp_path / "x.pem"
    if lacks != "gone":
        file.write_text("x")
    own = Tls(certificate=file) if lacks == "certificate" else Tls(ca=file)

    async def run() -> ProbeAnswer:
        asker = Askers()
        try:
            what = kind("https://127.0.0.1:1", tls=own)
            return await asker.ask(Probe(CheckSettings("x", what, timeout=30.0)))
        finally:
            await asker.close()

    why = f"not asked: {file}: {said}; correct the file, or its path in check.x"
    assert asyncio.run(run()) == ProbeAnswer(UNKNOWN, why)


@pytest.mark.parametrize("kind", [HttpCheck, GrpcCheck])
@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "closed the connection without an answer"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "TLS: [a-z0-9 ]+"),
        (b"\x15\x03\x03\x00\x02\x02\x46", "TLS: [a-z0-9 ]+"),
    ],
)
def test_in_the_handshake(kind: type[HttpCheck | GrpcCheck], sent: bytes, reason: str) -> None:
    """What ends in the handshake of TLS is down, in the same words by each kind of check, without those of a library."""

    async def run() -> ProbeAnswer:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(65536)
            writer.write(sent)
            writer.close()

        asker = Askers()
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            try:
                what = kind(f"https://127.0.0.1:{port}")
                return await asker.ask(Probe(CheckSettings("x", what, timeout=30.0)))
            finally:
                await asker.close()

    found = asyncio.run(run())
    assert (found.health, bool(re.fullmatch(reason, found.reason))) == (DOWN, True)
