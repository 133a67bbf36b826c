"""Text of a less trusted side, made fit for a terminal, a log and syslog: nothing in it acts there."""

from __future__ import annotations

from typing import Any


def printable(text: str, keep: str = "") -> str:
    r"""Escape what is not to be printed: control characters, newlines, changes of direction.

    As Python writes them: ESC is `\x1b`, a newline `\n`.

    Args:
        text: the text.
        keep: characters to leave as they are.
    """
    if text.isprintable():
        return text
    return "".join(
        char
        if char.isprintable() or char in keep
        else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def printable_json(value: Any) -> Any:
    """Return JSON values with every text in them escaped, names too."""
    match value:
        case str():
            return printable(value)
        case list():
            return [printable_json(each) for each in value]
        case dict():
            return {printable(key): printable_json(each) for key, each in value.items()}
        case _:
            return value
