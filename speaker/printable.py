"""Text of a less trusted side, made fit for a terminal, a log and syslog: nothing in it acts there."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from speaker.errors import SpeakerError

if TYPE_CHECKING:
    from collections.abc import Sized

_FEW = 3
_SHOWN = 80
"""How many items of a list, and characters of a text, are shown."""


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


_NO_PEM = "no certificate, or no key, in PEM"


def cause_of(error: BaseException) -> str:
    """Return why something failed whose errors are not all foreseen: of those that are not, their kind too, for who reports it."""
    if isinstance(error, BaseExceptionGroup):  # such as a TaskGroup's, whose own words say nothing
        return "; ".join(dict.fromkeys(map(cause_of, error.exceptions)))
    is_foreseen = isinstance(error, OSError | SpeakerError) or _is_of_kernel(error)
    return reason(error) if is_foreseen else f"{type(error).__name__}: {reason(error)}"


def _is_of_kernel(error: BaseException) -> bool:
    match error.args:
        case (int(), str(), *_):  # as pyroute2 tells it
            return True
    return False


def reason(error: BaseException) -> str:
    """Return why something failed, as an operator reads it: of the system's words, without Python's numbers, names and brackets."""
    of_tls = getattr(error, "reason", None) if isinstance(error, OSError) else None
    match of_tls, error.args:
        case str(text), _:  # such as KEY_VALUES_MISMATCH
            return printable(text.replace("_", " ").lower())
        case _, (int(), str(text), *_):  # of the kernel, or of OpenSSL: its number, and its words
            return _NO_PEM if text.startswith("[SSL] PEM lib") else printable(text)
        case _:
            return printable(str(error)) or type(error).__name__


def shown(value: object, *, deep: bool = True) -> str:
    """Return a value of a file as its refusal names it: in the file's words, on a short line: `'x'`, `true`, `[1, 2]`.

    Args:
        value: as TOML's parser returns it.
        deep: whether to show what is in a list or a table.
    """
    match value:
        case bool():
            return str(value).lower()
        case str():
            return repr(value) if len(value) <= _SHOWN else f"{value[:_SHOWN]!r}…"
        case list():
            inner = [shown(each, deep=False) for each in value[:_FEW]] if deep else []
            return f"[{', '.join([*inner, *_more(value, inner)])}]"
        case dict():
            few = islice(value.items(), _FEW if deep else 0)
            inner = [f"{printable(key[:_SHOWN])} = {shown(each, deep=False)}" for key, each in few]
            return f"{{{', '.join([*inner, *_more(value, inner)])}}}"
        case _:
            return f"{value!s:.{_SHOWN}}"


def _more(whole: Sized, shown: Sized) -> list[str]:
    return ["…"] if len(whole) > len(shown) else []
