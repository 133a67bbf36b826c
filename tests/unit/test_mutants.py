"""The faults that are put into the code are faults of the code as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.mutants.faults import FAULTS, Fault

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_where_it_is_put(fault: Fault) -> None:
    """Each has one place, and changes it: else ./dev mutants ends at it, and judges none after it."""
    assert (ROOT / fault.path).read_text().count(fault.old) == 1
    assert fault.old != fault.new
