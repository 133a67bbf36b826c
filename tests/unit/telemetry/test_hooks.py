"""Events reach a webhook and a program, in order and as JSON; what takes none, or hangs, costs no cycle anything."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import ssl
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from policy.intent import Intent, Mode
from speaker.reconcile.meter import SentEvents
from speaker.telemetry import hooks
from speaker.telemetry.hooks import TRIES, WAITING, Outbox
from speaker.telemetry.program import Program
from speaker.telemetry.sink import RefusedEventError, SinkError
from speaker.telemetry.webhook import Webhook, trusted
from tests.support.fakes import virtual_time
from tests.support.fakes.site import SECOND, V4, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

WITHIN = 60.0


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN):
        while not condition():  # noqa: ASYNC110 - what is waited for is another program's
            await asyncio.sleep(0.01)


@asynccontextmanager
async def taking(answers: list[int]) -> AsyncIterator[tuple[str, list[Any]]]:
    """Run a webhook that answers with these one after the other, then with 204; and have what it was sent."""
    taken: list[Any] = []

    async def take(request: web.Request) -> web.Response:
        status = answers.pop(0) if answers else 204
        if status < 300:
            taken.append(await request.json())
        return web.Response(
            status=status, headers={"Location": "/elsewhere"} if status == 302 else {}
        )

    application = web.Application()
    application.router.add_post("/hook", take)
    async with TestServer(application) as server:
        yield str(server.make_url("/hook?token=S3CRET")), taken


def test_what_happens_is_sent(tmp_path: Path) -> None:
    """A drain, what it withdraws, and an alarm with its end reach both, in order, with VIP and data centre."""
    out = tmp_path / "out"

    async def main() -> list[Any]:
        async with taking([]) as (url, taken):
            program = ["/bin/sh", "-c", f"cat >> {out}; echo >> {out}"]
            more = f"[events]\nwebhook = {json.dumps(url)}\nexec = {json.dumps(program)}\n"
            async with running(tmp_path, more=more) as site:
                task = asyncio.create_task(hooks.run(site.reconciler))
                await asyncio.sleep(0)
                intent = Intent(Mode.DRAINED, "alice", site.reconciler.clock.wall(), "disk full")
                await site.reconciler.operator.apply({SECOND: intent})
                site.reconciler.alarms.note("state", "full")
                site.reconciler.alarms.note("state", "")
                await until(lambda: len(taken) >= 4)
                await until(lambda: site.reconciler.meter.counts().sent["exec"].sent >= 4)
                assert site.reconciler.meter.counts().sent["webhook"] == SentEvents(4, 0, 0)
                task.cancel()
            return taken

    taken = asyncio.run(main())
    assert [(each["event"], each["prefix"], each["vip"], each["subject"]) for each in taken] == [
        ("drained", str(SECOND), "vip-2.tld", ""),
        ("withdrawn", str(SECOND), "vip-2.tld", ""),
        ("alarm", "", "", "state"),
        ("recovered", "", "", "state"),
    ]
    assert {each["dc"] for each in taken} == {"par1"}
    assert "disk full" in taken[0]["reason"]
    assert [json.loads(line) for line in out.read_text().splitlines()] == taken


def test_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is not taken is tried again, and none overtakes it; that it fails is said once, and no secret with it."""
    del tmp_path
    counts, said = SentEvents(), []

    async def main() -> list[Any]:
        async with taking([500, 429, 503]) as (url, taken):
            outbox = Outbox("webhook", counts, lambda _, text: said.append(text))
            for number in range(3):
                outbox.put(json.dumps(number).encode())
            task = asyncio.create_task(outbox.send_to(Webhook(url), first_pause=0.01))
            await until(lambda: counts.sent == 3)
            task.cancel()
            return taken

    assert asyncio.run(main()) == [0, 1, 2]
    assert said[0].startswith("127.0.0.1: HTTP 500; tried again")
    assert "S3CRET" not in str(said) + caplog.text
    assert counts == SentEvents(3, 0, 0)


@pytest.mark.parametrize("status", [302, 400, 404, 410])
def test_refused_for_good(status: int) -> None:
    """What a webhook refuses is lost and counted, no redirection is followed, and the next is sent."""
    counts = SentEvents()

    async def main() -> list[Any]:
        async with taking([status]) as (url, taken):
            with pytest.raises(RefusedEventError, match=r"correct events\.webhook") as caught:
                await Webhook(url).send(b"{}")
            assert "S3CRET" not in str(caught.value)
            outbox = Outbox("webhook", counts, lambda *_: None)
            outbox.put(b"1")
            task = asyncio.create_task(outbox.send_to(Webhook(url)))
            await until(lambda: counts.sent == 1)
            task.cancel()
            return taken

    assert asyncio.run(main()) == [1]


def test_nobody_there() -> None:
    """A webhook that can't be reached says so, and nothing of its URL but the host."""
    for url in ("http://127.0.0.1:9/S3CRET", "https://127.0.0.1:9/S3CRET"):
        with pytest.raises(SinkError, match=r"127\.0\.0\.1: not reached") as caught:
            asyncio.run(Webhook(url).send(b""))
        assert "S3CRET" not in str(caught.value)


def test_no_such_name() -> None:
    """A webhook whose name is not found says so, and where to look for what knows names."""
    with pytest.raises(SinkError, match=r": not reached: .*; see /etc/resolv\.conf$"):
        asyncio.run(Webhook("http://[fe80::1%25nosuch]/").send(b""))


@asynccontextmanager
async def saying(
    answer: bytes, *, times: int = 1, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Run a server that says bytes to whoever asks, many times over, and have what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked.append(await reader.readuntil(b"{}"))
            for _ in range(times):
                writer.write(answer)
                await writer.drain()
        except ConnectionError:
            pass  # it was told enough
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        host, port = server.sockets[0].getsockname()
        yield f"https://localhost:{port}/" if tls else f"http://{host}:{port}/S3CRET", asked


def test_the_request() -> None:
    """It is HTTP/1.1, whole, and says no more than it has to; interim answers are passed over."""

    async def main() -> None:
        answer = (
            b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\n\nHTTP/1.0 204\r\n"
        )
        async with saying(answer) as (url, asked):
            await Webhook(url).send(b"{}")
        head, _, body = asked[0].decode().partition("\r\n\r\n")
        assert body == "{}"
        first, *more = head.split("\r\n")
        assert first == "POST /S3CRET HTTP/1.1"
        assert f"Host: {url.split('/')[2]}" in more
        assert {"Content-Type: application/json", "Content-Length: 2"} <= {*more}

    asyncio.run(main())


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 5000, "no answer of HTTP"),
        (b"x" * 100_000, "no answer of HTTP"),
        (b"HTTP/1.1 103 x\r\n" + b"y" * 100_000, "no answer of HTTP"),
        (b"hello\nHTTP/1.1 200 OK\n", "no answer of HTTP"),
        (b"HTTP/1.1 2000 OK\n", "no answer of HTTP"),
        (b"", "no answer of HTTP"),
    ],
)
def test_answers_without_end(answer: bytes, why: str) -> None:
    """So much is read before there is a status, and no more."""

    async def main() -> None:
        async with saying(answer, times=10_000) as (url, _):
            with pytest.raises(SinkError, match=why) as caught:
                await Webhook(url).send(b"{}")
        assert "S3CRET" not in str(caught.value)

    asyncio.run(main())


def test_a_certificate_of_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, and nothing is sent; once it is trusted, all is."""
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -days 1"
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    files = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out"]
    subprocess.run(
        ["openssl", *words.split(), *files, certificate], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def main() -> None:
        async with saying(b"HTTP/1.1 204 No Content\r\n\r\n", tls=context) as (url, asked):
            hook = Webhook(url)
            with pytest.raises(SinkError, match="localhost: its certificate is not trusted"):
                await hook.send(b"{}")
            assert not asked
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            trusted.cache_clear()
            await hook.send(b"{}")
            assert len(asked) == 1

    try:
        asyncio.run(main())
    finally:
        trusted.cache_clear()


class Deaf:
    """Takes nothing."""

    def __init__(self) -> None:
        self.asked = 0

    async def send(self, event: bytes) -> None:
        del event
        self.asked += 1
        raise SinkError("deaf")


def test_lost(caplog: pytest.LogCaptureFixture) -> None:
    """More than may wait are lost, and so is what was tried for too long: counted, and no memory is used up."""
    del caplog
    counts = SentEvents()

    async def main() -> None:
        outbox, sink = Outbox("exec", counts, lambda *_: None), Deaf()
        for _ in range(WAITING + 7):
            outbox.put(b"{}")
        assert (counts.lost, counts.waiting) == (7, WAITING)
        task = asyncio.create_task(outbox.send_to(sink))
        async with asyncio.timeout(3600):
            while counts.lost == 7:  # noqa: ASYNC110 - in virtual time
                await asyncio.sleep(1)
        assert sink.asked >= TRIES
        task.cancel()

    virtual_time.run(main())
    assert counts.lost == 8


def test_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """That events are lost is one alarm, which is no event itself, however many are."""

    async def main() -> None:
        more = '[events]\nexec = ["/nowhere"]\n'
        async with running(tmp_path, more=more) as site:
            task = asyncio.create_task(hooks.run(site.reconciler))
            await asyncio.sleep(0)
            for number in range(WAITING + 50):
                site.reconciler.durable.listeners.tell(hooks_notice(number))
            await until(lambda: site.reconciler.alarms.subjects["hooks"])
            counts = site.reconciler.meter.counts().sent["exec"]
            assert counts.lost == 50
            assert counts.waiting == WAITING
            looks = site.source.looks
            await until(lambda: site.source.looks > looks)
            task.cancel()

    asyncio.run(main())
    assert caplog.text.count("hooks: ") == 1


def hooks_notice(number: int) -> Any:
    from speaker.reconcile.notices import Notice  # noqa: PLC0415 - of one test

    return Notice(time=float(number), event="announced", prefix=str(V4))


def test_a_program_that_hangs(tmp_path: Path) -> None:
    """What runs too long is killed, with all that it has started."""
    pids = tmp_path / "pids"
    words = ["/bin/sh", "-c", f"sleep 1000 & echo $! $$ > {pids}; wait"]

    async def main() -> None:
        with pytest.raises(SinkError, match="/bin/sh: killed after 1 s"):
            await Program(words, within=1.0).send(b"{}")
        await until(lambda: not any(map(lives, pids.read_text().split())))

    asyncio.run(main())


SEND = """
import asyncio
from speaker.telemetry.program import Program
from speaker.telemetry.sink import SinkError

async def main():
    words = ["/usr/bin/setpriv", "--reuid=65534", "--clear-groups", "/usr/bin/sleep", "1000"]
    program = Program(words, within=2.0)
    for _ in range(2):
        try:
            await program.send(b"{}")
        except SinkError as error:
            print(error)

asyncio.run(main())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_a_program_that_can_not_be_killed() -> None:
    """One that became another user, as with sudo, is given up, and said to run still; no other is started while it does."""
    without = ["/usr/bin/setpriv", "--bounding-set=-kill"]
    command = [*without, sys.executable, "-c", SEND]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    pids = re.findall(r"process (\d+) takes too long, and can't be killed: end it", ended.stdout)
    for pid in {*pids}:
        os.kill(int(pid), signal.SIGKILL)
    assert len(pids) == 2, ended
    assert len({*pids}) == 1


def lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_how_a_program_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No shell reads its words, nothing of our environment reaches it, and its exit status counts."""
    monkeypatch.setenv("S3CRET", "x")
    out = tmp_path / "out"
    script = "import os, sys; open(sys.argv[1], 'w').write(repr((sys.argv[2:], sorted(os.environ), os.getcwd())))"
    asyncio.run(Program(["/usr/bin/python3", "-c", script, str(out), "$(id)", "a b"]).send(b"{}"))
    arguments, names, folder = eval(out.read_text())
    assert arguments == ["$(id)", "a b"]
    assert {*names} <= {"PATH", "LANG", "LC_CTYPE"}
    assert folder == "/"
    with pytest.raises(SinkError, match="exit status 1"):
        asyncio.run(Program(["/bin/false"]).send(b"{}"))
    asyncio.run(Program(["/bin/true"]).send(b"x" * (1 << 20)))  # which reads nothing of it


@pytest.mark.skipif(os.geteuid() != 0, reason="of root alone")
def test_whose_program(tmp_path: Path) -> None:
    """Root runs no program that others may change."""
    program = tmp_path / "tell"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o777)
    with pytest.raises(SinkError, match="chmod go-w"):
        asyncio.run(Program([str(program)]).send(b"{}"))
    with pytest.raises(SinkError, match="No such file"):
        asyncio.run(Program(["/nowhere"]).send(b"{}"))
