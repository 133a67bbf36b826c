"""A statement of bgpd's configuration: file, line, words, and its mode; and what is wrong with one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from speaker.errors import SpeakerError
from speaker.migration.bgpd_conf.shown import shown


class MigrationError(SpeakerError):
    """A configuration can't be migrated: `<file>:<line>: <what was found>; <what to do>`."""


UNKNOWN = "is unknown, incomplete, or abbreviated, which bgpd may take; write it out, or remove it"
"""What is wrong with words that may be a command in short: no version of bgpd has all that another one has."""


class PassedOverError(MigrationError):
    """A line that bgpd takes, and that changes nothing that is sent of VIPs: the rest goes without it.

    It has to be said of a line. What is wrong with any other one is an error, also where bgpd is
    believed to refuse it: who believes wrongly would send what bgpd keeps back.
    """


class FatalError(MigrationError):
    """A line with which nothing of the file can be migrated."""


class CommandMode(StrEnum):
    """Where a statement stands."""

    TOP = "the top level"
    BGP = "router bgp"
    IPV4 = "address-family ipv4"
    IPV6 = "address-family ipv6"
    OTHER_FAMILY = "another address family"
    ROUTE_MAP = "route-map"
    INTERFACE = "interface"
    LINE = "line"
    OTHER = "a block of another daemon"


FAMILIES = {CommandMode.BGP: 4, CommandMode.IPV4: 4, CommandMode.IPV6: 6}
"""The family of what is said of networks and neighbours in a mode."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A line that is neither blank nor a comment. `block` is what opened its mode: `BGP1 permit 10`."""

    file: str
    line: int
    words: tuple[str, ...]
    mode: CommandMode
    block: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """File and line, as editors read them."""
        return f"{self.file}:{self.line}"

    @property
    def plain(self) -> bool:
        """Whether it is not the `no` of a line."""
        return self.words[0] != "no"

    @property
    def said(self) -> tuple[str, ...]:
        """Its words, without `no`."""
        return self.words if self.plain else self.words[1:]

    def __str__(self) -> str:
        """Return the line as it may be shown to any user."""
        elsewhere = self.mode in (CommandMode.INTERFACE, CommandMode.LINE, CommandMode.OTHER)
        return shown(self.words, elsewhere=elsewhere)
