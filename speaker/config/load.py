"""vip.toml -> Topology and Settings, or every fault in it at once."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speaker.config.build import FaultsError, build
from speaker.config.fault import Fault
from speaker.config.schema import DEFAULT_CONTROL, DEFAULT_READ
from speaker.config.settings import ConfigFile
from speaker.config.validate import form
from speaker.errors import SpeakerError
from speaker.files import trusted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from speaker.config.schema import Document
    from speaker.config.settings import Config

DEFAULT_PATH = "/etc/vip-speaker/vip.toml"
MAX_SIZE = 1 << 24
"""Bytes: a file of 30,000 VIPs has four million."""
MAX_DEPTH = 16
"""Tables and lists within each other: vip.toml's deepest are five."""
# A key of many parts costs the parser time with the square of their number, and then every reader
# of its tables a call for each. A text in quotes is one part.
_PART = r"""(?:(?<![\w-])[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(rf"{_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{64}}")


class ConfigError(SpeakerError):
    """The configuration was refused. `faults` says all that is wrong, each with the path of its key."""

    def __init__(self, path: Path, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(f"configuration: {path}: {fault}" for fault in self.faults))

    @classmethod
    def of_file(cls, path: Path, message: str) -> ConfigError:
        """Return the error of a file that can't be read, or is not TOML."""
        return cls(path, (Fault((), message),))


def find(option: str | None, environ: Mapping[str, str]) -> Path:
    """Return the file's path: the option, else $VIP_CONFIG, else /etc/vip-speaker/vip.toml."""
    return Path(option or environ.get("VIP_CONFIG") or DEFAULT_PATH)


def load(
    path: Path, environ: Mapping[str, str], *, allow_ties: bool = False, obeyed: bool = True
) -> Config:
    """Read a configuration file. `$VIP_DC` and `$VIP_BACKEND` beat `[node]`.

    Args:
        path: the file.
        environ: the environment.
        allow_ties: take ranks whose prepends do not rise, to explain what they do. A topology
            that has them is never to be announced.
        obeyed: whether what it says is done: root then refuses a file that others may change.

    Raises:
        ConfigError: it can't be read, or has faults: all of them at once.
    """
    content = _content(path, obeyed=obeyed)
    try:
        config = build(form(_parsed(path, content, environ)), allow_ties=allow_ties)
    except FaultsError as error:
        raise ConfigError(path, error.faults) from None
    return replace(config, file=ConfigFile(path, digest(content)))


def digest(content: bytes) -> str:
    """Return what tells a file's content from any other."""
    return hashlib.sha256(content).hexdigest()


def sockets_in(path: Path) -> tuple[Path, Path]:
    """Return `read` and `control` of a file that has faults elsewhere, the usual ones where it has none."""
    try:
        node = _parsed(path, _content(path, obeyed=True), {})["node"]
    except ConfigError:
        node = {}
    named = node if isinstance(node, dict) else {}
    text = named.get("control")
    control = Path(text if isinstance(text, str) else DEFAULT_CONTROL)
    text = named.get("read")
    return Path(text) if isinstance(text, str) else control.with_name(DEFAULT_READ), control


@dataclass(frozen=True, slots=True)
class File:
    """A configuration file as it was written, and its form; its sense is not checked."""

    path: Path
    written: Mapping[str, Any]
    document: Document


def read(path: Path) -> File:
    """Read a configuration file, of whichever machine: `[node]` may be missing.

    Raises:
        ConfigError: it can't be read, or its form has faults: all of them at once.
    """
    written = _parsed(path, _content(path, obeyed=False), {})
    node = written["node"]
    if isinstance(node, dict):
        node.setdefault("dc", "")
    found = form(written)
    if found.faults:
        raise ConfigError(path, found.faults)
    return File(path, written, found.document)


def _content(path: Path, *, obeyed: bool) -> bytes:
    """Read the file, whose size is bounded."""
    try:
        with path.open("rb") as file:
            if obeyed:
                trusted.check_open(path, file.fileno(), os.geteuid())
            content = file.read(MAX_SIZE + 1)
    except trusted.UntrustedError as error:
        raise ConfigError.of_file(path, str(error)) from error
    except OSError as error:
        raise ConfigError.of_file(path, f"{error.strerror}; name the file with --config") from error
    if len(content) > MAX_SIZE:
        raise ConfigError.of_file(path, f"more than {MAX_SIZE} bytes; is this vip.toml?")
    return content


def _parsed(path: Path, content: bytes, environ: Mapping[str, str]) -> dict[str, Any]:
    try:
        document = tomllib.loads(_text(path, content))
    except UnicodeDecodeError as error:
        raise ConfigError.of_file(path, f"byte {error.start}: not UTF-8; TOML must be") from error
    except (ValueError, RecursionError) as error:  # a number too long, or tables too deep
        raise ConfigError.of_file(path, f"not TOML: {error}") from error
    if _depth(document) > MAX_DEPTH:
        raise ConfigError.of_file(path, _TOO_DEEP)
    node = document.setdefault("node", {})
    if isinstance(node, dict):
        for name, variable in (("dc", "VIP_DC"), ("backend", "VIP_BACKEND")):
            if environ.get(variable):
                node[name] = environ[variable]
    return document


_TOO_DEEP = f"tables or lists more than {MAX_DEPTH} deep; no key of vip.toml is"


def _text(path: Path, content: bytes) -> str:
    """Return the file's text, whose keys are bounded before anything parses them."""
    text = content.decode("utf-8")
    if (found := _LONG_KEY.search(text)) is not None:
        line = text.count("\n", 0, found.start()) + 1
        raise ConfigError.of_file(path, f"line {line}: {_TOO_DEEP}")
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
