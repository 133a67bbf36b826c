"""vip.toml as a file: where it is, whether it may be obeyed, and its tables, which are not validated yet.

Nothing that is slow to import is needed for that: vip_mgmt asks before it knows more.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import tomllib
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from speaker.errors import SpeakerError
from speaker.files import trusted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_PATH = "/etc/vip-speaker/vip.toml"
DEFAULT_CONTROL = "/run/vip-speaker/control.sock"
DEFAULT_READ = "read.sock"
"""In the directory of the control socket."""
BESIDE = "beside.sock"
"""In the same directory: where a second ExaBGP's process is asked."""
DEFAULT_BACKEND: Final = "exabgp"
MAX_SIZE = 1 << 24
"""Bytes: a file of 30,000 VIPs has four million."""
NODE_LINES = 1000
"""How many lines are read one by one for [node], which has twenty."""
MAX_DEPTH = 16
"""Tables and lists within each other: vip.toml's deepest are five."""
# A key of many parts costs the parser time with the square of their number, and then every reader
# of its tables a call for each. A text in quotes is one part.
_PART = r"""(?:(?<![\w-])[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(rf"{_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{64}}")
_TOO_DEEP = f"tables or lists more than {MAX_DEPTH} deep; no key of vip.toml is"
_VIPS = re.compile(rb"""^[ \t]*+(?:\[[ \t]*+)?(?:vip|"vip"|'vip')[ \t]*+[.=\]]""", re.MULTILINE)
"""Where the VIPs begin: the header of their first table, or a key that is theirs."""
_SITE = re.compile(rb"""^[ \t]*+(?:\[[ \t]*+)?(?:site|"site"|'site')[ \t]*+[.=\]]""", re.MULTILINE)
_TABLE = re.compile(rb"[ \t]*+\[")
_WHOLE = re.compile(rb"[^#]*\][ \t]*+(?:#.*)?$")
_NODE = re.compile(rb"""[ \t]*+\[[ \t]*+(?:node|"node"|'node')[ \t]*+\][ \t]*+(?:#.*)?$""")
FROM_ENVIRONMENT = (("dc", "VIP_DC"), ("backend", "VIP_BACKEND"))
"""Keys of [node], and the variables of the environment that beat them."""


class VipTomlError(SpeakerError):
    """The file can't be read, may not be obeyed, or is not TOML."""


def find(option: str | None, environ: Mapping[str, str]) -> Path:
    """Return the file's path: the option, else $VIP_CONFIG, else /etc/vip-speaker/vip.toml."""
    return Path(option or environ.get("VIP_CONFIG") or DEFAULT_PATH)


def digest(content: bytes) -> str:
    """Return what tells a file's content from any other."""
    return hashlib.sha256(content).hexdigest()


def content(path: Path, *, obeyed: bool) -> bytes:
    """Read the file, whose size is bounded.

    Args:
        path: the file.
        obeyed: whether what it says is done: root then refuses a file that others may change.

    Raises:
        VipTomlError: it can't be read, or may not be obeyed.
    """
    try:
        if path.is_dir():  # whose rights are not what is wrong
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if obeyed:  # before it is opened, too: another user's pipe would be waited for
            trusted.check(path, os.geteuid())
        with path.open("rb") as file:
            if obeyed:
                trusted.check_open(path, file.fileno(), os.geteuid())
            found = file.read(MAX_SIZE + 1)
    except trusted.UntrustedError as error:
        raise VipTomlError(str(error)) from error
    except OSError as error:
        raise VipTomlError(f"{error.strerror}; name the file with --config") from error
    if len(found) > MAX_SIZE:
        raise VipTomlError(f"more than {MAX_SIZE} bytes; is this vip.toml?")
    return found


def _plain(why: str) -> str:
    """Return what the parser says, with keys that it names as Python has them as they are written in a file."""
    return re.sub(r"\((?:'[^']*',? ?)+\)", _as_key, why)


def _as_key(found: re.Match[str]) -> str:
    parts = re.findall(r"'([^']*)'", found[0])
    return ".".join(part if re.fullmatch(r"[\w-]+", part) else f'"{part}"' for part in parts)


def parsed(text: bytes, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the tables of a file's content. `$VIP_DC` and `$VIP_BACKEND` beat `[node]`.

    Raises:
        VipTomlError: it is not TOML, or deeper than any vip.toml.
    """
    try:
        document = tomllib.loads(_bounded(text.decode("utf-8")))
    except UnicodeDecodeError as error:
        raise VipTomlError(f"byte {error.start}: not UTF-8; TOML must be") from error
    except (ValueError, RecursionError) as error:  # a number too long, or tables too deep
        raise VipTomlError(f"not TOML: {_plain(str(error))}") from error
    if _depth(document) > MAX_DEPTH:
        raise VipTomlError(_TOO_DEEP)
    node = document.setdefault("node", {})
    if isinstance(node, dict):
        for name, variable in FROM_ENVIRONMENT:
            if environ.get(variable):
                node[name] = environ[variable]
    return document


def head(text: bytes, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the tables that stand before the VIPs, which are nearly all of the file.

    A table that is whole there is not continued behind: TOML has each once. See `parsed`.

    Raises:
        VipTomlError: they are no TOML without what follows, or at all.
    """
    vips = _VIPS.search(text)
    return parsed(text if vips is None else text[: vips.start()], environ)


def may_have_site(text: bytes) -> bool:
    """Tell whether a file may have a table [site]: a line that looks so may be within a text."""
    return _SITE.search(text) is not None


def node_of(text: bytes) -> dict[str, Any]:
    """Return [node] of a file that may be no TOML: then each of its lines that is, by itself, and that is there once."""
    for read in (parsed, head):
        with suppress(VipTomlError):
            node = read(text, {})["node"]
            if node:
                return node if isinstance(node, dict) else {}
    found: dict[str, list[Any]] = {}
    for line in islice(_node_lines(text), NODE_LINES):
        with suppress(VipTomlError):
            node = parsed(line, {})["node"]
            for name, value in node.items() if isinstance(node, dict) else ():
                found.setdefault(name, []).append(value)
    return {name: values[0] for name, values in found.items() if len(values) == 1}


def _node_lines(text: bytes) -> Iterator[bytes]:
    """Yield the lines of [node], and those of no table, where it may stand, too: each as one of a whole file."""
    before: bytes | None = b""
    for line in text.splitlines():
        if _TABLE.match(line):
            is_whole, is_node = _WHOLE.match(line), _NODE.match(line)
            before = b"node." if is_node else None if is_whole else b""
        elif before is not None:
            yield before + line.lstrip()


def _bounded(text: str) -> str:
    """Return the file's text, whose keys are bounded before anything parses them."""
    if (found := _LONG_KEY.search(text)) is not None:
        line = text.count("\n", 0, found.start()) + 1
        raise VipTomlError(f"line {line}: {_TOO_DEEP}")
    return text


def _depth(document: dict[str, Any]) -> int:
    """Return how deep tables and lists stand in each other, by no recursion of our own."""
    depth, level = 0, [*document.values()]
    while level:
        depth += 1
        level = [
            inner
            for value in level
            if isinstance(value, (dict, list))
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
    return depth
