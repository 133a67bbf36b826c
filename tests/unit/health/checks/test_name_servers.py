"""Checks that ask a name server, with real sockets: what each answer means, and what is no answer."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest

from policy.health import Health
from speaker.config.settings_checks import CheckSettings, DnsCheck
from speaker.health.checks.asking import Askers
from speaker.health.checks.name_servers import MAX_DATAGRAM, MAX_MESSAGE
from speaker.health.checks.probe import Probe, ProbeAnswer
from speaker.units import endpoint_text
from tests.support.lab.dns import ABSENT, EMPTY, SILENCE, DnsServer, Reply, records

UP, DOWN, UNKNOWN = Health.UP, Health.DOWN, Health.UNKNOWN
NAME = "health.example.net"
RECORD = f"{NAME}. A 192.0.2.7"


def ask(
    server: str, timeout: float = 10.0, kind: str = "A", answer: tuple[str, ...] = ()
) -> ProbeAnswer:
    async def run() -> ProbeAnswer:
        asker = Askers()
        try:
            what = DnsCheck(server, NAME, kind, answer)
            return await asker.ask(Probe(CheckSettings("x", what, timeout=timeout)))
        finally:
            await asker.close()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("reply", "answer", "health", "why"),
    [
        (records(RECORD), (), UP, "NOERROR"),
        (records(RECORD), ("192.0.2.7",), UP, "NOERROR"),
        (records(RECORD), ("192.0.2.8", "192.0.2.7"), UP, "NOERROR"),
        (records(RECORD), ("192.0.2.8",), DOWN, "NOERROR, 192.0.2.7 and no other that is expected"),
        (EMPTY, (), DOWN, "NOERROR, without A"),
        (ABSENT, (), DOWN, "NXDOMAIN"),
        (Reply(rcode="SERVFAIL"), (), DOWN, "SERVFAIL"),
        (Reply(rcode="REFUSED"), (), DOWN, "REFUSED"),
        (Reply((RECORD,), over_udp="truncate"), ("192.0.2.7",), UP, "NOERROR"),
    ],
)
def test_answers(reply: Reply, answer: tuple[str, ...], health: Health, why: str) -> None:
    """An answer is up with a record that is expected, or any where none is; what is cut off is asked for by TCP."""
    with DnsServer({f"{NAME} A": reply}) as server:
        found = ask(endpoint_text(server.endpoint), answer=answer)
    assert (found.health, found.reason) == (health, why)


def texts(length: int) -> Reply:
    """Answer with texts of that many bytes or so."""
    return Reply(tuple(f'{NAME}. TXT "{index:0238}"' for index in range(length // 251)))


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (texts(MAX_DATAGRAM - 300), (UP, "NOERROR")),
        (
            texts(MAX_DATAGRAM + 300),
            (UNKNOWN, "no answer within 0.5 s; 1 datagram came that is none"),
        ),
        (replace(texts(MAX_MESSAGE - 300), over_udp="truncate"), (UP, "NOERROR")),
        (replace(texts(MAX_MESSAGE + 300), over_udp="truncate"), (DOWN, "no valid answer")),
    ],
    ids=["a datagram", "too long a datagram", "a stream", "too long a stream"],
)
def test_long_answers(reply: Reply, said: tuple[Health, str]) -> None:
    """An answer that takes so long to read that others would wait is none."""
    with DnsServer({f"{NAME} TXT": reply}) as server:
        timeout = 0.5 if said[0] is UNKNOWN else 10.0
        found = ask(endpoint_text(server.endpoint), timeout, kind="TXT")
    assert (found.health, found.reason) == said


def test_silence() -> None:
    """Who does not answer is unknown, at the end of the check's time."""
    with DnsServer({f"{NAME} A": SILENCE}) as server:
        found = ask(endpoint_text(server.endpoint), timeout=0.3)
    assert (found.health, found.reason) == (UNKNOWN, "no answer within 0.3 s")


def test_nobody_there() -> None:
    """Where nobody listens, the kernel there says so: down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    found = ask(f"127.0.0.1:{port}")
    assert (found.health, found.reason) == (DOWN, "connection refused")


@pytest.mark.parametrize(
    ("many", "timeout", "said"),
    [
        (200, 30, (DOWN, "no valid answer")),
        (2, 0.3, (UNKNOWN, "no answer within 0.3 s; 2 datagrams came that are none")),
        (1, 0.3, (UNKNOWN, "no answer within 0.3 s; 1 datagram came that is none")),
    ],
)
def test_garbage(many: int, timeout: float, said: tuple[Health, str]) -> None:
    """A server that sends anything but an answer is down, and soon; some datagrams, which others may send, are not believed."""

    class Garbage(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: object) -> None:
            for index in range(many):
                # One of another number, the question itself, and another question's.
                asked = data[:2] + b"\x81\x80" + data[4:].replace(b"health", b"wealth")
                others = bytes([data[0] ^ 1]) + data[1:], data, asked
                wrong = others[index // 2 % 3] if index % 2 else b"\xff" * (index + 1)
                self.transport.sendto(wrong, addr)  # type: ignore[attr-defined]  # it is of datagrams

    async def run() -> ProbeAnswer:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Garbage, local_addr=("127.0.0.1", 0))
        port = transport.get_extra_info("sockname")[1]
        asker = Askers()
        try:
            what = DnsCheck(f"127.0.0.1:{port}", NAME)
            return await asker.ask(Probe(CheckSettings("x", what, timeout=timeout)))
        finally:
            transport.close()
            await asker.close()

    found = asyncio.run(run())
    assert (found.health, found.reason) == said
