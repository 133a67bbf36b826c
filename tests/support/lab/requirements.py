"""Owns the decision whether a test can run here: skip with a reason, or fail where all must be there."""

import os
import shutil
from typing import NoReturn

import pytest

from tests.support.lab.exabgp import Flavour, executable
from tests.support.lab.release import Release, UnavailableError

SEARCH_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def require(*programs: str, flavours: tuple[Flavour, ...] = ()) -> None:
    """Skip the test unless root, the programs and the ExaBGPs are there; with CI=true, fail instead.

    Args:
        programs: names of executables.
        flavours: ExaBGPs that the test runs.
    """
    missing = [
        name
        for name in (*programs, "ip", "nsenter")
        if shutil.which(name, path=SEARCH_PATH) is None
    ]
    missing += [f"exabgp {flavour}" for flavour in flavours if executable(flavour) is None]
    if os.geteuid() != 0:
        missing.insert(0, "root")
    if not missing:
        return
    reason = f"needs {', '.join(missing)}"
    lacking(reason, fails=_all_must_be_there())


def require_release(release: Release) -> None:
    """Skip the test unless a release of Debian can be had; with CI=true, fail instead.

    What moves from day to day may be missing for one: then its tests are skipped there too, and the
    summary says why.
    """
    require()
    had(release, strict=_all_must_be_there())


def had(release: Release, *, strict: bool) -> None:
    """End the test where a release can't be had: with a failure where all must be there, but not of one that moves."""
    try:
        release.root  # noqa: B018 - made where it lacks
    except UnavailableError as error:
        lacking(str(error), fails=strict and not release.moves)


def lacking(reason: str, *, fails: bool) -> NoReturn:
    """End the test, which can't run for a reason."""
    if fails:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _all_must_be_there() -> bool:
    return os.environ.get("CI") == "true"
