"""Checks by gRPC's own protocol of health, of gRPC's own server, made to fail in every way."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING

import pytest

from policy.health import Health
from speaker.config.settings_checks import CheckSettings, GrpcCheck, Tls
from speaker.health.checks.asking import Askers
from speaker.health.checks.probe import Probe, ProbeAnswer
from tests.support.lab.grpc_server import GrpcServer
from tests.support.lab.nginx import Certificates

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UP, DOWN, UNKNOWN = Health.UP, Health.DOWN, Health.UNKNOWN
PATIENT = 30.0
HOUR = 3600.0


def ask(port: int, service: str = "", *, timeout: float = PATIENT, **keys: object) -> ProbeAnswer:
    """Ask a server once."""

    async def run() -> ProbeAnswer:
        scheme = "https" if "tls" in keys else "http"
        asks = GrpcCheck(f"{scheme}://127.0.0.1:{port}", service, **keys)  # type: ignore[arg-type]  # as a test names them
        asker = Askers()
        try:
            return await asker.ask(Probe(CheckSettings("x", asks, timeout=timeout)))
        finally:
            await asker.close()

    return asyncio.run(run())


@pytest.fixture(scope="module")
def server() -> Iterator[GrpcServer]:
    with GrpcServer() as made:
        yield made


@pytest.mark.parametrize(
    ("status", "health"),
    [("SERVING", UP), ("NOT_SERVING", DOWN), ("UNKNOWN", UNKNOWN), ("SERVICE_UNKNOWN", UNKNOWN)],
)
@pytest.mark.parametrize("service", ["", "shop.v1.Shop", "s" * 300])
def test_what_it_says(server: GrpcServer, service: str, status: str, health: Health) -> None:
    """SERVING is up, NOT_SERVING down, whatever else is said unknown; of one service, or of the server as a whole."""
    server.say(status, service or "-")
    found = ask(server.port, service)
    assert (found.health, found.reason) == (health, status)


def test_another_service(server: GrpcServer) -> None:
    """Of a service that the server does not know, nothing is known: a name that is spelt wrong withdraws nothing."""
    found = ask(server.port, "shop.v1.Shpo")
    assert found.health is UNKNOWN
    assert found.reason.startswith("NOT_FOUND")


def test_it_hangs(server: GrpcServer) -> None:
    """One that takes connections and says nothing is unknown in the end."""
    server.freeze()
    try:
        found = ask(server.port, timeout=0.2)
    finally:
        server.thaw()
    assert (found.health, found.reason) == (UNKNOWN, "no answer within 0.2 s")


def test_it_refuses() -> None:
    """One that is gone is down."""
    with GrpcServer() as server:
        server.stop()
        found = ask(server.port)
    assert (found.health, found.reason) == (DOWN, "connection refused")


def test_tls(tmp_path: Path) -> None:
    """Over TLS it is up, with the certificate's end; one that is nobody's who is trusted, or another host's, is down."""
    made = Certificates(tmp_path)
    made.make("shop", "shop.tld")
    tls = Tls(ca=tmp_path / "ca.pem")
    with GrpcServer(tmp_path / "shop.pem", tmp_path / "shop.key") as server:
        server.say("SERVING")
        found = ask(server.port, host="shop.tld", tls=tls)
        assert (found.health, found.reason) == (UP, "SERVING")
        assert found.expires is not None
        assert 29 * 24 * HOUR < found.expires - time.time() <= 30 * 24 * HOUR
        for host, other, word in (
            ("shop.tld", Tls(), "issuer"),
            ("other.tld", tls, "mismatch"),
        ):
            found = ask(server.port, host=host, tls=other)
            assert found.health is DOWN
            assert found.reason.startswith("its certificate is not accepted: ")
            assert word in found.reason
        assert ask(server.port).health is DOWN  # without TLS


def test_no_tls(server: GrpcServer) -> None:
    """One that speaks no TLS where it should is down."""
    found = ask(server.port, host="shop.tld", tls=Tls())
    assert (found.health, found.reason.startswith("TLS: ")) == (DOWN, True)


PREFACE = b"\0\0\0\4\0\0\0\0\0"  # SETTINGS, empty
GOAWAY = b"\0\0\x08\7\0\0\0\0\0" + bytes(8)
RESET = b"\0\0\4\3\0\0\0\0\1\0\0\0\7"  # RST_STREAM: REFUSED_STREAM
PING = b"\0\0\x08\6\0\0\0\0\0" + bytes(8)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no valid HTTP/2: "),
        (b"\0" * 100, "no valid HTTP/2: "),
        (PREFACE + GOAWAY, "closed the connection without an answer"),
        (PREFACE + RESET, "closed the connection without an answer"),
        (PREFACE + PING * 20_000, "no valid gRPC: more than 65536 bytes"),
        (PREFACE + b"\0\x40\0\1\4\0\0\0\1" + b"\x82" * 16384, "no valid HTTP/2: "),
        (b"", "closed the connection without an answer"),
    ],
    ids=["HTTP/1", "zeros", "goodbye", "reset", "a flood", "a bomb of headers", "nothing"],
)
def test_garbage(sent: bytes, reason: str) -> None:
    """What is no gRPC is down, and soon; a flood is not read to its end."""

    async def run() -> ProbeAnswer:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.read(65536)
                writer.write(sent)
                await writer.drain()
                if not sent.startswith(b"HTTP"):
                    writer.write_eof()
                await reader.read()  # which keeps the connection
            except OSError:
                pass
            finally:
                writer.close()

        listening = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        asker = Askers()
        asks = GrpcCheck(f"http://127.0.0.1:{port}")
        try:
            return await asker.ask(Probe(CheckSettings("x", asks, timeout=PATIENT)))
        finally:
            await asker.close()
            listening.close()

    found = asyncio.run(run())
    assert (found.health, found.reason[: len(reason)]) == (DOWN, reason)


def test_nobody_answers_at_all() -> None:
    """One whose queue of connections is full is unknown in the end, as one that hangs."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        port = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            found = ask(port, timeout=0.2)
    assert (found.health, found.reason) == (UNKNOWN, "no answer within 0.2 s")
