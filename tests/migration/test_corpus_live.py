"""FRR with a site's file, what is said of that file, and ExaBGP with what was imported: the same UPDATEs."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from speaker.migration.updates.evaluate import evaluate
from tests.migration import corpus
from tests.migration.imported import TRANSLATED, begin_exabgp, local_options, run_import
from tests.migration.reading import understand
from tests.migration.stage import Stage
from tests.migration.words import expected
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import FLAVOURS
from tests.support.lab.netns import Network
from tests.support.lab.requirements import require

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.migration.stage import Updates
    from tests.support.lab.exabgp import Flavour
    from tests.support.lab.installed import Installed

AT_ONCE = 6
SITES = tuple(site for site in corpus.SITES if site not in corpus.REFUSED)
FILES = tuple(path for path in corpus.FILES if path.parent.name in SITES)


class Both:
    """The corpus on FRR, and what was imported of it on ExaBGP: what the routers got of each file."""

    def __init__(self, network: Network, installed: Installed) -> None:
        self._installed = installed
        self.stages = {
            path: Stage(network, f"s{number}", path.read_bytes())
            for number, path in enumerate(FILES)
        }
        for stage in self.stages.values():
            stage.begin_frr()
        for stage in self.stages.values():
            stage.begin_routers()
        self.from_frr = {path: stage.frr_sent() for path, stage in self.stages.items()}
        for stage in self.stages.values():
            stage.end_frr()
        self.imports = {
            site: self._import(site, network.directory / f"out-{site}") for site in SITES
        }

    def _import(self, site: str, out: Path) -> Path:
        files = corpus.files(site)
        options = [o for dc, path in files.items() for o in local_options(dc, self.stages[path])]
        done = run_import(files, out, *options)
        assert done.returncode in TRANSLATED, f"{site}: {done.stdout}{done.stderr}"
        return out

    def from_exabgp(self, flavour: Flavour) -> dict[Path, Updates]:
        """Run ExaBGP for every file, some at a time."""
        found: dict[Path, Updates] = {}
        for start in range(0, len(FILES), AT_ONCE):
            found |= self._from_exabgp(FILES[start : start + AT_ONCE], flavour)
        return found

    def _from_exabgp(self, paths: Sequence[Path], flavour: Flavour) -> dict[Path, Updates]:
        running = {
            path: begin_exabgp(
                self.stages[path],
                self._installed,
                flavour,
                self.imports[path.parent.name],
                path.stem,
            )
            for path in paths
        }
        found = {path: self._settled(path) for path in paths}
        for path, exabgp in running.items():
            exabgp.process.stop()
            self.stages[path].wait_for_end()
        return found

    def _settled(self, path: Path) -> Updates:
        """Return what the routers have once it is what FRR gave them, or when that has taken too long."""
        stage, wanted = self.stages[path], self.from_frr[path]
        with suppress(AssertionError):  # the test says what is there instead
            eventually(stage.received, until=lambda got: got == wanted, within=30, what="equality")
        return stage.received()


@pytest.fixture(scope="module")
def both(installed: Installed) -> Iterator[Both]:
    require("bird", "vtysh", flavours=FLAVOURS)
    with Network() as network:
        yield Both(network, installed)


@pytest.mark.parametrize("path", FILES, ids=corpus.name)
def test_evaluated_as_frr_sends(both: Both, path: Path) -> None:
    """The evaluation has every attribute of every UPDATE to every neighbour, and no UPDATE more."""
    evaluation = evaluate(understand(path.read_bytes(), path.name))
    assert not evaluation.obstacles
    assert both.from_frr[path] == expected(evaluation, both.stages[path])


@pytest.fixture(
    scope="module",
    params=[
        # tests/contract/test_backend.py and tests/live/test_same_update.py have the same of both by day.
        pytest.param("v4", marks=pytest.mark.nightly),
        "v5",
    ],
)
def from_exabgp(both: Both, request: pytest.FixtureRequest) -> dict[Path, Updates]:
    return both.from_exabgp(request.param)


@pytest.mark.parametrize("path", FILES, ids=corpus.name)
def test_same_updates(both: Both, from_exabgp: dict[Path, Updates], path: Path) -> None:
    """Every attribute of every UPDATE to every neighbour is equal, the next hop too, and none is more."""
    assert from_exabgp[path] == both.from_frr[path]
    assert any(both.from_frr[path].values()), "FRR sent something"


@pytest.mark.parametrize("site", sorted(corpus.REFUSED))
def test_refused(site: str, tmp_path: Path) -> None:
    """What can't be translated is refused with file and line, and nothing is written."""
    files = corpus.files(site)
    done = run_import(files, tmp_path / "out")
    assert done.returncode == 255
    for path in files.values():
        assert f"{path}:" in done.stderr
    assert not (tmp_path / "out").exists()
