"""The other end of the control socket: JSON over HTTP, for short programs."""

from __future__ import annotations

import http.client
import json
import socket
from typing import TYPE_CHECKING, Any

from speaker.errors import SpeakerError

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT = 60.0


class NotServedError(SpeakerError):
    """No watchdog serves the socket."""


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


def ask(path: Path, method: str, target: str, body: Any = None, timeout: float = TIMEOUT) -> Any:
    """Ask the watchdog that serves a socket, and return its answer as JSON values.

    Raises:
        NotServedError: nobody serves it.
        RefusedError: it may not be used, or the watchdog refused.
        OutcomeUnknownError: no answer came.
    """
    connection = _Connection(path, timeout)
    try:
        connection.connect()
    except (FileNotFoundError, ConnectionRefusedError) as error:
        connection.close()
        raise NotServedError(f"control: {path}: no watchdog runs here") from error
    except OSError as error:
        connection.close()
        raise RefusedError(
            f"control: {path}: {error.strerror or error}; you must be its owner, or in its group"
        ) from error
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
