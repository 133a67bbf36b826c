"""Finds programs, users, groups and files that vip.toml names and this machine lacks: what asks by them stays unknown for ever.

What the user who asks may not look at is noted: vip_watchdog may be allowed to.
"""

from __future__ import annotations

import grp
import pwd
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

from policy.intent import timestamp
from policy.lint.finding import Code, Finding
from speaker.check.checks import SOON
from speaker.check.report import Report
from speaker.config.settings_api import DEFAULT_TOKENS
from speaker.config.settings_checks import ExecCheck, GrpcCheck, HttpCheck
from speaker.control import tls, tokens
from speaker.files import bounded
from speaker.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speaker.config.settings import Config
    from speaker.config.settings_api import ApiSettings, ApiTls

Found = Finding | str
"""What is wrong, or what could not be looked at."""


def files(config: Config) -> Report:
    """Check that what vip.toml names on this machine is there."""
    found = [*_of_checks(config), *_of_events(config), *_of_api(config.settings.api)]
    if config.settings.read.group is not None:
        found += _group("node.read_group", config.settings.read.group)
    return Report(
        tuple(each for each in found if isinstance(each, Finding)),
        tuple(f"not checked: {each}" for each in found if isinstance(each, str)),
    )


def _of_checks(config: Config) -> Iterator[Found]:
    for name, check in config.settings.checks.items():
        match check.asks:
            case ExecCheck(words=(program, *_), user=user):
                yield from _program(f"check.{name}.exec", Path(program))
                if user is not None:
                    yield from _user(f"check.{name}.user", user)
            case HttpCheck(tls=own) | GrpcCheck(tls=own):
                named = {"ca": own.ca, "certificate": own.certificate, "key": own.key}
                for key, path in named.items():
                    if path is not None:
                        yield from _file(f"check.{name}.{key}", path)


def _of_events(config: Config) -> Iterator[Found]:
    if config.settings.events.exec:
        yield from _program("events.exec", Path(config.settings.events.exec[0]))


def _of_api(api: ApiSettings) -> Iterator[Found]:
    if not api.listen and not api.sockets:
        return
    if api.tls is not None:
        named = {
            "certificate": api.tls.certificate,
            "key": api.tls.key,
            "client_ca": api.tls.client_ca,
        }
        for key, path in named.items():
            if path is not None:
                yield from _file(f"api.{key}", path)
        yield from _certificate(api.tls)
    for key, name in {
        "api.group": api.group,
        **{f"api.tokens.{token}.group": own.group for token, own in api.tokens.items()},
    }.items():
        if name is not None:
            yield from _group(key, name)
    yield from _tokens(api)


def _certificate(shown: ApiTls) -> Iterator[Found]:
    """Yield that the certificate that callers are shown has expired, or soon will. One that can't be used is found at its start."""
    try:
        expires = tls.ends(shown)
    except OSError:
        return
    if expires < time.time() + SOON:
        found = (
            f"{shown.certificate} expires at {timestamp(expires)}"
            if expires
            else f"{shown.certificate} has expired"
        )
        yield Finding(Code.CERTIFICATE_EXPIRES, "api.certificate", found, "renew it")


def _tokens(api: ApiSettings) -> Iterator[Found]:
    """Yield what lacks where somebody can be known by a token alone, or a file is named."""
    alone = [name for name, own in api.tokens.items() if own.certificate is None and own.group is None]  # fmt: skip
    if not alone and api.tokens_file == DEFAULT_TOKENS:
        return
    unread = [*_file("api.tokens_file", api.tokens_file, Code.TOKENS_FILE)]
    yield from unread
    if unread:
        return
    content = tokens.read(api.tokens_file)
    if content.fault:
        what, _, remedy = content.fault.partition("; ")
        yield Finding(Code.TOKENS_FILE, "api.tokens_file", what, remedy or "correct it")
    for name in alone:
        if name not in content.names.values():
            found = f"{api.tokens_file} has no line of that name: nobody is known by it"
            remedy = f'add a line "{name} sha256:HASH" there, or remove the table'
            yield Finding(Code.TOKENS_LINE, f"api.tokens.{name}", found, remedy)


def _program(subject: str, path: Path) -> Iterator[Found]:
    remedy, shown = "install it, or correct its path", printable(str(path))
    try:
        mode = path.stat().st_mode
    except PermissionError as error:
        yield f"{subject}: {shown}: {error.strerror}; root may look"
    except OSError as error:
        yield Finding(Code.PROGRAM_MISSING, subject, f"{shown}: {error.strerror}", remedy)
    else:
        if not stat.S_ISREG(mode):
            yield Finding(Code.PROGRAM_MISSING, subject, f"{shown}: is not a program", remedy)
        elif not mode & 0o111:
            found = f"{shown}: mode {stat.S_IMODE(mode):04o}: nobody may run it"
            yield Finding(Code.PROGRAM_MISSING, subject, found, "chmod a+x it")


def _user(subject: str, name: str) -> Iterator[Found]:
    try:
        pwd.getpwnam(name)
    except KeyError:
        found = f"{printable(name)}: this machine has no such user"
        yield Finding(Code.USER_MISSING, subject, found, "make it, or correct user")


def _group(subject: str, name: str) -> Iterator[Found]:
    try:
        grp.getgrnam(name)
    except KeyError:
        found = f"{printable(name)}: this machine has no such group: nobody is let in by it"
        yield Finding(Code.GROUP_MISSING, subject, found, "make it, or correct its name")


def _file(subject: str, path: Path, code: Code = Code.FILE_MISSING) -> Iterator[Found]:
    try:
        with bounded.regular(path) as descriptor:
            bounded.read(descriptor)
    except PermissionError as error:
        yield f"{subject}: {path}: {error.strerror}; root may look"
    except OSError as error:
        yield Finding(
            code, subject, f"{path}: {error.strerror}", "put it there, or correct its path"
        )
