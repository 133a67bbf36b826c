"""Whether keepalived runs: without it, the table of IPVS is frozen."""

from __future__ import annotations

from pathlib import Path

PROC = Path("/proc")


def is_running(proc: Path = PROC) -> bool:
    """Tell whether any process is named keepalived."""
    for name in proc.glob("[0-9]*/comm"):
        try:
            if name.read_text().rstrip("\n") == "keepalived":
                return True
        except OSError:
            continue  # it ended while we looked
    return False
