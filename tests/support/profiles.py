"""How hard to look: by day every rule once, at night all of it.

Hypothesis profiles, by HYPOTHESIS_PROFILE: `ci` by default; `nightly` (`./dev test nightly`) looks ten
times as hard, `long` a hundred times. `quick` (`./dev test quick`) is for people who wait, and looks a sixth
as hard. `mutants` is for faults that must be caught quickly, and whose counter-examples nobody reads.

Marks: `slow` tests take seconds, and do not run with `quick`; `nightly` tests run with `nightly` and `long` alone; `one_exabgp` ones run beside ExaBGP 5.0 by
day, and beside 4.2 at night too; `one_daemon` ones run with cron beside each FRR by day, and with a daemon beside the
oldest alone. A class that many share names in `by_day` which of its tests are not
nightly. Whatever is marked so says which test proves the same each day.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.support.lab.release import RELEASES

_QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large)

settings.register_profile(
    "ci", max_examples=60, deadline=None, derandomize=True, suppress_health_check=_QUIET
)
settings.register_profile(
    "mutants",
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=_QUIET,
    phases=(Phase.explicit, Phase.generate),
)
settings.register_profile(
    "quick", max_examples=10, deadline=None, derandomize=True, suppress_health_check=_QUIET
)
for _name, _examples in (("nightly", 600), ("long", 5000)):
    settings.register_profile(
        _name,
        max_examples=_examples,
        deadline=None,
        suppress_health_check=_QUIET,
        phases=tuple(Phase),
        print_blob=True,
    )
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "ci")
NIGHTLY = PROFILE in {"nightly", "long"}
settings.load_profile(PROFILE)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks."""
    config.addinivalue_line("markers", "slow: takes seconds; not for those who wait")
    config.addinivalue_line("markers", "nightly: runs at night alone")
    config.addinivalue_line("markers", "one_exabgp: runs beside ExaBGP 4.2 at night alone")
    config.addinivalue_line(
        "markers", "one_daemon: runs with a daemon beside newer FRRs at night alone"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out by day what is for the night."""
    later = [] if NIGHTLY else [item for item in items if _is_nightly(item) or _is_slow(item)]
    if later:
        config.hook.pytest_deselected(items=later)
        left = {*items} - {*later}
        items[:] = [item for item in items if item in left]


def _is_slow(item: pytest.Item) -> bool:
    return PROFILE == "quick" and item.get_closest_marker("slow") is not None


def _is_nightly(item: pytest.Item) -> bool:
    if item.get_closest_marker("nightly"):
        return True
    if not isinstance(item, pytest.Function):
        return False
    by_day = getattr(item.cls, "by_day", None)
    if by_day is not None and item.originalname not in by_day:
        return True
    params = item.callspec.params if hasattr(item, "callspec") else {}
    if item.get_closest_marker("one_daemon"):
        return params.get("dc") == "daemon" and params.get("release") is not RELEASES[0]
    return item.get_closest_marker("one_exabgp") is not None and params.get("flavour") == "v4"
