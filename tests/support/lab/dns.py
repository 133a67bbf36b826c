"""Owns a scripted DNS server on loopback: real sockets, answers good and odd."""

from __future__ import annotations

import errno
import socket
import socketserver
import threading
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from speaker.units import Endpoint


@dataclass(frozen=True)
class Reply:
    """What the server says to one question.

    Args:
        records: lines of a zone file for the answer section.
        rcode: the response code, by its name.
        flags: which of AA and RA to set.
        over_udp: what to do over UDP: answer, stay silent, send garbage, truncate.
    """

    records: tuple[str, ...] = ()
    rcode: str = "NOERROR"
    flags: str = "RA"
    over_udp: str = "answer"


SILENCE = Reply(over_udp="silence")
GARBAGE = Reply(over_udp="garbage")
ABSENT = Reply(rcode="NXDOMAIN")
EMPTY = Reply()


def records(*lines: str) -> Reply:
    """Answer with records: `vip-1.tld. A 192.0.2.1`."""
    return Reply(lines)


@dataclass
class DnsServer:
    """Answers by a script on UDP and TCP, on one port, until the block ends.

    Args:
        script: the reply to each question (`vip-1.tld A`). Others do not exist.
        host: a loopback address.
        port: the port; 0 for a free one.
    """

    script: Mapping[str, Reply]
    host: str = "127.0.0.1"
    port: int = 0
    asked: list[str] = field(default_factory=list)
    """Every question, in order, with its transport: `udp vip-1.tld A`."""

    def __enter__(self) -> Self:
        self._tcp, self._udp = self._bind()
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.01,))
            for server in (self._tcp, self._udp)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def _bind(self) -> tuple[_TcpServer, _UdpServer]:
        """Bind TCP to a free port, and UDP to the same, which may be taken."""
        while True:
            tcp = _TcpServer(self, (self.host, self.port))
            try:
                return tcp, _UdpServer(self, tcp.server_address)
            except OSError as error:
                tcp.server_close()
                if self.port or error.errno != errno.EADDRINUSE:
                    raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for server in (self._tcp, self._udp):
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens."""
        host, port = self._udp.server_address[:2]
        return ip_address(str(host)), int(port)

    def reply(self, wire: bytes, transport: str) -> bytes | None:
        """Answer a query; None is silence."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        asked = f"{question.name.to_text(omit_final_dot=True)} {question.rdtype.name}"
        self.asked.append(f"{transport} {asked}")
        scripted = self.script.get(asked, ABSENT)
        if scripted.over_udp == "silence":
            return None
        if scripted.over_udp == "garbage":
            return wire[:2] + b"\xff" * 30
        response = dns.message.make_response(query)
        response.flags &= ~(dns.flags.RA | dns.flags.AA)
        for flag in scripted.flags.split():
            response.flags |= dns.flags.Flag[flag]
        response.set_rcode(dns.rcode.from_text(scripted.rcode))
        if scripted.over_udp == "truncate" and transport == "udp":
            response.flags |= dns.flags.TC
            return response.to_wire()
        for line in scripted.records:
            name, kind, data = line.split(maxsplit=2)
            response.answer.append(
                dns.rrset.from_text(dns.name.from_text(name), 60, "IN", kind, data)
            )
        return response.to_wire(max_size=65535)


class _UdpServer(socketserver.ThreadingUDPServer):
    def __init__(self, owner: DnsServer, address: Any) -> None:
        self.owner = owner
        self.address_family = _family(owner)
        super().__init__(address, _UdpHandler)


class _TcpServer(socketserver.ThreadingTCPServer):
    def __init__(self, owner: DnsServer, address: Any) -> None:
        self.owner = owner
        self.address_family = _family(owner)
        super().__init__(address, _TcpHandler)


def _family(owner: DnsServer) -> int:
    return socket.AF_INET if ip_address(owner.host).version == 4 else socket.AF_INET6


class _UdpHandler(socketserver.BaseRequestHandler):
    server: _UdpServer

    def handle(self) -> None:
        wire, connection = self.request
        answer = self.server.owner.reply(wire, "udp")
        if answer is not None:
            connection.sendto(answer, self.client_address)


class _TcpHandler(socketserver.StreamRequestHandler):
    server: _TcpServer

    def handle(self) -> None:
        length = int.from_bytes(self.rfile.read(2), "big")
        answer = self.server.owner.reply(self.rfile.read(length), "tcp")
        if answer is not None:
            self.wfile.write(len(answer).to_bytes(2, "big") + answer)
