"""The other end of the control socket: JSON over HTTP, for short programs."""

from __future__ import annotations

import http.client
import json
import socket
import time
from typing import TYPE_CHECKING, Any

from speaker.errors import SpeakerError

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT = 60.0
AGAIN = 0.05
"""How often to try while nobody serves the socket, in seconds."""


class NotServedError(SpeakerError):
    """No watchdog serves the socket: none runs, or one that can't make it, or has not made it again yet."""


class RefusedError(SpeakerError):
    """The watchdog could not be asked, or refused the request. Nothing was changed."""


class OutcomeUnknownError(SpeakerError):
    """The request was sent and no answer to it came: it may have been done."""


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _connected(path: Path, timeout: float, patience: float) -> _Connection:
    until = time.monotonic() + patience
    while True:
        connection = _Connection(path, timeout)
        try:
            connection.connect()
        except (FileNotFoundError, ConnectionRefusedError) as error:
            connection.close()
            if time.monotonic() >= until:
                raise NotServedError(f"control: {path}: no vip_watchdog serves it") from error
            time.sleep(AGAIN)
        except OSError as error:
            connection.close()
            raise RefusedError(
                f"control: {path}: {error.strerror or error}; you must be its owner, or in its group"
            ) from error
        else:
            return connection


def ask(
    path: Path,
    method: str,
    target: str,
    body: Any = None,
    *,
    timeout: float = TIMEOUT,
    patience: float = 0.0,
) -> Any:
    """Ask the watchdog that serves a socket, and return its answer as JSON values.

    Args:
        path: the socket.
        method: of HTTP.
        target: the question.
        body: JSON values that go with it.
        timeout: how long an answer may take, in seconds.
        patience: how long to try while nobody serves the socket, in seconds.

    Raises:
        NotServedError: nobody serves it.
        RefusedError: it may not be used, or the watchdog refused.
        OutcomeUnknownError: no answer came.
    """
    connection = _connected(path, timeout, patience)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, target, text, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        raise OutcomeUnknownError(
            f"control: {path}: {str(error) or type(error).__name__}; whether it was done is unknown, "
            "see vip_mgmt status"
        ) from error
    finally:
        connection.close()
    if response.status != http.client.OK:
        message = answer.get("error", answer) if isinstance(answer, dict) else answer
        if response.status == http.client.SERVICE_UNAVAILABLE:  # too many ask
            raise OutcomeUnknownError(str(message))
        raise RefusedError(str(message))
    return answer
