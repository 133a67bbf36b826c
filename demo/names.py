"""A DNS server that knows the demo's VIPs, so that none of this machine is asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Zone(asyncio.DatagramProtocol):
    """Answers over UDP."""

    def __init__(self, addresses: Mapping[str, Sequence[str]]) -> None:
        """Know names and their addresses."""
        self._addresses = addresses
        self._transport: Any = None

    @classmethod
    async def serve(cls, host: str, addresses: Mapping[str, Sequence[str]]) -> tuple[Zone, str]:
        """Return a server on a free port, and where it is."""
        loop = asyncio.get_running_loop()
        transport, zone = await loop.create_datagram_endpoint(
            lambda: cls(addresses), local_addr=(host, 0)
        )
        return zone, f"{host}:{transport.get_extra_info('sockname')[1]}"

    def close(self) -> None:
        """Answer no more."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers are sent by."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Answer a question; what is none is passed over."""
        try:
            query = dns.message.from_wire(data)
            question = query.question[0]
        except (dns.exception.DNSException, IndexError):
            return
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        addresses = self._addresses.get(question.name.to_text(omit_final_dot=True))
        if addresses is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        own = [a for a in addresses or () if (":" in a) == (question.rdtype == dns.rdatatype.AAAA)]
        if own and question.rdtype in {dns.rdatatype.A, dns.rdatatype.AAAA}:
            response.answer.append(
                dns.rrset.from_text_list(question.name, 60, "IN", question.rdtype, own)
            )
        self._transport.sendto(response.to_wire(), addr)
