"""Owns the fuzzer's readers of what checks are answered: a name server's datagrams, gRPC's bytes, bodies, and expressions over them."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
from h2.config import H2Configuration
from h2.connection import H2Connection

from speaker.config.settings_checks import CheckSettings, DnsCheck, HttpCheck, JsonValue
from speaker.health.checks.grpc_call import HealthCall
from speaker.health.checks.http import _wrong
from speaker.health.checks.name_servers import _judged, _parsed
from speaker.health.checks.probe import Probe
from speaker.pattern import BodyPattern, PatternError

NAME = "health.example.net"
_QUERY = dns.message.make_query(NAME, "A", id=7)
_ASKED = DnsCheck("{address}:53", NAME, "A", ("192.0.2.7",))
_WANTED = HttpCheck("http://{address}/", body="up", json=JsonValue(("db", 0, "state"), "up"))
_MOST = 200
"""How much of an input is a body that expressions are searched for in."""


def name_server_seeds() -> tuple[bytes, ...]:
    """Answers that make sense, and one that is cut off."""
    whole = dns.message.make_response(_QUERY)
    whole.answer = [dns.rrset.from_text(f"{NAME}.", 60, "IN", "A", "192.0.2.7", "192.0.2.8")]
    short = dns.message.make_response(_QUERY)
    short.flags |= dns.flags.TC
    return whole.to_wire(), short.to_wire()


def name_server(data: bytes) -> None:
    """Read a datagram of a name server that a check asks."""
    if (reply := _parsed(data, _QUERY)) is not None:
        _judged(reply, _ASKED)


def grpc_seeds() -> tuple[bytes, ...]:
    """An answer that says how it is, and a refusal."""
    made = []
    for trailers, message in (
        ({"grpc-status": "0"}, b"\0\0\0\0\2\x08\1"),
        ({"grpc-status": "14"}, b""),
    ):
        server = H2Connection(H2Configuration(client_side=False))
        server.initiate_connection()
        server.receive_data(HealthCall("shop", "http", NAME).start())
        server.send_headers(1, [(":status", "200"), ("grpc-message", "no%20one")])
        server.send_data(1, message)
        server.send_headers(1, [*trailers.items()], end_stream=True)
        made.append(server.data_to_send())
    return tuple(made)


def grpc(data: bytes) -> None:
    """Read what a gRPC server sends, in pieces."""
    call = HealthCall("shop", "http", NAME)
    call.start()
    for start in range(0, len(data), 700):
        call.receive(data[start : start + 700])


BODIES = (b'{"db": [{"state": "up"}]}', b'[{"state": null, "up": 1e999}]')


def body(data: bytes) -> None:
    """Read the body of an answer by HTTP."""
    _wrong(data, _WANTED)


EXPRESSIONS = (rb"(?i)^a+(?:b|[^c-e\d])*?{2,3}$", rb"(a*)*b|\.\w")


def expression(data: bytes) -> None:
    """Read an expression, and search for it in itself; and fill a target in, which changes nothing else."""
    text = data.decode(errors="replace")
    with suppress(PatternError):
        BodyPattern(text).search(text[:_MOST])
    Probe(CheckSettings("x", _ASKED), ip_address("2001:db8::1")).in_url(text)
