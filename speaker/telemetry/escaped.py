"""Text from outside as HTML: the only way of it into a page."""

from __future__ import annotations

from html import escape

from speaker.printable import printable


def escaped(text: str) -> str:
    """Return text in which nothing is markup, and nothing acts."""
    return escape(printable(text))
