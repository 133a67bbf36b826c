"""Configurations that nobody wrote: what is said of them, and what is imported of them, is what FRR sends."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from speaker.migration.updates.evaluate import evaluate
from tests.migration.imported import TRANSLATED, begin_exabgp, local_options, run_import
from tests.migration.reading import understand
from tests.migration.stage import Stage
from tests.migration.words import expected
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import FLAVOURS
from tests.support.lab.netns import Network
from tests.support.lab.requirements import require
from tests.support.profiles import NIGHTLY, PROFILE
from tests.support.strategies.bgpd_conf import sites, texts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.lab.exabgp import Flavour
    from tests.support.lab.installed import Installed

BATCHES = {"long": 50, "nightly": 5}.get(PROFILE, 2)
"""The first of them is made of the simplest, so that it takes two to see any."""
AT_ONCE = 8  # so many daemons start beside each other
CONFIGURED = settings(
    deadline=None,
    derandomize=not NIGHTLY,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # daemons are too slow to shrink with
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)


def stages_of(network: Network, contents: Sequence[bytes]) -> list[Stage]:
    """Start an FRR for each content, and its routers."""
    stages = [Stage(network, f"m{number}", content) for number, content in enumerate(contents)]
    for stage in stages:
        stage.begin_frr()
    for stage in stages:
        stage.begin_routers()
    return stages


@settings(CONFIGURED, max_examples=BATCHES)
@given(contents=st.lists(texts(), min_size=AT_ONCE, max_size=AT_ONCE))
def test_evaluated_as_frr_sends(contents: list[bytes]) -> None:
    """The evaluation has every attribute of every UPDATE to every neighbour, and no UPDATE more."""
    require("bird", "vtysh")
    with Network() as network:
        for content, stage in zip(contents, stages_of(network, contents), strict=True):
            evaluation = evaluate(understand(content))
            assert not evaluation.obstacles, content.decode()
            assert stage.frr_sent() == expected(evaluation, stage), content.decode()


LYO1 = ("--local", "lyo1=198.51.100.10/24", "--local", "lyo1=2001:db8:ffff:2::10/64")


UNLIKE = "vip.toml says one thing for all data centres; make them alike"
"""What is said of an aggregate that keeps its VIPs back in one of them alone."""


def imported(site: dict[str, bytes], stage: Stage) -> Path | None:
    """Import a site's files, None where they are rightly refused; a stage has those of par1."""
    folder = stage.speaker.directory
    files = {dc: folder / f"{dc}.conf" for dc in site}
    for dc, path in files.items():
        path.write_bytes(site[dc])
    done = run_import(files, folder / "out", *local_options("par1", stage), *LYO1)
    if UNLIKE in done.stderr:
        return None
    assert done.returncode in TRANSLATED, f"{done.stdout}{done.stderr}\n{site}"
    return folder / "out"


@pytest.mark.one_exabgp  # by day tests/live/test_same_update.py has the same of both
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_imported_as_frr_sends(installed: Installed, flavour: Flavour) -> None:
    """ExaBGP with what was imported gives the same routers the same UPDATEs, and no UPDATE more."""
    require("bird", "vtysh", flavours=(flavour,))

    @settings(CONFIGURED, max_examples=BATCHES)
    @given(several=st.lists(sites(), min_size=AT_ONCE, max_size=AT_ONCE))
    def same(several: list[dict[str, bytes]]) -> None:
        with Network() as network:
            stages = stages_of(network, [site["par1"] for site in several])
            sent = [stage.frr_sent() for stage in stages]
            for stage in stages:
                stage.end_frr()
            begun = []
            for site, stage, wanted in zip(several, stages, sent, strict=True):
                if (out := imported(site, stage)) is not None:
                    begin_exabgp(stage, installed, flavour, out, "par1")
                    begun.append((stage, wanted))
            assert len(begun) > AT_ONCE / 2
            for stage, wanted in begun:
                with suppress(AssertionError):  # what is there instead is said below
                    eventually(
                        stage.received,
                        until=lambda got: got == wanted,  # noqa: B023 - called at once
                        within=30,
                        what="equality",
                    )
                assert stage.received() == wanted
                assert any(wanted.values())

    same()
