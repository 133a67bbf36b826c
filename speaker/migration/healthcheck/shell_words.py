"""The command of a check, which healthcheck gives to a shell, as the words of a program: where it needs no shell. Pure."""

from __future__ import annotations

import re
import shlex

from speaker.migration.bgpd_conf.statement import MigrationError

_ACTIVE = frozenset("|&;<>()$`*?[\n\r")
"""What a shell does something for, outside of quotes, or does not as `shlex` does; in double quotes `$` and the backquote are left."""
_BRACES = re.compile(r"\{[^\s{}]*(?:,|\.\.)")
"""What becomes several words, where /bin/sh is bash."""
_AT_START = frozenset("#~")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_RESERVED = frozenset(
    "! { } case do done elif else esac fi for if in then until while . : alias bg cd command eval exec exit "
    "export fg getopts hash jobs read readonly return set shift source times trap type ulimit umask unalias unset wait".split()
)
"""What is no program: reserved words, and commands of the shell itself (POSIX XCU 2.4, 2.14, 1.6)."""


def words_of(command: str) -> tuple[str, ...]:
    """Return the words of a command, as a shell would give them to the program.

    Raises:
        MigrationError: it is empty or not whole, or only a shell can run it; says what.
    """
    if active := _active(command):
        raise MigrationError(f"{active} needs a shell; {_SCRIPT}")
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise MigrationError(f"{error}; correct it") from error
    if not words:
        raise MigrationError("is empty; name a program")
    if words[0] in _RESERVED or _ASSIGNMENT.match(words[0]):
        raise MigrationError(f"{words[0]!r} needs a shell; {_SCRIPT}")
    return tuple(words)


_SCRIPT = "put the command into a script, and name the script's absolute path"


def _active(command: str) -> str:
    """Return the first thing that only a shell does; nothing where there is none."""
    quoted, escaped, start = "", False, True
    for index, char in enumerate(command):
        begins, start = start, char in " \t\n" and not quoted
        if escaped:
            if char == "\n" or (quoted and char in "$`"):  # which `shlex` does not do
                return repr(char)
            escaped = False
        elif quoted == "'":
            quoted = "" if char == "'" else quoted
        elif char == "\\":
            escaped = True
        elif quoted:
            if char in "$`":
                return repr(char)
            quoted = "" if char == '"' else quoted
        elif char in "\"'":
            quoted = char
        elif char in _ACTIVE or (begins and char in _AT_START) or _BRACES.match(command, index):
            return repr(char)
    return ""
