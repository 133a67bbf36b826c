"""What the evaluation says that a bgpd sends is what FRR sends with the same file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speaker.migration.evaluate import evaluate
from speaker.migration.read import read
from tests.lab.netns import Network
from tests.lab.requirements import require
from tests.migration import corpus
from tests.migration.stage import Stage
from tests.migration.words import expected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def stages() -> Iterator[dict[Path, Stage]]:
    """All files of the corpus, each in a bgpd of its own, and all at the same time."""
    require("bird", "vtysh")
    with Network() as network:
        stages = {
            path: Stage(network, f"s{number}", path.read_bytes())
            for number, path in enumerate(corpus.FILES)
        }
        for stage in stages.values():
            stage.begin_frr()
        for stage in stages.values():
            stage.begin_routers()
        yield stages


@pytest.mark.parametrize("path", corpus.FILES, ids=corpus.name)
def test_evaluated_as_frr_sends(stages: dict[Path, Stage], path: Path) -> None:
    """Every attribute of every UPDATE to every neighbour, and no UPDATE more; or it says that it can't."""
    evaluation = evaluate(read(path.name, path.read_bytes()))
    if path.parent.name in corpus.REFUSED:
        assert evaluation.obstacles
        return
    assert not evaluation.obstacles
    assert stages[path].frr_sent() == expected(evaluation, stages[path])
