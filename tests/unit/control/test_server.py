"""The control service over a real unix socket: who may ask, what is answered, what is refused."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import os
import pwd
import select
import socket
import sqlite3
import stat
import time
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING, Any

import pytest

from policy.intent import Mode
from policy.report import ReportState
from speaker.api import IntentRequest, Status
from speaker.check.world import loaded
from speaker.control import client, handlers, identity
from speaker.control.answers import ANSWER_WITHIN
from speaker.control.body import SMALL
from speaker.control.client import NotServedError, OutcomeUnknownError, RefusedError
from speaker.control.connections import IDLE
from speaker.control.offline import StateFile
from speaker.control.places import LARGE
from speaker.control.running import RunningWatchdog
from speaker.control.server import (
    CHECK,
    CONNECTIONS,
    MAX_HEADER,
    MAX_HEADERS,
    MAX_LINE,
    Access,
    ControlError,
    serve,
    serving,
)
from speaker.control.unix_socket import OPERATORS
from speaker.reported import ReportRequest
from tests.support.fakes.site import SECOND, V4, V6, Site, running
from tests.support.lab.eventually import eventually
from tests.support.lab.user import nobody, reachable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ME = pwd.getpwuid(os.getuid()).pw_name
V4_TEXT = str(V4)


def served(
    directory: Path,
    ask: Callable[[Site], Any],
    more: str = "",
    access: Access = OPERATORS,
    *,
    marks: bool = False,
) -> Any:
    """Run a site with its control service, and ask it from a thread. `marks`: see `running`."""

    async def main() -> Any:
        async with (
            running(directory, more=more, marks=marks) as site,
            serving(site.control, site.reconciler, access),
        ):
            return await asyncio.to_thread(ask, site)

    return asyncio.run(main())


def raw(site: Site, method: str, target: str, body: bytes | None = None) -> tuple[int, Any]:
    """Ask as curl would, and return the status and the JSON."""
    return raw_at(site.control, method, target, body)


def raw_at(path: Path, method: str, target: str, body: bytes | None = None) -> tuple[int, Any]:
    """Ask whoever serves a socket."""
    connection = http.client.HTTPConnection("localhost", timeout=60)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(path))
    connection.request(method, target, body)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, json.loads(text)


def wish(mode: str = "drained", *prefixes: str, **more: object) -> dict[str, object]:
    return {"mode": mode, "prefixes": [*(prefixes or [V4_TEXT])], **more}


# --- what is answered ----------------------------------------------------------------------------


def test_status_of_a_silent_exabgp(tmp_path: Path) -> None:
    """Status answers from what is known while ExaBGP does not answer at all."""

    async def main() -> Any:
        async with running(tmp_path) as site, serving(site.control, site.reconciler):
            site.exabgp.stall(600)
            site.reconciler.wake_and_read()
            await asyncio.sleep(0)  # the reading has begun, and holds the watchdog
            return await asyncio.to_thread(
                client.ask, site.control, "GET", "/status", timeout=ANSWER_WITHIN + 60
            )

    assert [route["prefix"] for route in asyncio.run(main())["routes"]][:1] == [V4_TEXT]


def test_drain_and_restore(tmp_path: Path) -> None:
    """A drain is done at the peer when it is answered, and so is its end."""

    def ask(site: Site) -> None:
        (route,) = client.ask(site.control, "POST", "/intents", wish(reason="disk full"))
        assert (route["before"], route["announced"], route["as_wanted"]) == (True, False, True)
        assert (route["intent"], route["prefix"]) == ("drained", V4_TEXT)
        assert V4_TEXT not in site.table()
        (route,) = client.ask(site.control, "POST", "/intents", wish("auto"))
        assert (route["before"], route["announced"], route["intent"]) == (False, True, "auto")
        assert V4_TEXT in site.table()

    served(tmp_path, ask)


@pytest.mark.parametrize(
    ("uid", "said", "who"),
    [
        (0, "", "root"),
        (0, "alice", "root (alice)"),
        (0, "alice@example.net", "root (alice@example.net)"),
        (0, "root", "root"),
        (0, "a b", "root"),
        (0, "x" * 65, "root"),
        (0, "\x1b[2J", "root"),
        (65534, "alice", "nobody"),
        (4242424, "alice", "uid 4242424"),
    ],
)
def test_who_used_sudo(uid: int, said: str, who: str) -> None:
    """History has who became root by sudo, beside root; of nobody else is such a word believed."""
    assert identity.owner(uid, said) == who


def test_sudo(tmp_path: Path) -> None:
    """It comes with the question, and only root's is believed."""

    def ask(site: Site) -> None:
        client.ask(site.control, "POST", "/intents", wish(), sudo_user="alice")
        (explained,) = client.ask(site.control, "GET", f"/explain?prefix={V4_TEXT}")
        assert f"drained by {identity.owner(os.getuid(), 'alice')} at" in explained["operator"]

    served(tmp_path, ask)


def test_owner(tmp_path: Path) -> None:
    """Who asks is what the kernel says of the caller, and is recorded with the reason and the end."""

    def ask(site: Site) -> None:
        client.ask(site.control, "POST", "/intents", wish(reason="disk full", seconds=7200))
        intent = site.store.intents().of[V4]
        assert (intent.mode, intent.owner, intent.reason) == (Mode.DRAINED, ME, "disk full")
        assert intent.until is not None
        assert intent.until - intent.since == pytest.approx(7200)
        (explained,) = client.ask(site.control, "GET", f"/explain?prefix={V4_TEXT}")
        assert explained["operator"].startswith(f"drained by {ME} at ")
        history = client.ask(site.control, "GET", f"/history?prefix={V4_TEXT}")
        assert [entry["event"] for entry in history] == ["announced", "drained", "withdrawn"]

    served(tmp_path, ask)


def test_history_of_a_report(tmp_path: Path) -> None:
    """History of a report has its lines alone, beside those of prefixes that are named too; an unknown one is refused."""

    def ask(site: Site) -> None:
        asked = RunningWatchdog(site.control, site.control)
        asked.report("shop", ReportRequest(state=ReportState.DOWN, ttl=60.0))
        assert [(e.prefix, e.event) for e in asked.history(["report/shop"])] == [
            ("report/shop", "reported")
        ]
        assert {e.prefix for e in asked.history([V4, "report/shop"])} == {V4_TEXT, "report/shop"}
        assert {e.prefix for e in asked.history([V4])} == {V4_TEXT}
        with pytest.raises(client.RefusedError, match="report: 'shoe': unknown; vip"):
            asked.history(["report/shoe"])

    served(tmp_path, ask, "[report.shop]\n")


def test_what_was_just_done_is_history(tmp_path: Path) -> None:
    """Who asks for history right after a change gets it, though it is recorded beside the cycle."""

    def ask(site: Site) -> list[list[str]]:
        (explained,) = client.ask(site.control, "GET", f"/explain?prefix={V4_TEXT}")
        history = client.ask(site.control, "GET", f"/history?prefix={V4_TEXT}")
        return [[entry["event"] for entry in each] for each in (explained["history"], history)]

    async def main() -> list[list[str]]:
        async with running(tmp_path, cycles=False) as site, serving(site.control, site.reconciler):
            site.source.live[V4] = 0
            await site.reconciler.cycle()
            return await asyncio.to_thread(ask, site)

    assert asyncio.run(main()) == [["announced", "withdrawn"]] * 2


def test_history_while_the_state_file_is_held(tmp_path: Path) -> None:
    """Who asks for it gets what is recorded; what is not yet is not waited for."""

    async def main() -> list[str]:
        async with running(tmp_path, cycles=False) as site, serving(site.control, site.reconciler):
            await site.reconciler.record()
            with closing(
                sqlite3.connect(tmp_path / "state.sqlite3", isolation_level=None)
            ) as other:
                other.execute("BEGIN IMMEDIATE")
                site.source.live[V4] = 0
                await site.reconciler.cycle()
                history = await asyncio.to_thread(client.ask, site.control, "GET", "/history")
                other.execute("ROLLBACK")
            return [entry["event"] for entry in history if entry["prefix"] == V4_TEXT]

    assert asyncio.run(main()) == ["announced"]


def test_status(tmp_path: Path) -> None:
    """Status has the keys that scripts rely on."""
    answer = served(tmp_path, lambda site: client.ask(site.control, "GET", "/status"))
    assert (answer["dc"], answer["backend"], answer["trouble"]) == ("par1", "exabgp", [])
    assert answer["peers"] == [
        {"name": name, "address": name, "asn": asn, "up": True, "local_as": own, "reason": ""}
        for name, asn, own in (
            ("203.0.113.11", 64496, 64699),
            ("2001:db8:ffff::11", 64511, 64511),
        )
    ]
    route = answer["routes"][0]
    assert [each["prefix"] for each in answer["routes"]] == [V4_TEXT, str(V6), str(SECOND)]
    expected = {
        "vip": "vip-1.tld",
        "prefix": V4_TEXT,
        "announced": True,
        "as_path": [64699, 64699],
        "rank": 0,
        "prepends": 1,
        "realservers": 2,
        "health": "up",
        "intent": "auto",
    }
    assert {key: route[key] for key in expected} == expected
    assert route["reason"]


def test_status_of_a_file_that_was_changed(tmp_path: Path) -> None:
    """Status tells at once that vip.toml is not what was loaded, and when it is so again."""
    path = tmp_path / "vip.toml"

    def ask(site: Site) -> None:
        text = path.read_text()
        for more, state in (("", "loaded"), ("\n", "changed"), ("", "loaded")):
            path.write_text(text + more)
            answer = client.ask(site.control, "GET", "/status")
            trouble = f"{path} was changed since it was loaded; load it by vip_mgmt reload"
            told = trouble if more else ""
            assert 0 <= time.time() - answer["configuration"].pop("loaded") < 3600
            assert answer["configuration"] == {
                "file": str(path),
                "digest": hashlib.sha256(text.encode()).hexdigest(),
                "state": state,
                "trouble": told,
                "used": {},
            }
            assert answer["trouble"] == ([f"vip.toml: {trouble}"] if more else [])
            report = loaded(Status.from_json(answer).configuration)
            assert (report.findings, report.notes) == ((), (f"not loaded: {trouble}",) * bool(more))

    served(tmp_path, ask)


def test_plan(tmp_path: Path) -> None:
    """The plan is empty where all is as decided."""
    assert served(tmp_path, lambda site: client.ask(site.control, "GET", "/plan")) == []


def test_dry_run(tmp_path: Path) -> None:
    """A dry run says what would be, and changes nothing."""

    def ask(site: Site) -> None:
        (route,) = client.ask(site.control, "POST", "/intents", wish(dry_run=True))
        assert (route["before"], route["announced"]) == (True, False)
        assert not site.store.intents().of
        assert V4_TEXT in site.table()

    served(tmp_path, ask)


def test_many(tmp_path: Path) -> None:
    """A question may name a thousand prefixes."""
    addresses = [f"2001:db8:1::{number:x}" for number in range(1000)]
    more = f'[vip."many.tld"]\naddresses = {addresses}\n'
    query = "&".join(f"prefix={address}/128" for address in addresses)

    def ask(site: Site) -> None:
        assert len(client.ask(site.control, "GET", f"/explain?{query}")) == 1000
        explained = client.ask(site.control, "GET", "/explain")
        assert [each["prefix"] for each in explained][:3] == [V4_TEXT, str(V6), str(SECOND)]
        assert len(explained) == 1003
        routes = client.ask(site.control, "POST", "/intents", wish("drained", *addresses))
        assert not any(route["announced"] for route in routes)
        # What the watchdog itself did is recorded beside its cycle; an intent is there before it is said.
        assert client.ask(site.control, "GET", f"/history?{query}")

    served(tmp_path, ask, more)


def test_a_request_of_thousands(tmp_path: Path) -> None:
    """A request may name 30,000 prefixes, as they are written longest; an error names few of them."""
    prefixes = [f"2001:db8:1111:2222:3333:4444:5555:{number:x}/128" for number in range(30_000)]

    def ask(site: Site) -> None:
        for target, body in (
            ("/history", {"prefixes": prefixes}),
            ("/explain", {"prefixes": prefixes}),
            ("/intents", wish("drained", *prefixes)),
        ):
            with pytest.raises(RefusedError) as refused:
                client.ask(site.control, "POST", target, body)
            assert " and 29990 more: not in the configuration" in str(refused.value)

    served(tmp_path, ask)


def test_a_caller_that_hangs_up(tmp_path: Path) -> None:
    """What was asked for is done although nobody waits for the answer."""

    async def main() -> None:
        async with running(tmp_path) as site, serving(site.control, site.reconciler):
            site.exabgp.stall(0.2)
            _, writer = await asyncio.open_unix_connection(str(site.control))
            body = json.dumps(wish()).encode()
            head = f"POST /intents HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            await asyncio.to_thread(
                eventually, lambda: V4_TEXT not in site.table(), within=5, what="the drain"
            )
            assert site.store.intents().of[V4].mode is Mode.DRAINED

    asyncio.run(main())


def test_an_end_while_a_caller_waits(tmp_path: Path) -> None:
    """Who waits for an ExaBGP that is silent holds up no end: ExaBGP kills what takes two seconds."""

    async def main() -> float:
        loop = asyncio.get_running_loop()
        async with running(tmp_path) as site:
            async with serving(site.control, site.reconciler):
                site.exabgp.stall(60)
                _, writer = await asyncio.open_unix_connection(str(site.control))
                body = json.dumps(wish()).encode()
                head = f"POST /intents HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await asyncio.to_thread(
                    eventually, lambda: V4 in site.store.intents().of, within=5, what="the wish"
                )
                began = loop.time()
            writer.close()
            return loop.time() - began

    assert asyncio.run(main()) < 20


def test_many_look_while_exabgp_is_silent(tmp_path: Path) -> None:
    """Whoever asks for the status joins the reading that is awaited: none is queued for each."""

    async def main() -> None:
        async with running(tmp_path) as site, serving(site.control, site.reconciler):
            site.exabgp.stall(600)
            site.reconciler.wake_and_read()
            await asyncio.sleep(0)
            before = len(asyncio.all_tasks())
            asking = [
                asyncio.to_thread(client.ask, site.control, "GET", "/status", timeout=30.0)
                for _ in range(5)
            ]
            await asyncio.gather(*asking)
            async with asyncio.timeout(20):  # the connections' own tasks end a little later
                while len(asyncio.all_tasks()) > before + 1:  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.01)

    asyncio.run(main())


# --- what is refused -----------------------------------------------------------------------------

BAD = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff",
    b"[" * 100_000,
    b'{"mode": "drained"}',
    b'{"prefixes": ["192.0.2.1"]}',
    *(
        json.dumps(each).encode()
        for each in (
            wish("gone"),
            wish(colour="blue"),
            wish(reason=1),
            wish(reason="a\nb"),
            wish(reason="x" * 201),
            wish(seconds=0),
            wish(seconds=-1),
            wish(seconds="2h"),
            wish(seconds=float("nan")),
            wish(seconds=float("inf")),
            wish(seconds=1e12),
            wish(dry_run="yes"),
            {"mode": "drained", "prefixes": []},
            {"mode": "drained", "prefixes": "192.0.2.1"},
            {"mode": "drained", "prefixes": [1]},
            wish("drained", "192.0.2.300"),
            wish("drained", V4_TEXT, "203.0.113.9"),
            wish("drained", "192.0.2.0/24"),
            wish("drained", "all"),
        )
    ),
]


@pytest.mark.parametrize("body", BAD, ids=lambda body: repr(body)[:60])
def test_bad_wishes(tmp_path: Path, body: bytes) -> None:
    """A wish that makes no sense is refused with words, and nothing is changed for any prefix."""

    def ask(site: Site) -> None:
        status, answer = raw(site, "POST", "/intents", body)
        assert status == 400
        assert answer["error"]
        assert not site.store.intents().of
        assert V4_TEXT in site.table()

    served(tmp_path, ask)


def test_unknown_prefix(tmp_path: Path) -> None:
    """A prefix that the watchdog does not have is named, with what to do."""

    def ask(site: Site) -> None:
        with pytest.raises(RefusedError, match=r"203\.0\.113\.9/32: not in the configuration"):
            client.ask(site.control, "POST", "/intents", wish("drained", V4_TEXT, "203.0.113.9"))
        with pytest.raises(RefusedError, match="load it by vip_mgmt reload"):
            client.ask(site.control, "GET", "/explain?prefix=203.0.113.9")

    served(tmp_path, ask)


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/intents", 405),
        ("DELETE", "/status", 405),
        ("GET", "/explain?prefix=x", 400),
        ("GET", "/../../etc/passwd", 404),
    ],
)
def test_other_requests(tmp_path: Path, method: str, target: str, status: int) -> None:
    """Whatever is asked, the answer is JSON, and what is refused says why."""
    found, answer = served(tmp_path, lambda site: raw(site, method, target))
    assert found == status
    assert answer["error"]


def test_too_large(tmp_path: Path) -> None:
    """A request that is too large is refused, in JSON, before it is read."""
    body = json.dumps(wish(reason="x" * handlers.MAX_BODY)).encode()

    def ask(site: Site) -> None:
        status, answer = raw(site, "POST", "/intents", body)
        assert status == 413
        assert answer["error"] == (
            f"request: {len(body)} bytes; {handlers.MAX_BODY} at most: send less"
        )
        assert not site.store.intents().of

    served(tmp_path, ask)


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /intents HTTP/1.1\r\nHost:\r\nContent-Length: 1\r\n\r\n",
        b"\x16\x03\x01\x02\r\n\r\n",
        b"GET /status HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
    ],
)
def test_what_is_no_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, request_: bytes
) -> None:
    """Who speaks no HTTP, or goes away in the midst of a request, writes nothing into the log."""

    def ask(site: Site) -> None:
        for _ in range(3):
            with socket.socket(socket.AF_UNIX) as caller:
                caller.connect(str(site.control))
                caller.sendall(request_)
                caller.shutdown(socket.SHUT_WR)
                while caller.recv(65536):
                    pass
        assert answers(site.control)

    caplog.clear()
    served(tmp_path, ask)
    assert not [
        r for r in caplog.records if r.exc_info or "http" in r.name or "intents" in r.message
    ]


def test_the_store_fails(tmp_path: Path) -> None:
    """Where a wish can't be recorded, nothing is withdrawn, and the answer says so."""

    def ask(site: Site) -> None:
        (tmp_path / "state.sqlite3").unlink()
        with pytest.raises(RefusedError, match=r"state: .*state\.sqlite3"):
            client.ask(site.control, "POST", "/intents", wish())
        assert V4_TEXT in site.table()

    served(tmp_path, ask)


# --- the socket ----------------------------------------------------------------------------------


def test_mode(tmp_path: Path) -> None:
    """The socket is for its owner and group, whatever the umask, and is gone at the end."""
    before = os.umask(0)

    def ask(site: Site) -> None:
        mode = site.control.stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o660

    try:
        served(tmp_path, ask)
    finally:
        os.umask(before)
    assert not (tmp_path / "control.sock").exists()


def test_second_watchdog(tmp_path: Path) -> None:
    """Another watchdog is refused the socket, and the first goes on serving."""

    async def main() -> None:
        async with running(tmp_path) as site, serving(site.control, site.reconciler):
            with pytest.raises(ControlError, match="another watchdog serves it"):
                async with serving(site.control, site.reconciler):
                    pytest.fail("served twice")
            answer = await asyncio.to_thread(client.ask, site.control, "GET", "/plan")
            assert answer == []

    asyncio.run(main())


def test_stale_socket(tmp_path: Path) -> None:
    """A socket that a killed watchdog left is taken over."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "control.sock"))
    assert served(tmp_path, lambda site: client.ask(site.control, "GET", "/plan")) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_another_users_socket(tmp_path: Path) -> None:
    """A socket that another user's watchdog may be serving is left alone, and its owner is named."""

    async def main(path: Path) -> None:
        async with running(tmp_path) as site:
            said = "belongs to root, and nobody can't tell"
            with nobody(), pytest.raises(ControlError, match=said):
                async with serving(path, site.reconciler):
                    pass

    with reachable(0o777) as folder:
        path = folder / "control.sock"
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
        path.chmod(0o600)  # the group stays root
        asyncio.run(main(path))
        assert path.exists()


@pytest.mark.parametrize("kind", ["file", "directory", "nowhere"])
def test_no_place_for_it(tmp_path: Path, kind: str) -> None:
    """What is no socket is left alone; a directory that is not there is said to be missing."""

    async def main() -> None:
        async with running(tmp_path) as site:
            path = tmp_path / "taken"
            if kind == "file":
                path.write_text("precious")
            elif kind == "directory":
                path.mkdir()
            else:
                path = tmp_path / "nowhere" / "control.sock"
            said = (
                "must be writable for user"
                if kind == "nowhere"
                else "exists, and is not a socket; remove it"
            )
            with pytest.raises(ControlError, match=said):
                async with serving(path, site.reconciler):
                    pytest.fail("served")
            if kind == "file":
                assert path.read_text() == "precious"

    asyncio.run(main())


# --- a socket that does not stay -------------------------------------------------------------------


def answers(path: Path) -> bool:
    with suppress(NotServedError, OutcomeUnknownError):
        return client.ask(path, "GET", "/plan") is not None
    return False


def remove(path: Path) -> None:
    path.unlink()


def replace_by_another(path: Path) -> None:
    path.unlink()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))


def make_the_directory_again(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))
    path.parent.mkdir()


@pytest.mark.parametrize("harm", [remove, replace_by_another, make_the_directory_again])
def test_a_socket_that_is_removed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: Callable[[Path], None]
) -> None:
    """A socket that is removed or replaced, or whose directory is, is made again, and that is said once."""
    path = tmp_path / "run" / "control.sock"
    path.parent.mkdir()

    async def main() -> None:
        async with running(tmp_path) as site:
            service = asyncio.create_task(serve(path, site.reconciler))

            await asyncio.to_thread(eventually, lambda: answers(path), within=5, what="an answer")
            harm(path)
            await asyncio.to_thread(
                eventually, lambda: answers(path), within=1, what="an answer again"
            )
            assert site.reconciler.alarms.texts == []
            service.cancel()
            with suppress(asyncio.CancelledError):
                await service
            assert not path.exists()

    asyncio.run(main())
    assert caplog.text.count("control: ") == 1
    assert "was removed or replaced; creating it again" in caplog.text


def test_asked_before_it_is_made_again(tmp_path: Path) -> None:
    """Who asks meanwhile waits for it, and is answered as ever."""

    async def main() -> Any:
        async with running(tmp_path) as site:
            service = asyncio.create_task(serve(site.control, site.reconciler))
            await asyncio.to_thread(
                eventually, lambda: answers(site.control), within=5, what="an answer"
            )
            site.control.unlink()
            (route,) = await asyncio.to_thread(
                client.ask, site.control, "POST", "/intents", wish(), patience=30.0
            )
            service.cancel()
            await asyncio.wait({service})
            return route

    assert asyncio.run(main())["as_wanted"]


def test_recorded_beside_a_watchdog_that_is_not_reached(tmp_path: Path) -> None:
    """A wish that vip_mgmt records by itself is taken by the next cycle of a watchdog that runs."""

    async def main() -> None:
        async with running(tmp_path) as site:
            request = IntentRequest(mode=Mode.DRAINED, prefixes=(V4,), reason="no socket")
            file = StateFile(site.reconciler.config, "no socket")
            (said,) = await asyncio.to_thread(file.apply, request)
            assert "takes effect within 1 s where a vip_watchdog runs" in said.recorded
            await asyncio.to_thread(
                eventually, lambda: V4_TEXT not in site.table(), within=2, what="the drain"
            )

    asyncio.run(main())


def test_a_place_that_is_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """While the socket can't be made that is a trouble, said once; what took its place is left alone."""
    path = tmp_path / "control.sock"

    async def main() -> None:
        async with running(tmp_path) as site:
            service = asyncio.create_task(serve(path, site.reconciler))
            await asyncio.to_thread(eventually, path.exists, within=5, what="the socket")
            path.unlink()
            path.mkdir()
            alarms = site.reconciler.alarms
            await asyncio.to_thread(eventually, lambda: alarms.texts, within=5, what="the trouble")
            assert [text.startswith(f"control: {path}: exists") for text in alarms.texts] == [True]
            await asyncio.sleep(3 * CHECK)  # it was tried again, and nothing more was said
            path.rmdir()
            await asyncio.to_thread(
                eventually, lambda: not alarms.texts, within=5, what="the end of the trouble"
            )
            assert path.is_socket()
            path.unlink()
            path.mkdir()
            service.cancel()
            await asyncio.wait({service})
            assert service.cancelled()
            assert path.is_dir()

    asyncio.run(main())
    assert caplog.text.count("exists, and is not a socket") == 1


HALF = b"POST /intents HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"


@pytest.mark.parametrize(
    "said", [b"", b"GET /pl", HALF[:-1], HALF], ids=["nothing", "a line", "no body", "half a body"]
)
def test_many_connections(tmp_path: Path, said: bytes) -> None:
    """Where no connection is left, the one that is idle longest makes room for the next one, at once."""

    def ask(site: Site) -> None:
        with ExitStack() as stack:
            idle = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(CONNECTIONS)]
            for each in idle:
                each.connect(str(site.control))
                each.sendall(said)
            began = time.monotonic()
            assert client.ask(site.control, "GET", "/plan") == []
            assert (
                time.monotonic() - began < IDLE
            )  # or the library has closed all of them by itself
            assert ended(idle) == idle[:1]

    served(tmp_path, ask)


def ended(callers: list[socket.socket]) -> list[socket.socket]:
    """Return those whose other end is closed, whether they have read all or not."""
    poll = select.poll()
    for caller in callers:
        poll.register(caller, 0)
    found = {descriptor for descriptor, _ in poll.poll(0)}
    return [caller for caller in callers if caller.fileno() in found]


def test_who_was_answered_is_idle_again(tmp_path: Path) -> None:
    """A connection is idle from its last answer on, not from when it was made."""

    def ask(site: Site) -> None:
        with ExitStack() as stack:
            idle = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(3)]
            for each in idle:
                each.connect(str(site.control))
            idle[0].sendall(b"GET /plan HTTP/1.1\r\nHost: x\r\n\r\n")
            assert idle[0].recv(100).startswith(b"HTTP/1.1 200")
            assert client.ask(site.control, "GET", "/plan") == []
            assert ended(idle) == idle[1:2]

    served(tmp_path, ask, access=Access(connections=3))


def test_lines(tmp_path: Path) -> None:
    """The first line of a request, and those after it, have 64 KiB: one that goes on is cut off."""
    lines = b"GET /plan HTTP/1.1\r\n"
    for more in (
        b"GET /explain?" + b"x" * (MAX_LINE + 1),
        lines + b"x: " + b"x" * (MAX_HEADER + 1),
        lines + b"x: y\r\n" * (MAX_HEADERS + 2),
    ):

        def ask(site: Site, more: bytes = more) -> None:
            with socket.socket(socket.AF_UNIX) as caller:
                caller.connect(str(site.control))
                caller.sendall(more)
                caller.settimeout(IDLE / 2)
                assert caller.recv(100).split()[1] == b"400"

        served(tmp_path, ask)
    assert MAX_LINE == MAX_HEADERS * MAX_HEADER == 1 << 16


def test_large_requests(tmp_path: Path) -> None:
    """Of 40 requests of 7 MB that are under way two are in memory, and the next one is told: busy."""
    size = 7_000_000
    head = f"POST /intents HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
    most = LARGE * size + 40 * (1 << 20)  # what is on the way in the kernel, and in the library

    def ask(site: Site) -> None:
        with ExitStack() as stack:
            callers = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(40)]
            left = {}
            for caller in callers:
                caller.connect(str(site.control))
                caller.settimeout(0)
                left[caller] = memoryview(head.encode() + b" " * (size - 1))

            def sent() -> int:
                for caller, data in left.items():
                    with suppress(BlockingIOError, ConnectionError):
                        left[caller] = data[caller.send(data[: 1 << 17]) :]
                return 40 * (size + len(head) - 1) - sum(map(len, left.values()))

            eventually(lambda: sent() >= LARGE * size, within=IDLE / 2, what="what has a place")
            with pytest.raises(
                OutcomeUnknownError, match="busy: 2 requests of more than 65536 bytes"
            ):
                client.ask(site.control, "POST", "/intents", wish(reason="x" * SMALL))
            assert sent() <= most
            assert client.ask(site.control, "POST", "/intents", wish())

    served(tmp_path, ask)


def test_who_says_or_reads_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Connections of callers who say nothing, stop in the midst, or don't read, are closed after a while."""
    status = b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n"

    def ask(site: Site) -> None:
        callers = []
        with ExitStack() as stack:
            # Of some of the last ones the answers fill what the kernel takes, and a bit more.
            for said in (b"", status[:-2], HALF, status, *(status * n for n in range(50, 300, 10))):
                caller = stack.enter_context(socket.socket(socket.AF_UNIX))
                caller.connect(str(site.control))
                caller.settimeout(0)
                callers.append(caller)
                with suppress(BlockingIOError):
                    caller.sendall(said)
            assert not ended(callers)
            eventually(
                lambda: ended(callers) == callers, within=4 * IDLE, what="the end of all of them"
            )
            assert answers(site.control)

    caplog.clear()
    served(tmp_path, ask)
    assert "Traceback" not in caplog.text


def test_refused_by_the_state_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A wish that can't be recorded is one line in the log, with the remedy."""

    async def main() -> None:
        async with running(tmp_path) as site, serving(site.control, site.reconciler):
            with closing(sqlite3.connect(tmp_path / "state.sqlite3")) as other:
                other.execute("BEGIN EXCLUSIVE")
                with pytest.raises(RefusedError, match="state: "):
                    await asyncio.to_thread(client.ask, site.control, "POST", "/intents", wish())

    asyncio.run(main())
    assert caplog.text.count("POST /intents: state: ") == 1
    assert "Traceback" not in caplog.text
