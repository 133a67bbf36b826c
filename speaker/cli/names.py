"""What a shell completes: the names in vip.toml, of which nothing else is asked, quick and without a word of trouble."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from policy.sources import REPORT
from speaker.files import vip_toml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_HARMLESS = re.compile(r"[A-Za-z0-9._:/-]+")
"""A shell takes the names as words, and would act on others."""


def names(kinds: Sequence[str], path: Path) -> list[str]:
    """Return the names of VIPs, data centres, peers or reports, or what history knows, as far as the file can be read.

    Args:
        kinds: what follows `vip_mgmt --names`: `vip`, `dc`, `peer`, `report` or `history`; nothing is known of others.
        path: vip.toml.
    """
    if kinds == ["history"]:
        reports = [f"{REPORT}{name}" for name in names(["report"], path)]
        return [*names(["vip"], path), *reports]
    if len(kinds) != 1 or kinds[0] not in ("vip", "dc", "peer", "report"):
        return []
    try:
        document = vip_toml.parsed(vip_toml.content(path, obeyed=False), {})
    except vip_toml.VipTomlError:
        return []
    table: Any = document.get(kinds[0])
    found = [name for name in table if _HARMLESS.fullmatch(name)] if isinstance(table, dict) else []
    return ["all", *found] if kinds[0] == "vip" else found
