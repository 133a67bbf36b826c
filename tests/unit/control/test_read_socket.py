"""The socket to read: whoever may connect there asks as operators do, and changes nothing."""

from __future__ import annotations

import asyncio
import grp
import json
import os
import sqlite3
import stat
import time
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from socket import AF_UNIX, socket
from typing import TYPE_CHECKING, Any

import pytest

from speaker import vip_mgmt
from speaker.config.load import ConfigError, load
from speaker.control import answers, client
from speaker.control.client import NotServedError, OutcomeUnknownError, RefusedError
from speaker.control.handlers import MAX_QUESTION
from speaker.control.places import LARGE
from speaker.control.running import RunningWatchdog
from speaker.control.server import READERS, Access, ControlError, serve, serving
from speaker.runtime.assemble import Driver
from speaker.runtime.service import ReconcilerService
from tests.support.fakes.site import V4, Site, running, write_config
from tests.support.lab.eventually import eventually
from tests.support.lab.user import nobody, reachable
from tests.unit.control.test_server import raw_at, wish
from tests.unit.runtime.test_service import Daemon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from speaker.config.settings import Config

READ = Access(asks_only=True, connections=READERS)
V4_TEXT = str(V4)
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")


def served(directory: Path, ask: Callable[[Site], Any], access: Access = READ) -> Any:
    """Run a site with both of its sockets, and ask it from a thread."""

    async def main() -> Any:
        async with (
            running(directory) as site,
            serving(site.control, site.reconciler),
            serving(read(site), site.reconciler, access),
        ):
            return await asyncio.to_thread(ask, site)

    return asyncio.run(main())


def read(site: Site) -> Path:
    return site.control.with_name("read.sock")


@contextmanager
def at_once() -> Iterator[float]:
    """Give a patience that must not be used up."""
    patience, began = 60.0, time.monotonic()
    yield patience
    assert time.monotonic() - began < patience


# --- what is answered, and what is not -------------------------------------------------------------


@pytest.mark.parametrize("target", ["/status", "/explain", "/history", "/plan"])
def test_questions(tmp_path: Path, target: str) -> None:
    """Every question has the same answer there as at the control socket."""

    def ask(site: Site) -> None:
        def same() -> bool:
            answers = [client.ask(path, "GET", target) for path in (read(site), site.control)]
            for answer in answers:
                if isinstance(answer, dict):
                    answer.pop("last_cycle")
            return bool(answers[0] == answers[1])

        # What was done is recorded beside the cycle: history may come a little later.
        eventually(same, within=5, what="the same answer")

    served(tmp_path, ask)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("target", ["/intents", "/status", "/nowhere"])
def test_nothing_is_changed(tmp_path: Path, method: str, target: str) -> None:
    """Whatever is no question is refused with 403 and says where to go; nothing is recorded or withdrawn."""

    def ask(site: Site) -> None:
        status, answer = raw_at(read(site), method, target, json.dumps(wish()).encode())
        assert status == 403
        assert f"{method} {target}: this socket only answers questions" in answer["error"]
        assert str(site.control) in answer["error"]
        assert not site.store.intents().of
        assert V4_TEXT in site.table()

    served(tmp_path, ask)


@pytest.mark.parametrize("target", ["/explain", "/history"])
def test_questions_of_many_prefixes(tmp_path: Path, target: str) -> None:
    """More prefixes than a line holds go into a body, of which readers have a mebibyte."""

    def ask(site: Site) -> None:
        many = {"prefixes": [V4_TEXT] * 10_000}
        for path in (read(site), site.control):
            answer = client.ask(path, "POST", target, many)
            assert answer == client.ask(path, "GET", f"{target}?prefix={V4_TEXT}")
            assert all(each["prefix"] == V4_TEXT for each in answer)
        status, answer = raw_at(read(site), "POST", target, b" " * (MAX_QUESTION + 1))
        assert (status, f"{MAX_QUESTION} at most" in answer["error"]) == (413, True)

    served(tmp_path, ask)


def test_vip_mgmt_asks_about_many(tmp_path: Path) -> None:
    """It asks in whichever form its question fits."""

    def ask(site: Site) -> None:
        for watchdog in (
            RunningWatchdog(read(site), site.control),
            RunningWatchdog(site.control, site.control),
        ):
            for many in (1, 3000):
                (explained,) = watchdog.explain([V4] * many)
                assert explained.prefix == V4_TEXT
                assert {each.prefix for each in watchdog.history([V4] * many)} == {V4_TEXT}

    served(tmp_path, ask)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "request: "),
        (b'{"prefixes": "x"}', "request.prefixes: 'x' is not a list; "),
        (b'{"prefixes": ["x"]}', "request.prefixes[0]: prefix: 'x': "),
        (b'{"mode": "drained"}', "request.mode: unknown key; "),
    ],
)
def test_questions_of_another_form(tmp_path: Path, body: bytes, said: str) -> None:
    """A body of another form is refused, and says where."""

    def ask(site: Site) -> None:
        status, answer = raw_at(read(site), "POST", "/explain", body)
        assert status == 400
        assert answer["error"].startswith(said)

    served(tmp_path, ask)


def add_history(directory: Path) -> None:
    """Have two megabytes of history."""
    with closing(sqlite3.connect(directory / "state.sqlite3")) as state, state:
        line = (0.0, V4_TEXT, "announced", "x" * 10_000)
        add = "INSERT INTO history (time, prefix, event, reason) VALUES (?, ?, ?, ?)"
        state.executemany(add, [line] * 200)


def test_readers_keep_no_operator_out(tmp_path: Path) -> None:
    """Those who read use up their own connections: who reads is refused then, and a drain goes through."""

    def ask(site: Site) -> None:
        add_history(tmp_path)
        with ExitStack() as stack:
            for _ in range(2):
                busy = stack.enter_context(socket(AF_UNIX))
                busy.connect(str(read(site)))
                busy.sendall(b"GET /history HTTP/1.1\r\nHost: x\r\n\r\n")
                assert busy.recv(1) == b"H"  # and no more of the answer, which is two megabytes
            with pytest.raises(OutcomeUnknownError, match="busy: requests are under way on all 2"):
                client.ask(read(site), "GET", "/plan")
            assert RunningWatchdog(read(site), site.control).status().routes
            nobody_else = RunningWatchdog(read(site), site.control.with_name("none"))
            with pytest.raises(OutcomeUnknownError, match="busy: requests are under way on all 2"):
                nobody_else.status()
            (route,) = client.ask(site.control, "POST", "/intents", wish())
            assert route["as_wanted"], route

    served(tmp_path, ask, Access(asks_only=True, connections=2))


@pytest.mark.parametrize("target", ["/status", "/explain", "/history?since=0"])
def test_large_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    """An answer about many prefixes has a place until it was sent: there are few, and the next one is told: busy."""
    monkeypatch.setattr(answers, "FEW", 2)
    monkeypatch.setattr(answers, "ROOM_WITHIN", 0.1)

    def ask(site: Site) -> None:
        # Of each answer more than the kernel keeps on the way.
        site.reconciler.alarms.note("large", "x" * 1_000_000)
        add_history(tmp_path)
        with ExitStack() as stack:
            for _ in range(LARGE):
                reader = stack.enter_context(socket(AF_UNIX))
                reader.connect(str(read(site)))
                reader.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                assert reader.recv(1) == b"H"  # and no more of the answer
            with pytest.raises(OutcomeUnknownError, match="busy: 2 answers of more than 2 parts"):
                client.ask(read(site), "GET", target)
            assert client.ask(site.control, "GET", target)
            assert client.ask(read(site), "GET", f"/explain?prefix={V4_TEXT}")
        eventually(lambda: client.ask(read(site), "GET", target), within=5, what="a place")

    served(tmp_path, ask)


# --- who may connect -------------------------------------------------------------------------------


@ROOT
def test_its_group(tmp_path: Path) -> None:
    """It has the group and mode that vip.toml says."""
    group = next(each for each in grp.getgrall() if each.gr_gid != os.getegid())

    def ask(site: Site) -> None:
        found = read(site).stat()
        assert (found.st_gid, stat.S_IMODE(found.st_mode)) == (group.gr_gid, 0o660)
        assert stat.S_IMODE(site.control.stat().st_mode) == 0o660
        assert site.control.stat().st_gid == os.getegid()

    served(tmp_path, ask, Access(group=group.gr_name, asks_only=True))


def test_its_mode(tmp_path: Path) -> None:
    """Where vip.toml says 0666, every user may read; the control socket stays its group's."""

    def ask(site: Site) -> None:
        assert stat.S_IMODE(read(site).stat().st_mode) == 0o666
        assert stat.S_IMODE(site.control.stat().st_mode) == 0o660

    served(tmp_path, ask, Access(mode=0o666, asks_only=True))


@ROOT
@pytest.mark.parametrize(
    ("group", "said"),
    [
        ("no-such-group", "group no-such-group does not exist; groupadd --system no-such-group"),
        (
            "daemon",
            "nobody may not give it to group daemon; it must be a member, and its unit needs",
        ),
    ],
)
def test_a_group_that_it_cant_have(tmp_path: Path, group: str, said: str) -> None:
    """Where the group can't have it, it is not served to somebody else instead, and that is a trouble."""

    async def main(path: Path) -> None:
        async with running(tmp_path) as site:
            with nobody(), pytest.raises(ControlError, match=said):
                async with serving(path, site.reconciler, Access(group=group, asks_only=True)):
                    pytest.fail("served")
            path = tmp_path / "read.sock"
            service = asyncio.create_task(
                serve(path, site.reconciler, Access(group="no-such-group", asks_only=True))
            )
            alarms = site.reconciler.alarms
            await asyncio.to_thread(eventually, lambda: alarms.texts, within=5, what="a trouble")
            (text,) = alarms.texts
            assert text.startswith(f"read: {path}: group no-such-group does not exist")
            assert text.endswith("users of the read-only socket can't reach this watchdog")
            service.cancel()
            await asyncio.wait({service})

    with reachable(0o777) as folder:
        asyncio.run(main(folder / "read.sock"))


# --- vip.toml ----------------------------------------------------------------------------------------


def configured(directory: Path, *lines: str) -> Config:
    path = write_config(directory)
    path.write_text(path.read_text().replace("[node]\n", "\n".join(["[node]", *lines, ""]), 1))
    return load(path, {})


def test_by_default(tmp_path: Path) -> None:
    """It lies beside the control socket, wherever that is, and its group is the process's."""
    found = configured(tmp_path).settings.read
    assert (found.path, found.group, found.mode) == (tmp_path / "read.sock", None, 0o660)


def test_keys(tmp_path: Path) -> None:
    """Its path, group and mode can be said."""
    found = configured(
        tmp_path, 'read = "/run/x.sock"', 'read_group = "vip-readers"', 'read_mode = "0666"'
    ).settings.read
    assert (str(found.path), found.group, found.mode) == ("/run/x.sock", "vip-readers", 0o666)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('read = "read.sock"', "node.read: 'read.sock' is not absolute"),
        ('read_group = "a b"', "node.read_group: 'a b' is not a group's name"),
        ("read_group = 7", "node.read_group: 7 is not a string"),
        ('read_mode = "0777"', "node.read_mode: '0777' is not a socket's mode"),
        ('read_mode = "0060"', "node.read_mode: '0060' is not a socket's mode"),
        ("read_mode = 660", "node.read_mode: 660 is not a string"),
        ('read = "{}/control.sock"', "node.read: {}/control.sock is also node.control"),
    ],
)
def test_faults(tmp_path: Path, line: str, said: str) -> None:
    """What makes no sense is refused by the key."""
    with pytest.raises(ConfigError) as refused:
        configured(tmp_path, line.format(tmp_path))
    assert said.format(tmp_path) in str(refused.value)


# --- a watchdog that serves both, and vip_mgmt -------------------------------------------------------


def test_a_service_has_both(tmp_path: Path) -> None:
    """A watchdog serves both sockets, and leaves none behind."""
    path = write_config(tmp_path, '[health]\nsource = "none"\n')
    sockets = [tmp_path / "control.sock", tmp_path / "read.sock"]

    async def on_shutdown(_: object) -> None: ...

    async def main() -> None:
        service, end = (
            ReconcilerService(path, "exabgp", Driver(Daemon(), lambda _: None), on_shutdown),
            asyncio.Event(),
        )
        task = asyncio.create_task(service.run(end))
        for each in sockets:
            await asyncio.to_thread(eventually, each.is_socket, within=10, what=str(each))
        with pytest.raises(RefusedError, match="only answers questions"):
            await asyncio.to_thread(client.ask, sockets[1], "POST", "/intents", wish())
        end.set()
        await task

    asyncio.run(main())
    assert not any(each.exists() for each in sockets)


@pytest.mark.parametrize("command", [["status"], ["explain", "vip-1.tld"], ["history"], ["plan"]])
def test_vip_mgmt_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """Commands that read need the socket to read alone."""

    def ask(site: Site) -> int:
        site.control.rename(tmp_path / "elsewhere")
        monkeypatch.setenv("VIP_CONFIG", str(tmp_path / "vip.toml"))
        return vip_mgmt.main([*command, *(["--json"] if command == ["status"] else [])])

    assert served(tmp_path, ask) == 0


def test_vip_mgmt_beside_an_older_watchdog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there is no socket to read, or one left behind, the control socket answers, at once."""

    def questions(site: Site) -> None:
        monkeypatch.setenv("VIP_CONFIG", str(tmp_path / "vip.toml"))
        read(site).unlink()
        for is_left in (False, True):
            if is_left:
                with socket(AF_UNIX) as left:
                    left.bind(str(read(site)))
            with at_once() as patience:
                ask = partial(client.ask, instead=site.control, patience=patience)
                assert ask(read(site), "GET", "/plan") == []
            assert vip_mgmt.main(["plan", "--json"]) == 0

    served(tmp_path, questions)
    assert capsys.readouterr().out.split() == ["[]", "[]"]


@ROOT
def test_who_may_use_one_of_them(tmp_path: Path) -> None:
    """An operator who is no reader asks at the control socket; a reader can't drain."""

    async def main(folder: Path) -> None:
        paths = [folder / "read.sock", folder / "control.sock"]
        async with (
            running(tmp_path) as site,
            serving(paths[0], site.reconciler, READ),
            serving(paths[1], site.reconciler),
        ):
            await asyncio.to_thread(ask, *paths)

    def ask(read: Path, control: Path) -> None:
        for barred, allowed in ((read, control), (control, read)):
            barred.chmod(0o600)
            allowed.chmod(0o666)
            with nobody():
                assert client.ask(read, "GET", "/plan", instead=control) == []
        with (
            nobody(),
            pytest.raises(RefusedError, match="Permission denied; you must be its owner"),
        ):
            client.ask(control, "POST", "/intents", wish())
        read.chmod(0o600)
        said = r"read\.sock: Permission denied"
        with nobody(), at_once() as patience, pytest.raises(RefusedError, match=said):
            client.ask(read, "GET", "/plan", instead=control, patience=patience)

    with reachable(0o755) as folder:
        asyncio.run(main(folder))


def test_nobody_serves_either(tmp_path: Path) -> None:
    """Where neither is served, no watchdog runs."""
    with pytest.raises(NotServedError, match=r"control\.sock: no vip_watchdog serves it"):
        client.ask(tmp_path / "read.sock", "GET", "/plan", instead=tmp_path / "control.sock")
