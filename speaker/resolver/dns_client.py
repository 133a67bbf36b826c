"""DNS questions: asked of the name servers in turn until a deadline, aliases followed.

Imported when the first name is looked up: the DNS library takes longer to load than to ask.
"""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import dns.reversename
from dns.rdatatype import RdataType

from speaker.printable import reason

if TYPE_CHECKING:
    from speaker.units import Endpoint, IpAddress

_MAX_ALIASES = 16
MAX_RECORDS = 64
"""Addresses of one family under one name: a server could give thousands, and widen what is asked for."""


@dataclass(frozen=True, slots=True)
class DnsFinding:
    """What DNS says of the addresses of one name and one family.

    `fault` is what is wrong with the answer, such as an alias in a circle; `unanswered` is why nothing is known of it.
    """

    exists: bool = True
    addresses: tuple[str, ...] = ()
    fault: str = ""
    unanswered: str = ""


class _NoReplyError(Exception):
    """No name server answered; says which did what."""


@dataclass(frozen=True, slots=True)
class Client:
    """The name servers to ask, first choice first, and the domains of names without a dot.

    `problem` is why there is no server.
    """

    servers: tuple[Endpoint, ...]
    search: tuple[str, ...] = ()
    problem: str = ""

    def find(self, name: str, until: float) -> tuple[DnsFinding, DnsFinding]:
        """Find the A and the AAAA of an absolute name, both at once.

        Args:
            name: the name, without the final dot.
            until: when to give up (seconds on the steady clock).
        """
        with ThreadPoolExecutor(1) as pool:
            ipv6 = pool.submit(self._find, name, RdataType.AAAA, until)
            return self._find(name, RdataType.A, until), ipv6.result()

    def _find(self, name: str, rdtype: RdataType, until: float) -> DnsFinding:
        try:
            aliases = [dns.name.from_text(name)]
            while True:
                asked = aliases[-1]
                reply = self._ask(dns.message.make_query(asked, rdtype), until)
                finding = _read(reply, rdtype, aliases)
                # A server that knows only the first part of a chain is asked for the rest.
                if finding is not None or aliases[-1] == asked:
                    return finding or DnsFinding()
        except _NoReplyError as error:
            return DnsFinding(exists=False, unanswered=str(error))

    def name_of(self, address: IpAddress, until: float) -> DnsFinding:
        """Find the names of an address by its PTR records, which stand in `addresses`.

        Args:
            address: the address.
            until: when to give up (seconds on the steady clock).
        """
        return self._find(
            dns.reversename.from_address(str(address)).to_text(), RdataType.PTR, until
        )

    def _ask(self, query: dns.message.Message, until: float) -> dns.message.Message:
        """Ask each server in turn, those that are silent again, until one answers."""
        if not self.servers:
            raise _NoReplyError(self.problem)
        patience = max(0.01, (until - time.monotonic()) / (2 * len(self.servers)))
        waiting = list(self.servers)
        reasons = dict.fromkeys(self.servers, "no time left to ask")
        while waiting and time.monotonic() < until:
            server = waiting.pop(0)
            try:
                reply = _exchange(server, query, min(until, time.monotonic() + patience))
            except dns.exception.Timeout:
                reasons[server] = "no answer"
                waiting.append(server)
                continue
            except (dns.exception.DNSException, OSError, EOFError) as error:
                is_ours = isinstance(error, OSError) and error.strerror
                reasons[server] = reason(error) if is_ours else "no valid answer"
                continue
            reasons[server] = _refusal(reply)
            if not reasons[server]:
                return reply
        raise _NoReplyError(
            ", ".join(
                f"{why} from {address} port {port}" for (address, port), why in reasons.items()
            )
        )


def system(path: str) -> Client:
    """Return the client that resolv.conf describes."""
    try:
        resolver = dns.resolver.Resolver(filename=path)
    except dns.resolver.NoResolverConfiguration:
        problem = (
            f"no name server: {path} names none, or can't be read; correct it, or set node.resolver"
        )
        return Client((), problem=problem)
    search = resolver.search or [resolver.domain]
    return Client(
        tuple((ip_address(str(server)), resolver.port) for server in resolver.nameservers),
        tuple(name.to_text(omit_final_dot=True) for name in search if name != dns.name.root),
    )


def _exchange(server: Endpoint, query: dns.message.Message, until: float) -> dns.message.Message:
    address, port = server
    where = str(address)
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as connection:
        connection.settimeout(0)
        connection.connect((where, port))  # so that a closed port says so at once
        try:
            return dns.query.udp(
                query,
                where,
                max(0.0, until - time.monotonic()),
                port,
                sock=connection,
                raise_on_truncation=True,
                ignore_errors=True,
                ignore_unexpected=True,
            )
        except dns.message.Truncated:
            return dns.query.tcp(query, where, max(0.0, until - time.monotonic()), port)


def _refusal(reply: dns.message.Message) -> str:
    """Return why a reply is no answer, if so."""
    code = reply.rcode()
    if code not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        return dns.rcode.to_text(code)
    if not reply.answer and not reply.flags & (dns.flags.AA | dns.flags.RA):
        return "a referral to other servers"
    return ""


def _read(
    reply: dns.message.Message, rdtype: RdataType, aliases: list[dns.name.Name]
) -> DnsFinding | None:
    """Follow the aliases in a reply, adding them to `aliases`; None if they lead out of it."""
    while True:
        last = aliases[-1]
        found = reply.get_rrset(reply.answer, last, dns.rdataclass.IN, rdtype)
        if found is not None:
            if len(found) > MAX_RECORDS:
                return DnsFinding(fault=f"{len(found)} records; at most {MAX_RECORDS} are read")
            if rdtype == RdataType.PTR:
                return DnsFinding(addresses=tuple(_shown(record.target) for record in found))
            return DnsFinding(addresses=tuple(record.address for record in found))
        alias = reply.get_rrset(reply.answer, last, dns.rdataclass.IN, RdataType.CNAME)
        if alias is None:
            break
        target = alias[0].target
        if target in aliases:
            return DnsFinding(fault=f"an alias that leads back to {_shown(target)}")
        aliases.append(target)
        if len(aliases) > _MAX_ALIASES:
            return DnsFinding(fault=f"a chain of {_MAX_ALIASES} aliases or more")
    if reply.rcode() != dns.rcode.NXDOMAIN:
        return None
    if len(aliases) == 1:
        return DnsFinding(exists=False)
    return DnsFinding(fault=f"an alias of {_shown(last)}, which does not exist")


def _shown(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)
