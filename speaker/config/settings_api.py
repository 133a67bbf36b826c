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
    """What who has a token of a name may: read, report some names, have some drain.

    So may who shows a certificate with the name `certificate`, and on a unix socket a member of `group`.
    """

    name: str
    read: bool = False
    report: frozenset[str] = frozenset()
    drain: frozenset[str] = frozenset()
    certificate: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class ApiTls:
    """The files of the certificate that is shown, of its key, and of the CAs of callers' certificates."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """Where reports are taken: nowhere, unless it says so. `tokens_file` has the hashes of tokens.

    `sockets` have mode 0660 and the group of `group`, or else of their directory.
    """

    listen: tuple[Endpoint, ...] = ()
    sockets: tuple[Path, ...] = ()
    tls: ApiTls | None = None
    group: str | None = None
    tokens_file: Path = DEFAULT_TOKENS
    tokens: dict[str, TokenRights] = field(default_factory=dict)
    reports: dict[str, ReportRule] = field(default_factory=dict)

    @property
    def groups(self) -> frozenset[str]:
        """The groups whose members need no token."""
        return frozenset(each.group for each in self.tokens.values() if each.group is not None)
