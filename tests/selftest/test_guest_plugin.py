"""Checks that tests marked `guest` run in a guest, and that what they report arrives."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.guest
_KERNEL = Path("/proc/version")


@pytest.fixture(scope="module")
def shared() -> Iterator[list[int]]:
    """A fixture of the module, which is made once: in the guest."""
    made: list[int] = []
    yield made
    assert made == [1, 2]


def test_runs_in_a_user_mode_kernel() -> None:
    """The kernel is the guest's."""
    assert Path("/proc/cpuinfo").read_text().find("User Mode Linux") > 0


@pytest.mark.xfail(strict=True, reason="to see that a failure is not lost")
def test_a_failure_is_reported() -> None:
    """A test that fails in the guest fails here."""
    assert _KERNEL.read_text() == ""


@pytest.mark.parametrize("number", [1, 2])
def test_a_module_is_one_guest(shared: list[int], number: int) -> None:
    """Tests of a module share its fixtures."""
    shared.append(number)
    assert len(shared) == number
