"""The other end of the control socket: what it makes of whoever answers, or does not."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from speaker.control import client
from speaker.control.client import BusyError, NotServedError, OutcomeUnknownError, RefusedError
from tests.support.lab.installed import NOBODY
from tests.support.lab.requirements import require
from tests.support.lab.user import nobody, reachable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def whole_request(connection: socket.socket) -> bytes:
    """Return one request with its body, which comes in a piece of its own."""
    text = b""
    while True:
        head, end, body = text.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: ([0-9]+)", head)
        if end and len(body) == (int(length[1]) if length else 0):
            return text
        text += connection.recv(1 << 16)


@contextmanager
def answering(path: Path, answer: bytes, *, then: str = "close") -> Iterator[list[bytes]]:
    """Serve one caller with these bytes; then close, or stay silent. Yields what it asked."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    done = threading.Event()
    asked: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            asked.append(whole_request(connection))
            connection.sendall(answer)
            if then == "silence":
                done.wait(5)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield asked
    finally:
        done.set()
        thread.join()
        listener.close()


def response(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


def test_answer(path: Path) -> None:
    """An answer is JSON values, whatever they are; the question is HTTP with a JSON body."""
    with answering(path, response(b'[{"a": null}]')) as asked:
        assert client.ask(path, "POST", "/intents", {"reason": "ü"}) == [{"a": None}]
    head, _, body = asked[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /intents HTTP/1.1\r\n")
    assert json.loads(body) == {"reason": "ü"}


def test_not_served(path: Path) -> None:
    """Where there is no socket, or nobody behind it, no watchdog runs."""
    with pytest.raises(NotServedError, match="no vip_watchdog serves it"):
        client.ask(path, "GET", "/status")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with pytest.raises(NotServedError, match=f"control: {path}: no vip_watchdog serves it"):
        client.ask(path, "GET", "/status")


def test_more_wait_than_may(path: Path) -> None:
    """A socket that is served by a watchdog that accepts no one is no refusal: what to do is recorded then."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(path))
        listener.listen(0)
        with suppress(BlockingIOError):
            while True:
                waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
                waiting.settimeout(0)
                waiting.connect(str(path))
        with pytest.raises(OutcomeUnknownError, match="more wait than may"):
            client.ask(path, "GET", "/status")


def test_refused(path: Path) -> None:
    """What the watchdog refuses is said in its words."""
    with (
        answering(path, response(b'{"error": "no such prefix"}', "400 Bad Request")),
        pytest.raises(RefusedError, match=r"^no such prefix$"),
    ):
        client.ask(path, "POST", "/intents", {})


@pytest.mark.parametrize("body", [b'{"other": 1}', b"[]", b"null", b'"text"'])
def test_refused_in_other_words(path: Path, body: bytes) -> None:
    """A refusal of another form is shown as it is."""
    with answering(path, response(body, "500 No")), pytest.raises(RefusedError):
        client.ask(path, "GET", "/status")


@pytest.mark.parametrize(
    "path_text", ["/proc/1/nowhere/control.sock", "x" * 200, "control.sock/below"]
)
def test_unusable(tmp_path: Path, path_text: str) -> None:
    """A path that can't be used is named, with why."""
    (tmp_path / "control.sock").touch()
    with pytest.raises((NotServedError, RefusedError)) as caught:
        client.ask(tmp_path / path_text, "GET", "/status")
    assert "None" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"done\n",
        b"\x00\xff" * 100,
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[",
        b"HTTP/1.1 999999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"x" * 100_000,
        response(b""),
        response(b"<html>"),
        response(b"\xff"),
        response(b"[" * 100_000),
    ],
    ids=lambda answer: repr(answer[:40]),
)
def test_garbage(path: Path, answer: bytes) -> None:
    """An answer that is not understood leaves the outcome unknown, and says so."""
    with (
        answering(path, answer),
        pytest.raises(
            OutcomeUnknownError, match="whether it was done is unknown, see vip_mgmt"
        ) as said,
    ):
        client.ask(path, "POST", "/intents", {}, timeout=5)
    assert not {"Expecting", "codec", "chunk", "recursion", "Incomplete"} & {
        *str(said.value).split()
    }


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[1"])
def test_silence(path: Path, answer: bytes) -> None:
    """A watchdog that does not answer in time leaves the outcome unknown."""
    with (
        answering(path, answer, then="silence"),
        pytest.raises(OutcomeUnknownError, match="timed out"),
    ):
        client.ask(path, "POST", "/intents", {}, timeout=0.05)


def test_drops(path: Path) -> None:
    """An answer that comes in drops has no more time than any other: the time is for all of it."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    gone = threading.Event()

    def drip() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not gone.wait(0.05):
                connection.sendall(b" ")

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        with pytest.raises(OutcomeUnknownError, match="timed out"):
            client.ask(path, "GET", "/status", timeout=0.5)
    finally:
        gone.set()
        thread.join()
        listener.close()


def test_too_long(path: Path) -> None:
    """An answer that is longer than any can be is not read to its end."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {client.MAX_ANSWER * 4}\r\n\r\n".encode()
    with (
        answering(path, head + b" " * (client.MAX_ANSWER + 1)),
        pytest.raises(OutcomeUnknownError, match="an answer of more than"),
    ):
        client.ask(path, "GET", "/status")


def test_what_acts_on_a_terminal(path: Path) -> None:
    """Every text of an answer is made fit to be printed, errors too."""
    with answering(path, response(json.dumps([{"reason": "\x1b[2J\n"}]).encode())):
        assert client.ask(path, "GET", "/plan") == [{"reason": r"\x1b[2J\n"}]


def test_time_for_thousands() -> None:
    """An answer about thousands may take ten times what ExaBGP needs on an idle machine, and more."""
    change, tell = (
        3.4,
        2.3,
    )  # seconds for 10,000, as docs/decisions/one-command-in-flight.md has them
    assert client.timeout_for(10_000) > 10 * (change + tell)
    assert client.timeout_for(1) == pytest.approx(client.TIMEOUT, abs=1.0)


def test_refused_before_it_was_asked(path: Path) -> None:
    """Who has no room says so and hangs up, whatever of a question is still on its way."""
    busy = response(b'{"error": "control: busy"}', "503 Service Unavailable")
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(path))
        listener.listen()

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1)
                connection.sendall(busy)

        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(BusyError, match=r"^control: busy$"):
            client.ask(path, "POST", "/explain", ["x" * (1 << 22)])
        thread.join()


def test_a_stranger_serves_it() -> None:
    """What another user serves in the directory of the watchdog's is not asked: it could say that a drain was done."""
    require()
    with reachable(0o755) as folder, closing(socket.socket(socket.AF_UNIX)) as listener:
        path = folder / "control.sock"
        listener.bind(str(path))
        os.chown(folder, NOBODY + 1, -1)
        path.chmod(0o666)
        with nobody():  # the kernel tells who listens
            listener.listen()
        with pytest.raises(NotServedError, match="serves it, and not"):
            client.ask(path, "POST", "/intents", {}, timeout=1.0)
