"""Owns a page of docs/ as a program: its commands, by the heading that they stand under."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_HEADING = re.compile(r"^## (.*)$")


def blocks(page: Path) -> dict[str, list[str]]:
    """Return the text of the `sh` blocks under each heading of the second level, in their order."""
    found: dict[str, list[str]] = {}
    heading, lines = "", None  # type: str, list[str] | None
    for line in page.read_text("utf-8").splitlines():
        if lines is not None:
            if line == "```":
                found.setdefault(heading, []).append("\n".join(lines))
                lines = None
            else:
                lines.append(line)
        elif line == "```sh":
            lines = []
        elif match := _HEADING.match(line):
            heading = match[1]
    assert lines is None, "a block without an end"
    return found
