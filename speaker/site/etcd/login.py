"""Owns who this machine is to etcd's users: the password, read when it is needed, and the token that is had for it.

A token lasts minutes, and a member that was started since knows none: who is refused for it logs in again, once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from speaker.files import bounded
from speaker.printable import printable
from speaker.site.base import EtcdRefusedError
from speaker.site.etcd import answers
from speaker.site.etcd.errors import NoLoginError, TokenError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from typing import TypeVar

    from speaker.site.etcd.member import MemberClient

    T = TypeVar("T")

MAX_PASSWORD = 4096
"""Bytes of the file."""


class Login:
    """A user, or none.

    Args:
        user: its name.
        password_file: the file whose first line is the password.
    """

    def __init__(self, user: str | None, password_file: Path | None) -> None:
        self._user, self._file = user, password_file
        self._token: str | None = None if user else ""
        self._locks: dict[MemberClient, asyncio.Lock] = {}

    async def asking(self, member: MemberClient, ask: Callable[[str], Awaitable[T]]) -> T:
        """Return what a member answers, asked with a token; with another one where the first is refused.

        Args:
            member: whom to ask.
            ask: asks it, with a token.

        Raises:
            EtcdRefusedError: it refuses this user.
            EtcdError: as `ask` does.
        """
        token = await self._get(member, stale=None)
        try:
            return await ask(token)
        except TokenError as error:
            if not self._user:
                raise EtcdRefusedError(f"{error}; set site.user and site.password_file") from error
        token = await self._get(member, stale=token)
        try:
            return await ask(token)
        except TokenError as error:
            raise EtcdRefusedError(f"refused just after login: {error}") from error

    def forget(self) -> None:
        """Log in when something is asked next.

        A token has in it at which step of the cluster it was given, and a member that is not there yet says nothing: one of a
        cluster that was restored from a copy would wait for ever for a step that does not come.
        """
        if self._user:
            self._token = None

    async def _get(self, member: MemberClient, stale: str | None) -> str:
        """Return the token: another one than a stale one."""
        if self._token is not None and self._token != stale:
            return self._token
        # Not one lock for all: a member that hangs would keep it.
        async with self._locks.setdefault(member, asyncio.Lock()):
            if self._token is not None and self._token != stale:
                return self._token
            self._token = await self._log_in(member)
            return self._token

    async def _log_in(self, member: MemberClient) -> str:
        password = await asyncio.to_thread(self._password)
        try:
            said = await member.ask(
                "/v3/auth/authenticate", {"name": self._user, "password": password}
            )
        except NoLoginError:
            return ""  # it has no users, and asks nobody who he is
        return answers.token(said)

    def _password(self) -> str:
        """Read the password. It waits."""
        assert self._file is not None  # noqa: S101 - vip.toml has both, or none
        try:
            text = bounded.read(self._file, MAX_PASSWORD).decode()
        except OSError as error:
            raise EtcdRefusedError(
                f"site.password_file: {printable(str(self._file))}: {error.strerror}; have it readable"
            ) from error
        except UnicodeDecodeError as error:
            raise EtcdRefusedError(
                f"site.password_file: {printable(str(self._file))}: is not UTF-8; write it again"
            ) from error
        return text.partition("\n")[0].rstrip("\r")
