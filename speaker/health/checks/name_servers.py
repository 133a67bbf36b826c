"""Asks a name server one question, by UDP, and by TCP where the answer is cut off."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from policy.health import Health
from speaker.health.checks.failures import CLOSED, failed
from speaker.health.checks.probe import ProbeAnswer
from speaker.printable import printable
from speaker.units import endpoint

if TYPE_CHECKING:
    from speaker.config.settings_checks import DnsCheck
    from speaker.health.checks.probe import Probe
    from speaker.units import Endpoint

MAX_DATAGRAM, MAX_MESSAGE = 4 * 1024, 16 * 1024
"""How long an answer may be by UDP (RFC 1035 says 512 to who asks so) and by TCP, in bytes: what is longer takes too long to read."""
MAX_GARBAGE = 50
"""How many datagrams that are no answer are read, until the server is taken to send nothing else."""


class DnsAsker:
    """Asks name servers."""

    def __init__(self) -> None:
        self._strays: dict[Probe, int] = {}

    def strays(self, probe: Probe) -> int:
        """Return how many datagrams came for the last question that were no answer to it, where it was not answered. Once."""
        return self._strays.pop(probe, 0)

    async def ask(self, probe: Probe, what: DnsCheck) -> ProbeAnswer:
        """Ask once. The caller bounds the time."""
        query = dns.message.make_query(what.name, what.kind)
        server = endpoint(probe.in_url(what.server))
        try:
            reply = await self._by_udp(probe, server, query)
            if reply is not None and reply.flags & dns.flags.TC:
                reply = await _by_tcp(server, query)
        except OSError as error:
            return failed(error)
        except EOFError:
            return CLOSED
        if reply is None:
            return ProbeAnswer(Health.DOWN, "no valid answer")
        return _judged(reply, what)

    async def _by_udp(
        self, probe: Probe, server: Endpoint, query: dns.message.Message
    ) -> dns.message.Message | None:
        transport, waiting = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Datagrams(query), remote_addr=(str(server[0]), server[1])
        )
        try:
            transport.sendto(query.to_wire())
            return await waiting.reply
        finally:
            transport.close()
            self._strays.pop(probe, None)
            if waiting.reply.cancelled() and waiting.others:
                self._strays[probe] = waiting.others


class _Datagrams(asyncio.DatagramProtocol):
    """Waits for the answer to a query among whatever comes from the server that it is connected to."""

    def __init__(self, query: dns.message.Message) -> None:
        self._query, self._id, self.others = query, struct.pack("!H", query.id), 0
        self.reply: asyncio.Future[dns.message.Message | None] = (
            asyncio.get_running_loop().create_future()
        )

    def datagram_received(self, data: bytes, addr: object) -> None:
        del addr  # the socket is connected
        if self.reply.done():
            return
        may_be = data.startswith(self._id) and len(data) <= MAX_DATAGRAM
        found = _parsed(data, self._query) if may_be else None
        if found is not None:
            self.reply.set_result(found)
            return
        self.others += 1
        if self.others >= MAX_GARBAGE:
            self.reply.set_result(None)

    def error_received(self, exc: Exception) -> None:
        if not self.reply.done():
            self.reply.set_exception(exc)


def _parsed(data: bytes, query: dns.message.Message) -> dns.message.Message | None:
    """Return a message that answers a query; None for any other."""
    try:
        reply = dns.message.from_wire(data, ignore_trailing=True, raise_on_truncation=False)
    except (dns.exception.DNSException, ValueError, IndexError, struct.error):
        return None
    return reply if query.is_response(reply) else None


async def _by_tcp(server: Endpoint, query: dns.message.Message) -> dns.message.Message | None:
    """Ask by TCP: two bytes of length before each message (RFC 1035 §4.2.2)."""
    reader, writer = await asyncio.open_connection(str(server[0]), server[1])
    try:
        wire = query.to_wire()
        writer.write(struct.pack("!H", len(wire)) + wire)
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        if length > MAX_MESSAGE:
            return None
        return _parsed(await reader.readexactly(length), query)
    finally:
        writer.close()


def _judged(reply: dns.message.Message, what: DnsCheck) -> ProbeAnswer:
    """Return what an answer means: records that are expected are among it, or any where none are named."""
    rcode = reply.rcode()
    if rcode != dns.rcode.NOERROR:
        return ProbeAnswer(Health.DOWN, printable(dns.rcode.to_text(rcode)))
    kind = dns.rdatatype.from_text(what.kind)
    found = {
        record.to_text().lower().rstrip(".")
        for rrset in reply.answer
        if rrset.rdtype == kind
        for record in rrset
    }
    if not found:
        return ProbeAnswer(Health.DOWN, f"NOERROR, without {what.kind}")
    if not what.answer or found & {each.lower().rstrip(".") for each in what.answer}:
        return ProbeAnswer(Health.UP, "NOERROR")
    return ProbeAnswer(
        Health.DOWN, f"NOERROR, {printable(min(found))[:100]} and no other that is expected"
    )
