"""A call of grpc.health.v1: what its answers mean, by HTTP/2 as h2 writes it on the server's side."""

from __future__ import annotations

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived

from policy.health import Health
from speaker.health.checks.grpc_call import HealthCall
from speaker.health.checks.probe import ProbeAnswer

UP, DOWN, UNKNOWN = Health.UP, Health.DOWN, Health.UNKNOWN
OK = {":status": "200", "content-type": "application/grpc"}


def framed(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4, "big") + message


def answered(
    headers: dict[str, str],
    message: bytes | None = None,
    trailers: dict[str, str] | None = None,
    piece: int = 1_000_000,
) -> ProbeAnswer | None:
    """Return what a call comes to, whose answer comes in pieces."""
    call = HealthCall("shop", "http", "shop.tld")
    server = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    server.initiate_connection()
    events = server.receive_data(call.start())
    (request,) = (event for event in events if isinstance(event, RequestReceived))
    asked = {str(name): str(value) for name, value in request.headers or ()}
    assert asked == {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/grpc.health.v1.Health/Check",
        ":authority": "shop.tld",
        "te": "trailers",
        "content-type": "application/grpc",
        "user-agent": "vip-speaker",
    }
    (data,) = (event for event in events if isinstance(event, DataReceived))
    assert data.data == b"\0\0\0\0\6\n\4shop"
    server.send_headers(1, [*headers.items()], end_stream=message is None and trailers is None)
    if message is not None:
        server.send_data(1, message, end_stream=trailers is None)
    if trailers is not None:
        server.send_headers(1, [*trailers.items()], end_stream=True)
    sent = server.data_to_send()
    for start in range(0, len(sent), piece):
        call.receive(sent[start : start + piece])
    return call.answer


@pytest.mark.parametrize("piece", [1, 7, 1_000_000])
def test_pieces(piece: int) -> None:
    """An answer may come in any pieces."""
    found = answered(OK, framed(b"\x08\1"), {"grpc-status": "0"}, piece)
    assert found == ProbeAnswer(UP, "SERVING")


@pytest.mark.parametrize(
    ("message", "health", "reason"),
    [
        (b"", UNKNOWN, "UNKNOWN"),
        (b"\x08\1", UP, "SERVING"),
        (b"\x08\2", DOWN, "NOT_SERVING"),
        (b"\x08\2\x08\1", UP, "SERVING"),  # the last one counts
        (b"\x12\3abc\x08\1\x1d1234\x2112345678", UP, "SERVING"),  # fields of a later version
        (b"\x08\x07", UNKNOWN, "serving status 7"),
        (b"\x08", DOWN, "no valid gRPC"),
        (b"\x12\x7fabc", DOWN, "no valid gRPC"),
        (b"\x0b", DOWN, "no valid gRPC"),  # a group
        (b"\xff" * 20, DOWN, "no valid gRPC"),
    ],
)
def test_messages(message: bytes, health: Health, reason: str) -> None:
    """The first field of the message is the status; other fields are left alone."""
    assert answered(OK, framed(message), {"grpc-status": "0"}) == ProbeAnswer(health, reason)


@pytest.mark.parametrize("body", [b"", b"\0\0\0\0", b"\1\0\0\0\2\x08\1", b"\0\0\0\0\1\x08\1"])
def test_frames(body: bytes) -> None:
    """What is not one message, uncompressed, is no valid gRPC."""
    assert answered(OK, body, {"grpc-status": "0"}) == ProbeAnswer(DOWN, "no valid gRPC")


@pytest.mark.parametrize(
    ("headers", "health", "reason"),
    [
        ({**OK, "grpc-status": "14", "grpc-message": "no%20one"}, DOWN, "UNAVAILABLE: no one"),
        (
            {**OK, "grpc-status": "12", "grpc-message": "\u001b[2J%1b"},
            UNKNOWN,
            r"UNIMPLEMENTED: \x1b[2J\x1b",
        ),
        ({**OK, "grpc-status": "16"}, UNKNOWN, "UNAUTHENTICATED"),
        ({**OK, "grpc-status": "99"}, UNKNOWN, "a status that gRPC has not"),
        ({**OK, "grpc-status": "x"}, UNKNOWN, "a status that gRPC has not"),
        ({":status": "503"}, DOWN, "HTTP 503"),
        ({":status": "404"}, UNKNOWN, "HTTP 404"),
        ({":status": "200"}, DOWN, "no valid gRPC"),
    ],
)
def test_refusals(headers: dict[str, str], health: Health, reason: str) -> None:
    """UNAVAILABLE is down, by gRPC or by a proxy's HTTP; what else refuses says nothing of the service."""
    assert answered(headers) == ProbeAnswer(health, reason)
