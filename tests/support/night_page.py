"""Owns docs/night.md as data: what each section says that is shown, by the place where it is shown."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "night.md"

Shown = dict[str, list[re.Pattern[str]]]


def sections() -> dict[str, list[Shown]]:
    """Return for each section of the page its blocks: by place, the lines, in which `…` is any text."""
    found: dict[str, list[Shown]] = {}
    for part in PAGE.read_text().split("\n## ")[1:]:
        title, _, rest = part.partition("\n")
        blocks = re.findall(r"```text\n(.*?)```", rest, re.DOTALL)
        if blocks:
            found[title] = [_shown(block) for block in blocks]
    return found


def _shown(block: str) -> Shown:
    lines: Shown = {}
    for line in block.splitlines():
        place, text = line.split(maxsplit=1)
        lines.setdefault(place, []).append(re.compile(re.escape(text).replace("…", ".*")))
    return lines
