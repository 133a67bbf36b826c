"""DNS names -> addresses, by family, with what DNS did not say kept apart from what it denied."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import TYPE_CHECKING

from policy.wording import count
from speaker.errors import SpeakerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from speaker.resolver.dns_client import Client
    from speaker.units import Endpoint, IpAddress

RESOLV_CONF = "/etc/resolv.conf"
_MAX_NAME = 253
_MAX_LABEL = 63
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")
_MAX_THREADS = 16


class NameLookupError(SpeakerError):
    """A name that stands for no set of addresses."""


class BadNameError(NameLookupError):
    """A text that is no DNS name."""


class AnswerError(NameLookupError):
    """A name whose answer can't be used: CNAMEs that lead nowhere or in a circle, too many addresses."""


class Family(StrEnum):
    """The two kinds of addresses, by their record types."""

    IPV4 = "A"
    IPV6 = "AAAA"


class LookupOutcome(StrEnum):
    """What DNS says of a name."""

    FOUND = "found"
    EMPTY = "exists, has no addresses"
    ABSENT = "does not exist"
    PARTIAL = "one family failed while the other answered"
    SILENT = "DNS did not answer"


@dataclass(frozen=True, slots=True)
class Answer:
    """What DNS says of a name: sorted addresses, and why a family of them is not known.

    `name` is the one that was found: longer than the given one where a search domain was added.
    """

    name: str
    ipv4: tuple[IPv4Address, ...] = ()
    ipv6: tuple[IPv6Address, ...] = ()
    exists: bool = True
    failed: Mapping[Family, str] = field(default_factory=dict)

    @property
    def addresses(self) -> tuple[IpAddress, ...]:
        """All addresses, IPv4 first."""
        return (*self.ipv4, *self.ipv6)

    @property
    def outcome(self) -> LookupOutcome:
        """What it comes to."""
        if self.failed:
            return (
                LookupOutcome.SILENT if len(self.failed) == len(Family) else LookupOutcome.PARTIAL
            )
        if self.addresses:
            return LookupOutcome.FOUND
        return LookupOutcome.EMPTY if self.exists else LookupOutcome.ABSENT

    @property
    def reason(self) -> str:
        """Why families failed, in words: `AAAA: SERVFAIL from 192.0.2.53 port 53`."""
        return "; ".join(f"{family}: {why}" for family, why in sorted(self.failed.items()))


def parse_name(text: str) -> str:
    """Return a name in lower case, its final dot (if any) kept.

    Raises:
        BadNameError: it is no DNS name.
    """
    name = text.lower()
    labels = name.removesuffix(".").split(".")
    if not text.isascii():
        problem = "not ASCII; write its xn-- form"
    elif len(name.removesuffix(".")) > _MAX_NAME:
        problem = f"{count(len(name), 'character')}; a name has at most {_MAX_NAME}"
    elif not all(labels):
        problem = "an empty label; write names like vip-1.tld"
    elif any(len(label) > _MAX_LABEL for label in labels):
        problem = f"a label of more than {_MAX_LABEL} characters; split it by dots"
    elif not all(_LABEL.fullmatch(label) for label in labels):
        problem = "not of letters, digits, hyphens and dots; write names like vip-1.tld"
    elif labels[-1].isascii() and labels[-1].isdigit():
        problem = "its last label is a number; neither an address nor a name"
    else:
        return name
    raise BadNameError(f"name: {text!r}: {problem}")


class Resolver:
    """Looks names up. May be used from several threads.

    Args:
        server: the only name server to ask; None for those of the system.
        timeout: seconds for a call of `lookup` or `lookup_all`, whatever it has to ask.
        search: the search domains that go with `server`.
        resolv_conf: the system's name servers and search domains.
    """

    def __init__(
        self,
        server: Endpoint | None = None,
        timeout: float = 3.0,
        *,
        search: tuple[str, ...] = (),
        resolv_conf: str = RESOLV_CONF,
    ) -> None:
        self._server = server
        self._timeout = timeout
        self._search = search
        self._resolv_conf = resolv_conf

    def lookup(self, name: str) -> Answer:
        """Look up A and AAAA at once, CNAMEs followed.

        A name is taken as it is. One without a dot that has no addresses is then tried in each
        search domain, unless it was written with a final dot.

        Raises:
            BadNameError: it is no name.
            AnswerError: its CNAMEs lead nowhere, or it has too many addresses.
        """
        return self._lookup(name, time.monotonic() + self._timeout)

    def lookup_all(
        self,
        names: Iterable[str],
        known: Mapping[str, Answer | NameLookupError] = MappingProxyType({}),
    ) -> dict[str, Answer | NameLookupError]:
        """Look up many names at once, within the time of one; what is known of some is taken for them."""
        until = time.monotonic() + self._timeout

        def one(name: str) -> Answer | NameLookupError:
            try:
                return self._lookup(name, until)
            except NameLookupError as error:
                return error

        distinct = tuple(name for name in dict.fromkeys(names) if name not in known)
        if len(distinct) < 2:  # as operators mostly name them
            return {**known, **{name: one(name) for name in distinct}}
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - slow to import

        with ThreadPoolExecutor(_MAX_THREADS) as pool:
            return {**known, **dict(zip(distinct, pool.map(one, distinct), strict=True))}

    def reverse_all(self, addresses: Iterable[IpAddress]) -> dict[IpAddress, str | NameLookupError]:
        """Look the names of many addresses up at once, within the time of one.

        Returns:
            For each address a name (of several the first in the alphabet), or why there is none.
        """
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - slow to import

        until = time.monotonic() + self._timeout
        client = self._client()

        def one(address: IpAddress) -> str | NameLookupError:
            finding = client.name_of(address, until)
            problem = finding.fault or finding.unanswered
            if problem or not finding.addresses:
                return NameLookupError(f"PTR of {address}: {problem or 'there is none'}")
            try:
                return parse_name(min(finding.addresses))
            except BadNameError as error:
                return NameLookupError(f"PTR of {address}: {error}")

        distinct = tuple(dict.fromkeys(addresses))
        with ThreadPoolExecutor(_MAX_THREADS) as pool:
            return dict(zip(distinct, pool.map(one, distinct), strict=True))

    def _client(self) -> Client:
        from speaker.resolver import dns_client  # noqa: PLC0415 - slow to import

        if self._server is None:
            return dns_client.system(self._resolv_conf)
        return dns_client.Client((self._server,), self._search)

    def _lookup(self, text: str, until: float) -> Answer:
        name = parse_name(text)
        client = self._client()
        seen = [_answer(name.removesuffix("."), client, until)]
        if "." not in name and not seen[0].addresses:
            for domain in client.search:
                seen.append(_answer(f"{name}.{domain}", client, until))
                if seen[-1].addresses:
                    return seen[-1]
                if seen[-1].failed:
                    break  # the next domain may have another VIP of this name
        return next(
            (answer for answer in seen if answer.failed),
            next((answer for answer in seen if answer.exists), seen[0]),
        )


def _answer(name: str, client: Client, until: float) -> Answer:
    ipv4, ipv6 = client.find(name, until)
    for finding in (ipv4, ipv6):
        if finding.fault:
            raise AnswerError(f"name: {name}: {finding.fault}; correct it in DNS")
    failed = {Family.IPV4: ipv4.unanswered, Family.IPV6: ipv6.unanswered}
    return Answer(
        name,
        tuple(sorted({IPv4Address(text) for text in ipv4.addresses})),
        tuple(sorted({IPv6Address(text) for text in ipv6.addresses})),
        ipv4.exists or ipv6.exists,
        {family: reason for family, reason in failed.items() if reason},
    )
