"""One call of grpc.health.v1.Health/Check: bytes in, bytes out, no I/O. Needs h2, the extra `grpc`.

A call is a request of HTTP/2: its answer is a message of Protocol Buffers behind five bytes, and a status in trailers
(github.com/grpc/grpc: PROTOCOL-HTTP2.md). The messages of this service have one field each, so no compiler is needed.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from urllib.parse import unquote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from policy.health import Health
from speaker.health.checks.failures import CLOSED
from speaker.health.checks.probe import ProbeAnswer
from speaker.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_RECEIVED = 64 * 1024
"""How much a server may send in all, in bytes: its answer is a hundred or so."""
MAX_HEADERS = 16 * 1024
_PATH = "/grpc.health.v1.Health/Check"
_STREAM = 1
_SETTINGS, _FRAME_HEAD = 4, 9
_SERVING = {
    0: ProbeAnswer(Health.UNKNOWN, "UNKNOWN"),
    1: ProbeAnswer(Health.UP, "SERVING"),
    2: ProbeAnswer(Health.DOWN, "NOT_SERVING"),
    3: ProbeAnswer(Health.UNKNOWN, "SERVICE_UNKNOWN"),
}
"""`HealthCheckResponse.ServingStatus` of health.proto."""
_CODES = (
    "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED "
    "RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS "
    "UNAUTHENTICATED"
).split()
_UNAVAILABLE = "UNAVAILABLE"
_UNAVAILABLE_HTTP = {b"429", b"502", b"503", b"504"}
"""Statuses of HTTP that mean UNAVAILABLE where there is none of gRPC (http-grpc-status-mapping.md)."""
_NO_GRPC = ProbeAnswer(Health.DOWN, "no valid gRPC")


class HealthCall:
    """A call, until it has an answer.

    Args:
        service: whose health is asked for; nothing for the server's as a whole.
        scheme: http or https.
        authority: the host that is asked for.
    """

    def __init__(self, service: str, scheme: str, authority: str) -> None:
        self._service = service
        self._about = [
            (":method", "POST"),
            (":scheme", scheme),
            (":path", _PATH),
            (":authority", authority),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", "vip-speaker"),
        ]
        self._http = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        wanted = {SettingCodes.ENABLE_PUSH: 0, SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEADERS}
        self._http.local_settings = Settings(client=True, initial_values=wanted)
        self._headers: dict[bytes, bytes] = {}
        self._message = bytearray()
        self._received = 0
        self._first = b""
        self.answer: ProbeAnswer | None = None

    def start(self) -> bytes:
        """Return what is to be sent first."""
        name = self._service.encode()
        field = b"\x0a" + _varint(len(name)) + name if name else b""
        self._http.initiate_connection()
        self._http.send_headers(_STREAM, self._about)
        self._http.send_data(_STREAM, struct.pack("!BI", 0, len(field)) + field, end_stream=True)
        sent: bytes = self._http.data_to_send()
        return sent

    def receive(self, data: bytes) -> bytes:
        """Take what came, and return what is to be sent for it. Once there is an `answer`, nothing is."""
        self._received += len(data)
        if self._received > MAX_RECEIVED:
            self.answer = ProbeAnswer(Health.DOWN, f"no valid gRPC: more than {MAX_RECEIVED} bytes")
            return b""
        self._first = (self._first + data)[:_FRAME_HEAD]
        if len(self._first) == _FRAME_HEAD and self._first[3] != _SETTINGS:  # RFC 9113 §3.4
            self.answer = ProbeAnswer(Health.DOWN, "no valid HTTP/2: its first frame is another")
            return b""
        try:
            for event in self._http.receive_data(data):
                self._take(event)
        except ProtocolError as error:
            why = printable(str(error))[:100]
            self.answer = self.answer or ProbeAnswer(Health.DOWN, f"no valid HTTP/2: {why}")
        return b"" if self.answer is not None else self._http.data_to_send()

    def _take(self, event: object) -> None:
        match event:
            case ResponseReceived() | TrailersReceived():
                self._headers |= _pairs(event.headers or ())
            case DataReceived():
                self._message += event.data or b""
                if event.flow_controlled_length:
                    self._http.acknowledge_received_data(event.flow_controlled_length, _STREAM)
            case StreamEnded():
                self.answer = self.answer or self._judged()
            case StreamReset() | ConnectionTerminated():
                self.answer = self.answer or CLOSED

    def _judged(self) -> ProbeAnswer:
        """Return what a whole answer means."""
        status = self._headers.get(b":status", b"")
        code = self._headers.get(b"grpc-status")
        if code is None:
            if status == b"200":
                return _NO_GRPC
            told = f"HTTP {printable(status.decode(errors='replace'))}"
            is_down = status in _UNAVAILABLE_HTTP
            return ProbeAnswer(Health.DOWN if is_down else Health.UNKNOWN, told)
        is_number = code.isascii() and code.isdigit() and len(code) <= 2
        number = int(code) if is_number else len(_CODES)
        if number == 0:
            return _serving(bytes(self._message))
        name = _CODES[number] if number < len(_CODES) else "a status that gRPC has not"
        message = self._headers.get(b"grpc-message", b"").decode(errors="replace")
        told = f"{name}: {printable(unquote(message))[:200]}" if message else name
        return ProbeAnswer(Health.DOWN if name == _UNAVAILABLE else Health.UNKNOWN, told)


def _pairs(headers: Iterable[tuple[bytes | str, bytes | str]]) -> dict[bytes, bytes]:
    return {_bytes(name): _bytes(value) for name, value in headers}


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def _serving(data: bytes) -> ProbeAnswer:
    """Return what the message of an answer says."""
    if len(data) < 5 or data[0] != 0 or int.from_bytes(data[1:5], "big") != len(data) - 5:
        return _NO_GRPC
    try:
        status = _status(data[5:])
    except (ValueError, LookupError):
        return _NO_GRPC
    return _SERVING.get(status, ProbeAnswer(Health.UNKNOWN, f"serving status {status}"))


def _status(message: bytes) -> int:
    """Return the first field of a HealthCheckResponse: 0 where it is not there.

    Raises:
        ValueError, LookupError: this is no message.
    """
    found, at = 0, 0
    while at < len(message):
        key, at = _read_varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _read_varint(message, at)
            found = value if key >> 3 == 1 else found
            continue
        length, at = _read_varint(message, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
        at += length
    if at > len(message):
        raise ValueError("cut off")
    return found


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of variable length and where it ends (protobuf's encoding, 10 bytes at most)."""
    value = 0
    for index in range(10):
        byte = data[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    raise ValueError("a number of more than 10 bytes")
