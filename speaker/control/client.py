"""The other end of the control socket: JSON over HTTP, for short programs."""

from __future__ import annotations

import http.client
import json
import os
import socket
import struct
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from speaker.control.identity import name_of
from speaker.errors import SpeakerError
from speaker.printable import printable_json, reason

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TIMEOUT = 60.0
EACH = 0.01
"""Seconds more for each prefix that is to change: a daemon needs a thousandth, on an idle machine."""
MAX_ANSWER = 1 << 28
"""Bytes: an explanation of 100,000 prefixes has half as many."""
SUDO_USER = "Sudo-User"
"""The header in which root says who became it by sudo."""
AGAIN = 0.05
"""How often to try while no process serves the socket, in seconds."""


class NotServedError(SpeakerError):
    """No watchdog serves the socket: none runs, or one that can't make it, or has not made it again yet."""


class RefusedError(SpeakerError):
    """The watchdog could not be asked, or refused the request. Nothing was changed."""

    status: int | None = None
    """The status of HTTP with which it was refused, None where it could not be asked."""

    @property
    def is_not_known(self) -> bool:
        """Whether the watchdog does not know the question: it is older. What it knows of and does not find, it names in words of its own."""
        return self.status == http.client.NOT_FOUND and str(self).endswith("Not Found")


class OutcomeUnknownError(SpeakerError):
    """The request was sent and no answer to it came: it may have been done."""


class BusyError(OutcomeUnknownError):
    """Too many ask there, or it hung up: another socket may have room."""


class _Socket(socket.socket):
    """A unix socket that is read for so long in all, in whatever pieces the other end writes."""

    def __init__(self, within: float) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM)
        self._began, self.within = time.monotonic(), within
        self.settimeout(within)

    def recv_into(self, *arguments: Any) -> int:
        """Receive what is there, until the deadline."""
        left = self._began + self.within - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self.settimeout(left)
        return super().recv_into(*arguments)


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost")
        self.path = path
        self._within = timeout

    def connect(self) -> None:
        self.sock = self.socket = _Socket(self._within)
        self.sock.connect(str(self.path))


def _bounded(response: http.client.HTTPResponse) -> bytes:
    content = response.read(MAX_ANSWER + 1)
    if len(content) > MAX_ANSWER:
        raise ValueError(f"an answer of more than {MAX_ANSWER} bytes")
    return content


def _connected(paths: Sequence[Path], timeout: float, patience: float) -> _Connection:
    """Return a connection to the first of some sockets that can be used."""
    until = time.monotonic() + patience
    while True:
        barred: list[SpeakerError] = []
        strangers: list[SpeakerError] = []
        for path in paths:
            connection = _Connection(path, timeout)
            try:
                connection.connect()
                stranger = _stranger(connection)
            except (FileNotFoundError, ConnectionRefusedError):
                connection.close()
            except (
                BlockingIOError
            ):  # as many wait as the kernel lets: it is served, and has no time
                connection.close()
                why = "more wait than may; vip_watchdog does not accept them"
                barred.append(OutcomeUnknownError(f"control: {path}: {why}"))
            except OSError as error:
                connection.close()
                why = f"{error.strerror or error}; you must be its owner, or in its group"
                barred.append(RefusedError(f"control: {path}: {why}"))
            else:
                if not stranger:
                    return connection
                connection.close()
                strangers.append(NotServedError(f"control: {path}: {stranger}"))
        if len(barred) == len(paths) or time.monotonic() >= until:
            nobody = NotServedError(f"control: {paths[-1]}: no vip_watchdog serves it")
            raise (*barred, *strangers, nobody)[0]
        time.sleep(AGAIN)


def _stranger(connection: _Connection) -> str:
    """Return what is wrong with who serves a socket, in words; nothing where that may be a watchdog.

    The operators, who may put a socket in the place of the watchdog's, could say that a drain was done.
    In a directory of root's, it is not known which of its group the watchdog is.
    """
    owner = connection.path.parent.stat().st_uid
    found = connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", found)
    if owner == 0 or user in {0, owner, os.geteuid()}:
        return ""
    return (
        f"{name_of(user)} serves it, and not {name_of(owner)}, whose directory it is in: no vip_watchdog; "
        "end that process"
    )


def timeout_for(prefixes: int) -> float:
    """Return how long an answer may take that says what became of that many prefixes, in seconds."""
    return TIMEOUT + EACH * prefixes


class SentRequest:
    """A request that was sent; its answer is to come."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def answer(self, within: float | None = None) -> Any:
        """Return the answer as JSON values, fit to be printed.

        Args:
            within: how long all may take since it was sent, in seconds, where that was not known then.

        Raises:
            RefusedError: the watchdog refused.
            OutcomeUnknownError: no answer came, or one that is too long. BusyError: or there was no room.
        """
        connection = self._connection
        try:
            if within is not None:
                connection.socket.within = within
            response = connection.getresponse()
            answer = printable_json(json.loads(_bounded(response)))
        except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
            raise _unknown(connection, error) from error
        finally:
            connection.close()
        if response.status != http.client.OK:
            message = answer.get("error", answer) if isinstance(answer, dict) else answer
            if response.status == http.client.SERVICE_UNAVAILABLE:  # too many ask
                raise BusyError(str(message))
            refused = RefusedError(str(message))
            refused.status = response.status
            raise refused
        return answer


def _why(error: Exception) -> str:
    """Return why there is no answer, in words; of what is no answer of a watchdog, none of its parser's."""
    match error:
        case http.client.HTTPException() if not isinstance(error, OSError):
            return "what came is not HTTP"
        case json.JSONDecodeError() | UnicodeError() | RecursionError():
            return "what came is not JSON"
        case _:
            return reason(error)


def _unknown(connection: _Connection, error: Exception) -> OutcomeUnknownError:
    hung_up = isinstance(error, ConnectionError)
    return (BusyError if hung_up else OutcomeUnknownError)(
        f"control: {connection.path}: {_why(error)}; whether it was done is "
        "unknown, see vip_mgmt status"
    )


class HowToAsk(TypedDict, total=False):
    """How to ask, where that is not as usual.

    Attributes:
        instead: the socket to ask where the first one is not there, or may not be used.
        timeout: how long all of it may take, in seconds.
        patience: how long to try while no process serves the socket, in seconds.
        sudo_user: who became root by sudo, where that is so.
    """

    instead: Path | None
    timeout: float
    patience: float
    sudo_user: str


def send(
    path: Path, method: str, target: str, body: Any = None, **how: Unpack[HowToAsk]
) -> SentRequest:
    """Ask the watchdog that serves a socket, and do not wait for its answer. See `ask`."""
    instead = how.get("instead")
    paths = [path] if instead is None else [path, instead]
    connection = _connected(paths, how.get("timeout", TIMEOUT), how.get("patience", 0.0))
    try:
        text = None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json", SUDO_USER: how.get("sudo_user", "")}
        # Who has no room says so before it is asked, and hangs up.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, target, text, headers)
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        connection.close()
        raise _unknown(connection, error) from error
    return SentRequest(connection)


def ask(path: Path, method: str, target: str, body: Any = None, **how: Unpack[HowToAsk]) -> Any:
    """Ask the watchdog that serves a socket, and return its answer as JSON values, fit to be printed.

    Args:
        path: the socket.
        method: of HTTP.
        target: the question.
        body: JSON values that go with it.
        how: see `HowToAsk`.

    Raises:
        NotServedError: no process serves it.
        RefusedError: it may not be used, or the watchdog refused.
        OutcomeUnknownError: no answer came, or one that is too long. BusyError: or there was no room.
    """
    return send(path, method, target, body, **how).answer()
