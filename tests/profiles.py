"""Hypothesis profiles: `ci` by default; HYPOTHESIS_PROFILE=long looks harder.

`mutants` is for faults that must be caught quickly, and whose counter-examples nobody reads.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

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
    "long",
    max_examples=5000,
    deadline=None,
    suppress_health_check=_QUIET,
    phases=tuple(Phase),
    print_blob=True,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
