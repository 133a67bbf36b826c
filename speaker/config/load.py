"""vip.toml -> Topology and Settings, or every fault in it at once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speaker import units
from speaker.config.build import FaultsError, build
from speaker.config.fault import Fault
from speaker.config.settings import ConfigFile
from speaker.config.validate import form
from speaker.errors import SpeakerError
from speaker.files import vip_toml
from speaker.files.vip_toml import DEFAULT_CONTROL, DEFAULT_READ, digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from speaker.config.schema import Document
    from speaker.config.settings import Config


_OF_A_MACHINE = frozenset({"node", "backend", "metrics", "events", "api"})
"""Tables that may differ from machine to machine of a site."""


class ConfigError(SpeakerError):
    """The configuration was refused. `faults` says all that is wrong, each with the path of its key."""

    def __init__(self, path: Path, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(f"configuration: {path}: {fault}" for fault in self.faults))

    @classmethod
    def of_file(cls, path: Path, message: str) -> ConfigError:
        """Return the error of a file that can't be read, or is not TOML."""
        return cls(path, (Fault((), message),))


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
    document = _parsed(path, content, environ)
    of_site = _digest_of_site(document)
    try:
        config = build(form(document), allow_ties=allow_ties)
    except FaultsError as error:
        raise ConfigError(path, error.faults) from None
    return replace(config, file=ConfigFile(path, digest(content), of_site))


def _digest_of_site(document: Mapping[str, Any]) -> str:
    """Return what tells what a file says of a whole site from any other; nothing where it has no `[site]`.

    What may differ from machine to machine is left out. The order of tables counts: that of data centres has a meaning.
    """
    if not isinstance(site := document.get("site"), dict):
        return ""
    of_all = {name: table for name, table in document.items() if name not in _OF_A_MACHINE}
    of_all["site"] = {key: value for key, value in site.items() if key != "machine"}
    return hashlib.sha256(json.dumps(of_all, default=str).encode()).hexdigest()[:16]


def sockets_in(path: Path) -> tuple[Path, Path]:
    """Return `read` and `control` of a file that has faults elsewhere, as far as it can be read; else the usual ones."""
    named = _node_of(path)
    control = _socket(named.get("control")) or Path(DEFAULT_CONTROL)
    return _socket(named.get("read")) or control.with_name(DEFAULT_READ), control


def _socket(text: object) -> Path | None:
    """Return the path of a socket that a text is; None where it can't be one."""
    if not isinstance(text, str) or not text.isprintable():
        return None
    path = Path(text)
    return path if path.is_absolute() and path.name else None


def resolver_in(path: Path) -> units.Endpoint | None:
    """Return `resolver` of a file that has faults elsewhere, as far as it can be read; None for the system's."""
    text = _node_of(path).get("resolver")
    try:
        return units.endpoint(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _node_of(path: Path) -> Mapping[str, Any]:
    try:
        return vip_toml.node_of(vip_toml.content(path, obeyed=True))
    except vip_toml.VipTomlError:
        return {}


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
    try:
        return vip_toml.content(path, obeyed=obeyed)
    except vip_toml.VipTomlError as error:
        raise ConfigError.of_file(path, str(error)) from error


def _parsed(path: Path, content: bytes, environ: Mapping[str, str]) -> dict[str, Any]:
    try:
        return vip_toml.parsed(content, environ)
    except vip_toml.VipTomlError as error:
        raise ConfigError.of_file(path, str(error)) from error
