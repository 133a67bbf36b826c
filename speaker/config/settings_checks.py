"""What a check asks, how often, and what its answers mean: `[check.NAME]` as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from policy.health import Health

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from speaker.units import Endpoint

ADDRESS, REALSERVER = "{address}", "{realserver}"
"""What stands in a target for the VIP's address, and for each realserver in turn."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom an HTTPS check trusts, and what it shows of itself. None: the system's authorities; nothing."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class JsonValue:
    """A value that an answer must have: where (keys, and places of lists), and what."""

    path: tuple[str | int, ...]
    equals: str | int | float | bool


class _ByUrl:
    """A check whose target is a URL."""

    __slots__ = ()
    url: str

    @property
    def target(self) -> str:
        """What is asked, before anything is filled in."""
        return self.url

    @property
    def address(self) -> str:
        """The host of the URL, which is an address where nothing is to be filled in."""
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True, slots=True)
class HttpCheck(_ByUrl):
    """A request, and the answer that is expected.

    `url` may have `{address}` or `{realserver}` for its host; else that is an address. `host` is what is
    asked for there, and whose certificate it must be. `statuses` are ranges, both ends included. `reuse`: for how long a
    connection is used again, in seconds; 0 for a new one each time.
    """

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    host: str | None = None
    statuses: tuple[tuple[int, int], ...] = ((200, 299),)
    body: str | None = None
    regex: str | None = None
    json: JsonValue | None = None
    tls: Tls = Tls()
    reuse: float = 0.0

    def __str__(self) -> str:
        """Return it in words, without what may be secret: headers, bodies, and what stands behind a URL's `?`."""
        statuses = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in self.statuses)
        body = any(each is not None for each in (self.body, self.regex, self.json))
        return f"{self.method} {self.url.partition('?')[0]}{_as(self.host)}, expects {statuses}{' and a body' * body}"


@dataclass(frozen=True, slots=True)
class GrpcCheck(_ByUrl):
    """A call of grpc.health.v1: of which service (nothing: the server as a whole). `url` and `host` as of an `HttpCheck`."""

    url: str
    service: str = ""
    host: str | None = None
    tls: Tls = Tls()

    def __str__(self) -> str:
        """Return it in words."""
        return f"gRPC {self.url}{_as(self.host)}, {self.service or 'the whole server'}"


def _as(host: str | None) -> str:
    return "" if host is None else f" as {host}"


def others(statuses: Iterable[int]) -> tuple[int, ...]:
    """Return the exit statuses that are not among some, which a file calls "others"."""
    return tuple(sorted({*range(256)} - {*statuses}))


@dataclass(frozen=True, slots=True)
class ExecCheck:
    """A program with its arguments, as whom it runs (None: as ours), and the exit statuses that mean up and down."""

    words: tuple[str, ...]
    user: str | None = None
    up: tuple[int, ...] = (0,)
    down: tuple[int, ...] = (1,)

    def __str__(self) -> str:
        """Return it in words, without its arguments, among which passwords may be."""
        return f"the program {self.words[0]}"

    @property
    def target(self) -> str:
        """What is asked, before anything is filled in."""
        return " ".join(self.words)


@dataclass(frozen=True, slots=True)
class DnsCheck:
    """A question to a name server, and the records of which the answer must have one; without any, some record.

    `server` is an address and port, with `{address}` or `{realserver}` in it or not.
    """

    server: str
    name: str
    kind: str = "A"
    answer: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return it in words."""
        wanted = f", expects {' or '.join(self.answer)}" if self.answer else ""
        return f"{self.server} for {self.name} {self.kind}{wanted}"

    @property
    def target(self) -> str:
        """What is asked, before anything is filled in."""
        return self.server


Asks = HttpCheck | GrpcCheck | ExecCheck | DnsCheck


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """A check. Times in seconds; `rise` and `fall` are numbers of answers one after the other.

    `on_timeout` is what no answer in time means. `share_up`: of its realservers, 0 to 1.
    """

    name: str
    asks: Asks
    interval: float = 1.0
    timeout: float = 1.0
    rise: int = 1
    fall: int = 1
    on_timeout: Health = Health.UNKNOWN
    realservers: tuple[Endpoint, ...] = ()
    share_up: float = 1.0

    @property
    def by_address(self) -> bool:
        """Whether each address of a VIP is asked."""
        return ADDRESS in self.asks.target

    @property
    def by_realserver(self) -> bool:
        """Whether each realserver is asked."""
        return REALSERVER in self.asks.target
