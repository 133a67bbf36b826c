"""The dry run, over a daemon that must stay as it is. What it collects is made elsewhere, to see."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from speaker.backends.dry_run import DryRun
from tests.contract.exabgp_worlds import fake_exabgp
from tests.contract.quagga_worlds import fake_bgpd
from tests.contract.worlds import FOREIGN, World

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping
    from contextlib import AbstractContextManager

    from policy.route import Prefix, Route


class Dry:
    """A dry run over a world. The peer that decides is that of a twin, which gets the changes."""

    def __init__(self, world: World, twin: Callable[[], AbstractContextManager[World]]) -> None:
        self._world = world
        self._twin = twin
        self.peer = world.peer
        self.backend = DryRun(world.backend)

    def run(self, what: Coroutine[Any, Any, Any]) -> Any:
        return self._world.run(what)

    def table(self) -> Mapping[Prefix, Route]:
        with self._made() as twin:
            return twin.table()

    def becomes(self, wanted: Mapping[Prefix, Route]) -> None:
        with self._made() as twin:
            twin.becomes(wanted)

    @contextmanager
    def _made(self) -> Iterator[World]:
        """Make what was collected in a world that is as this one was: this one still is."""
        self._world.becomes({})
        assert self._world.table().keys() == {FOREIGN}
        with self._twin() as twin:
            assert twin.run(twin.backend.apply(self.backend.changes)) == {}
            yield twin

    def sessions(self, *, up: bool) -> None:
        self._world.sessions(up=up)

    def soon(self, check: Callable[[], bool], what: str) -> None:
        self._world.soon(check, what)

    def spoil(self, *, after: int = 0) -> bool:
        return self._world.spoil(after=after)


@contextmanager
def dry_run(daemon: Callable[[], AbstractContextManager[World]]) -> Iterator[World]:
    """The dry run over a daemon."""
    with ExitStack() as stack:
        yield Dry(stack.enter_context(daemon()), daemon)


DRY_WORLDS: Mapping[str, Callable[[], AbstractContextManager[World]]] = {
    "dry-run-of-exabgp": lambda: dry_run(lambda: fake_exabgp(5)),
    "dry-run-of-frr": lambda: dry_run(lambda: fake_bgpd("frr-8.4.4")),
}
