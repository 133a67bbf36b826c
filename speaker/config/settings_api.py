"""Where applications report, who may, and how: `[api]` and `[report.NAME]` as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policy.report import ReportRule
    from speaker.units import Endpoint

DEFAULT_TOKENS = Path("/etc/vip-speaker/tokens")


@dataclass(frozen=True, slots=True)
class TokenRights:
    """What who has a token of a name may: read reports, report those of some names, have some drain."""

    name: str
    read: bool = False
    report: frozenset[str] = frozenset()
    drain: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ApiTls:
    """The files of the certificate that is shown, and of its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """Where reports are taken: nowhere, unless it says so. `tokens_file` has the hashes of tokens.

    `sockets` have mode 0660 and the group of their directory: who reports there has a token, too.
    """

    listen: tuple[Endpoint, ...] = ()
    sockets: tuple[Path, ...] = ()
    tls: ApiTls | None = None
    tokens_file: Path = DEFAULT_TOKENS
    tokens: dict[str, TokenRights] = field(default_factory=dict)
    reports: dict[str, ReportRule] = field(default_factory=dict)
