"""Who asks the API: by a token, by a certificate, or as a member of a group on a unix socket; and what that one may.

A token counts alone where one is sent. Else it is the certificate that was shown in the handshake, by its names, or the groups of the
process that connected, as the kernel tells.
"""

from __future__ import annotations

import asyncio
import grp
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from speaker.control.identity import name_of
from speaker.control.other_end import other_end
from speaker.control.tokens import Tokens, token_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp import web

    from speaker.clock import Clock
    from speaker.config.settings_api import ApiSettings, TokenRights

EVERY = 10.0
"""How often the numbers of groups are looked up again, in seconds."""
_NAMES = ("DNS", "URI")
"""Kinds of a certificate's names that vip.toml may have."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who may something: by each of some tables `[api.tokens.NAME]`, of which there is one at least. It is `Caller`.

    Attributes:
        name: for history.
        rights: those of each table.
    """

    name: str
    rights: tuple[TokenRights, ...]

    @property
    def tables(self) -> str:
        """See `Caller.tables`."""
        return " or ".join(f"api.tokens.{each.name}" for each in self.rights)

    @property
    def reads(self) -> bool:
        """See `Caller.reads`."""
        return any(each.read for each in self.rights)

    def reports(self, name: str) -> bool:
        """See `Caller.reports`."""
        return any(name in each.report for each in self.rights)

    def drains(self, name: str) -> bool:
        """See `Caller.drains`."""
        return any(name in each.drain for each in self.rights)


class Callers:
    """Those that `[api.tokens]` names.

    Args:
        settings: gives `[api]`.
        clock: the time.
        note: is told what is wrong with the tokens, or the groups; an empty text where nothing is.
    """

    def __init__(
        self, settings: Callable[[], ApiSettings], clock: Clock, note: Callable[[str], object]
    ) -> None:
        self._settings, self._clock, self._note = settings, clock, note
        self._troubles: dict[str, str] = {}
        self._tokens = Tokens(
            lambda: settings().tokens_file, clock, lambda text: self._trouble("tokens", text)
        )
        self._groups = _Groups(clock, lambda text: self._trouble("groups", text))

    async def look_again(self) -> None:
        """Look whether what was wrong is right again: nobody else may ask for long."""
        if self._troubles.get("tokens"):
            await self._tokens.look()
        if self._troubles.get("groups"):
            await self._groups.numbers(self._settings().groups)

    def rest(self) -> None:
        """Note that nobody is asked who it is any more, so nothing is wrong."""
        self._troubles.clear()
        self._note("")

    def _trouble(self, what: str, text: str) -> None:
        self._troubles[what] = text
        self._note(" | ".join(filter(None, self._troubles.values())))

    async def of(self, request: web.Request) -> Holder | None:
        """Return who asks; None where nobody knows."""
        tables = self._settings().tokens
        if header := request.headers.get("Authorization"):
            token = token_of(header)
            name = None if token is None else await self._tokens.holder(token)
            return Holder(name, (tables[name],)) if name is not None and name in tables else None
        transport = request.transport
        if transport is None:
            return None
        if shown := transport.get_extra_info("peercert"):
            return self._certified(shown, tables)
        if transport.get_extra_info("socket").family is socket.AF_UNIX:
            return await self._member(transport, tables)
        return None

    def _certified(self, shown: Any, tables: Mapping[str, TokenRights]) -> Holder | None:
        """Return whose certificate it is that the handshake found good. A connection may outlive it."""
        if ssl.cert_time_to_seconds(shown["notAfter"]) <= self._clock.wall():
            return None
        names = names_in(shown)
        rights = tuple(each for each in tables.values() if each.certificate in names)
        return Holder(rights[0].name, rights) if rights else None

    async def _member(
        self, transport: asyncio.BaseTransport, tables: Mapping[str, TokenRights]
    ) -> Holder | None:
        found = other_end(transport)
        numbers = await self._groups.numbers(self._settings().groups)
        rights = tuple(
            each
            for each in tables.values()
            if each.group is not None and numbers.get(each.group) in found.groups
        )
        return Holder(f"{rights[0].name} ({name_of(found.uid)})", rights) if rights else None


def names_in(certificate: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of a certificate, as `ssl` tells it: the alternative ones; the common name where there are none."""
    alternative = certificate.get("subjectAltName", ())
    if alternative:
        return frozenset(value for kind, value in alternative if kind in _NAMES)
    subject = certificate.get("subject", ())
    return frozenset(value for part in subject for kind, value in part if kind == "commonName")


class _Groups:
    """The numbers of groups. Looking them up may wait for a directory service.

    Args:
        clock: the time.
        note: is told which are not there; an empty text where all are.
    """

    def __init__(self, clock: Clock, note: Callable[[str], object]) -> None:
        self._clock, self._note = clock, note
        self._found: Mapping[str, int] = {}
        self._of: frozenset[str] = frozenset()
        self._at: float | None = None
        self._looking = asyncio.Lock()

    async def numbers(self, wanted: frozenset[str]) -> Mapping[str, int]:
        """Return the numbers of those that are there."""
        async with self._looking:  # all who ask meanwhile wait for the same look
            now = self._clock.steady()
            if self._at is None or now >= self._at + EVERY or wanted != self._of:
                self._found = await asyncio.to_thread(_look_up, wanted)
                self._at, self._of = now, wanted
                missing = ", ".join(sorted(wanted - self._found.keys()))
                self._note(
                    f"group {missing} of [api.tokens] does not exist; groupadd --system, or correct it"
                    if missing
                    else ""
                )
        return self._found


def _look_up(names: frozenset[str]) -> Mapping[str, int]:
    found = {}
    for name in names:
        try:
            found[name] = grp.getgrnam(name).gr_gid
        except KeyError:
            continue
    return found
