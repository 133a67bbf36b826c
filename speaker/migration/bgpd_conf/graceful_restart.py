"""`graceful-restart` (RFC 4724): whether a neighbour keeps bgpd's routes while bgpd restarts, and for how long.

A neighbour's own line counts more than the router's. A helper keeps routes that it received, and ExaBGP
has none; so of all this only `restart` becomes something in exabgp.conf (docs/restart.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from speaker.migration.bgpd_conf.model import TRANSLATED
from speaker.migration.bgpd_conf.statement import UNKNOWN, MigrationError, PassedOverError
from speaker.migration.bgpd_conf.tokens import number

if TYPE_CHECKING:
    from collections.abc import Sequence

RESTART, HELPER, DISABLE = "graceful-restart", "graceful-restart-helper", "graceful-restart-disable"
LINES = (RESTART, HELPER, DISABLE)
"""What a neighbour's line says: that it keeps routes, that only bgpd keeps its, that neither does."""
OF_A_GROUP = "whether the members of a peer-group have it depends on FRR's version; write it for each neighbour"
_USUAL, _MAX_SECONDS = 120, 4095
_HARMLESS = {
    "stalepath-time": "is for routes received",
    "select-defer-time": "is how soon bgpd sends after its own restart",
    "rib-stale-time": "is for the kernel's routes",
    "preserve-fw-state": "ExaBGP says anyway that it goes on forwarding",
    "disable-eor": "vip_watchdog has End-of-RIB sent when all is announced",
}
_NO_NOTIFICATION = "ExaBGP has no RFC 8538: a session that ends with a NOTIFICATION, or by the hold time, takes its routes along; remove the line"


def keep(settings: dict[object, object], word: str, *, plain: bool) -> None:
    """Keep what a neighbour's own line says among its settings, or forget it at the `no` of the same line."""
    if plain or settings.get(RESTART) == word:
        settings[RESTART] = word if plain else None


@dataclass(slots=True)
class GracefulRestart:
    """What the router says for all of its neighbours, while it is read."""

    mode: str = HELPER
    seconds: int = _USUAL

    def add(self, words: Sequence[str], *, plain: bool) -> str:
        """Take a line of `bgp`; return why it has no effect, or nothing.

        Args:
            words: those after `bgp`.
            plain: whether there is no `no` before them.

        Raises:
            MigrationError: it can't be translated.
        """
        match words:
            case [("graceful-restart" | "graceful-restart-disable") as mode]:
                if plain or self.mode == mode:
                    self.mode = mode if plain else HELPER
                return TRANSLATED
            case ["graceful-restart", "restart-time", *value]:
                if plain and len(value) != 1:
                    raise MigrationError(UNKNOWN)
                self.seconds = number(value[0], _MAX_SECONDS) if plain else _USUAL
                return TRANSLATED
            case ["graceful-restart", what, *_] if what in _HARMLESS:
                return _HARMLESS[what]
            case ["graceful-restart", "notification", *_]:
                if not plain:
                    return "is off anyway"
                raise PassedOverError(_NO_NOTIFICATION)
        raise MigrationError(UNKNOWN)

    def of(self, own: object) -> int | None:
        """Return for how many seconds a neighbour is asked to keep routes; None for not at all.

        Args:
            own: the neighbour's own line, None for none.
        """
        return (self.seconds or None) if (own or self.mode) == RESTART else None
