"""What the head of vip.toml says of this machine: whom to ask before all of the file is parsed, and about which content."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from speaker import units
from speaker.errors import SpeakerError
from speaker.files import vip_toml
from speaker.site_words import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from speaker.api import Status


@dataclass(frozen=True, slots=True)
class Node:
    """`[node]`, whose sense is not checked, and the digest and number of lines of the whole file.

    `has_site`: whether the file may have a `[site]`; `within`: how long the other machines are waited for then, in seconds.
    """

    digest: str
    lines: int
    dc: str
    backend: str
    control: Path
    read: Path
    has_site: bool = False
    within: float = TIMEOUT
    resolver: str | None = None

    @classmethod
    def of(cls, path: Path, environ: Mapping[str, str]) -> Node | None:
        """Return that of a file; None where its head does not have it: what is wrong is said where all is read."""
        try:
            content = vip_toml.content(path, obeyed=True)
            tables = vip_toml.head(content, environ)
            node, has_site = tables["node"], vip_toml.may_have_site(content)
            # of a table that stands behind the VIPs, only who reads all of the file knows
            asked = tables["site"].get("timeout") if has_site else None
            within = TIMEOUT if asked is None else units.duration(asked)
            dc, backend = node["dc"], node.get("backend", vip_toml.DEFAULT_BACKEND)
            control = node.get("control", vip_toml.DEFAULT_CONTROL)
            read = node.get("read", str(Path(control).with_name(vip_toml.DEFAULT_READ)))
            resolver = node.get("resolver")
            if not all(
                isinstance(each, str) and each.isprintable()
                for each in (dc, backend, control, read, resolver or "")
            ):
                return None
        except (SpeakerError, KeyError, TypeError, AttributeError, ValueError):
            return None
        lines = content.count(b"\n")
        return cls(
            vip_toml.digest(content),
            lines,
            dc,
            backend,
            Path(control),
            Path(read),
            has_site,
            within,
            resolver,
        )

    def is_loaded(self, told: Status) -> bool:
        """Tell whether a watchdog says that it loaded this very content, for this data centre and backend."""
        loaded = told.configuration.digest, told.dc, told.backend
        return loaded == (self.digest, self.dc, self.backend)
