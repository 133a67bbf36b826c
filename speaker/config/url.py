"""A URL as several tables of vip.toml have it: taken apart, or none. What else it must not have, each of them says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from urllib.parse import SplitResult


def split_url(text: str) -> SplitResult | None:
    """Return the parts of a URL of http or https; None for a text that is none: its host lacks, or its port is none."""
    try:
        found = urlsplit(text)
        is_one = found.scheme in {"http", "https"} and found.hostname and found.port != 0
    except ValueError:  # of brackets, or a port
        return None
    return found if is_one else None


def is_plain(text: str) -> bool:
    """Tell whether a text is of the characters that a URL may have: printable ASCII, no blanks, no backslashes."""
    return text.isascii() and text.isprintable() and re.search(r"[ \\]", text) is None
