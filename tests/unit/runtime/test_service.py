"""A watchdog that stays: what a configuration that can't be taken does to it, and how its parts end."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from policy.plan import apply
from speaker import config as configuration
from speaker.backends.base import Reading
from speaker.runtime import service as service_module
from speaker.runtime.assemble import Driver
from speaker.runtime.service import ReconcilerService
from speaker.supervision.supervisor import Part
from tests.support.fakes.site import TOML, write_config

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
    from pathlib import Path

    from policy.plan import Change, Drift
    from policy.route import Prefix, Route
    from policy.witness import Witness
    from speaker.backends.base import Peer
    from speaker.config.settings import Config
    from speaker.reconcile.reconciler import Reconciler

NO_CHECKS = '[health]\nsource = "none"\n'


class Daemon:
    """A backend that takes everything."""

    owes_end_of_rib = False

    def heard(self) -> tuple[Witness, ...]:
        return ()

    read_interval = 30.0

    async def apply(self, changes: Sequence[Change]) -> Mapping[Prefix, str]:
        del changes
        return {}

    async def read(self, prefixes: Collection[Prefix]) -> Reading:
        return Reading(dict.fromkeys(prefixes))

    async def until_sent(self, prefixes: Collection[Prefix]) -> None:
        del prefixes

    async def end_of_rib(self) -> None:
        pass

    def daemon(self) -> None:
        return None

    def peers(self) -> Sequence[Peer]:
        return []


def test_a_fault_of_ours_in_a_new_configuration(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong when a configuration is taken anew, the watchdog goes on with the old one."""
    path = write_config(tmp_path, NO_CHECKS)
    given: list[Config] = []
    left: list[Reconciler] = []

    def configure(config: Config) -> None:
        given.append(config)
        if len(given) == 2:
            raise ZeroDivisionError

    async def on_shutdown(reconciler: Reconciler) -> None:
        left.append(reconciler)

    async def until(said: str) -> None:
        async with asyncio.timeout(20):
            while said not in caplog.text:  # noqa: ASYNC110 - nothing tells of a line
                await asyncio.sleep(0.01)

    async def main() -> None:
        service = ReconcilerService(path, "exabgp", Driver(Daemon(), configure), on_shutdown)
        running = asyncio.create_task(service.run())
        await until("started:")
        os.kill(os.getpid(), signal.SIGHUP)
        await until("the configuration stays as it was")
        os.kill(os.getpid(), signal.SIGHUP)
        await until("configuration applied")
        assert not running.done()
        os.kill(os.getpid(), signal.SIGTERM)
        await running

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())
    assert [config is given[0] for config in given] == [True, False, True, False]
    assert [reconciler.config for reconciler in left] == given[-1:]


def test_what_was_loaded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A configuration that was loaded to know what is to run is used, and none but the one in use is kept."""
    path = write_config(tmp_path, NO_CHECKS)
    config = configuration.load(path, {})
    path.unlink()
    loaded = [config]
    given: list[Config] = []
    driver = Driver(Daemon(), given.append)

    async def on_shutdown(_: Reconciler) -> None: ...

    async def main() -> None:
        service = ReconcilerService(path, "exabgp", driver, on_shutdown, loaded=loaded)
        end = asyncio.Event()
        running = asyncio.create_task(service.run(end))
        await _until(lambda: "started:" in caplog.text)
        assert not loaded
        assert [each is config for each in given] == [True]
        end.set()
        await running

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())


def test_a_file_that_is_not_loaded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vip.toml that was changed is an alarm until it is loaded, and so is one that can't be."""
    monkeypatch.setattr(service_module, "LOOK_AT_FILE", 0.05)
    path = write_config(tmp_path, NO_CHECKS)
    text = path.read_text()

    async def on_shutdown(_: Reconciler) -> None: ...

    async def main() -> None:
        service = ReconcilerService(path, "exabgp", Driver(Daemon(), lambda _: None), on_shutdown)
        end = asyncio.Event()
        running = asyncio.create_task(service.run(end))
        await _until(lambda: "started:" in caplog.text)
        for content, said in (
            (text + "\n", "was changed since it was loaded; load it"),
            (text + "[no.such]\n", "was changed since it was loaded, and cannot be loaded: no: "),
        ):
            path.write_text(content)
            await _until(partial(_is_in, caplog, f"vip.toml: {path} {said}"))
        path.write_text(text + "\n")
        os.kill(os.getpid(), signal.SIGHUP)
        await _until(lambda: "vip.toml: recovered" in caplog.text)
        end.set()
        await running

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())


# --- its parts -----------------------------------------------------------------------------------

PARTS = (
    "exabgp",
    "configuration",
    "vip.toml",
    "cycles",
    "control",
    "read",
    "keepalived_fifo",
    "addresses",
)


class Unwell(ReconcilerService):
    """A service of which one part is not as it should be."""

    def __init__(
        self, path: Path, name: str, sick: Callable[[Part, int], Coroutine[Any, Any, None]]
    ) -> None:
        async def on_shutdown(_: Reconciler) -> None: ...

        async def read() -> None:
            await asyncio.Event().wait()

        self.starts: list[float] = []
        self._name_of_it, self._sick = name, sick
        others = [self._replaced(Part("exabgp", read))]
        super().__init__(path, "exabgp", Driver(Daemon(), lambda _: None), on_shutdown, others)

    def parts(self) -> list[Part]:
        return [self._replaced(part) for part in super().parts()]

    def _replaced(self, part: Part) -> Part:
        async def run() -> None:
            self.starts.append(asyncio.get_running_loop().time())
            await self._sick(part, len(self.starts))

        return Part(part.name, run) if part.name == self._name_of_it else part

    @property
    def alarms(self) -> list[str]:
        return self._alarms.texts


async def unclean(part: Part, _: int) -> None:
    """Run, and fail to clean up: a directory is not writable."""
    try:
        await part.run()
    finally:
        raise OSError(errno.EACCES, "clean-up")


async def brief(part: Part, start: int) -> None:
    """End the first time."""
    if start > 1:
        await part.run()


def _is_in(caplog: pytest.LogCaptureFixture, text: str) -> bool:
    return text in caplog.text


async def _until(check: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not check():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("name", PARTS)
def test_an_unclean_end(tmp_path: Path, name: str) -> None:
    """Whatever part's clean-up raises, the service ends in time, and the socket is gone."""

    async def main() -> float:
        service = Unwell(write_config(tmp_path, NO_CHECKS), name, unclean)
        end = asyncio.Event()
        running = asyncio.create_task(service.run(end))
        await _until(lambda: (tmp_path / "control.sock").exists() and service.starts)
        began = asyncio.get_running_loop().time()
        end.set()
        await running
        assert len(service.starts) == 1
        assert not (tmp_path / "control.sock").exists()
        return asyncio.get_running_loop().time() - began

    assert asyncio.run(main()) < 1.5


@pytest.mark.parametrize("name", PARTS)
def test_a_part_that_ends(tmp_path: Path, name: str) -> None:
    """Whatever part ends, that is an alarm, and it is started again."""

    async def main() -> None:
        service = Unwell(write_config(tmp_path, NO_CHECKS), name, brief)
        end = asyncio.Event()
        running = asyncio.create_task(service.run(end))
        await _until(lambda: service.starts)
        await _until(lambda: service.alarms)
        assert service.alarms == [f"part {name}: ended: it returned; it is started again"]
        await _until(lambda: len(service.starts) > 1 and (tmp_path / "control.sock").exists())
        end.set()
        await running

    asyncio.run(main())


# --- a configuration that takes long -------------------------------------------------------------

CHECKED = """
[health]
source = "tcp"
interval = "20ms"
[vip."vip-1.tld"]
addresses = ["192.0.2.1"]
services = {{ "tcp/80" = {{ realservers = ["127.0.0.1:{port}"] }} }}
"""


class Loading:
    """A service, and a vip.toml that is read only once it is written: it is a pipe."""

    def __init__(self, directory: Path, port: int) -> None:
        text = TOML.split("[vip.")[0].format(directory=directory)
        self.text = text + CHECKED.format(port=port)
        self.path = directory / "vip.toml"
        self.path.write_text(self.text)
        self.daemon = Noting()
        self.service = ReconcilerService(
            self.path, "exabgp", Driver(self.daemon, lambda _: None), self._on_shutdown
        )

    async def _on_shutdown(self, reconciler: Reconciler) -> None:
        del reconciler

    async def reload(self) -> int:
        """Have the configuration loaded again; return the end of the pipe that this waits for."""
        self.path.unlink()
        os.mkfifo(self.path, 0o600)
        os.kill(os.getpid(), signal.SIGHUP)
        found: list[int] = []

        def opened() -> bool:
            with suppress(OSError):  # nobody reads yet
                found.append(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK))
            return bool(found)

        await _until(opened)
        return found[0]


class Noting(Daemon):
    """A backend that does as it is told."""

    def __init__(self) -> None:
        self.routes: dict[Prefix, Route | Drift | None] = {}

    async def apply(self, changes: Sequence[Change]) -> Mapping[Prefix, str]:
        self.routes = apply(changes, self.routes)
        return {}

    async def read(self, prefixes: Collection[Prefix]) -> Reading:
        return Reading({prefix: self.routes.get(prefix) for prefix in prefixes})

    @property
    def announced(self) -> bool:
        return any(self.routes.values())


def test_a_realserver_dies_while_a_configuration_is_loaded(tmp_path: Path) -> None:
    """The event loop goes on while it is loaded, however long: the VIP is withdrawn before that ends."""

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as realserver:
            loading = Loading(tmp_path, realserver.getsockname()[1])
            running = asyncio.create_task(loading.service.run())
            await _until(lambda: loading.daemon.announced)
            end = await loading.reload()
        before = loading.service._reconciler
        assert before is not None
        taken = before.config
        await _until(lambda: not loading.daemon.announced)
        assert before.config is taken
        os.write(end, loading.text.encode())
        os.close(end)
        await _until(lambda: before.config is not taken)
        os.kill(os.getpid(), signal.SIGTERM)
        await running

    asyncio.run(main())


def test_the_end_while_a_configuration_is_loaded(tmp_path: Path) -> None:
    """What is told to end does so at once: ExaBGP kills it after two seconds."""
    ends: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as realserver:

        async def main() -> None:
            loading = Loading(tmp_path, realserver.getsockname()[1])
            running = asyncio.create_task(loading.service.run())
            await _until(lambda: loading.daemon.announced)
            ends.append(await loading.reload())
            os.kill(os.getpid(), signal.SIGTERM)
            await running

        late = threading.Timer(30.0, lambda: os.close(ends.pop()))
        late.start()
        asyncio.run(main())
    late.cancel()
    os.close(ends.pop())
