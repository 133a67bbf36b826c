"""Owns the decision whether a test can run here: skip with a reason, or fail where all must be there."""

import os
import shutil

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
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def require_release(release: Release) -> None:
    """Skip the test unless a release of Debian can be had; with CI=true, fail instead.

    What moves from day to day may be missing for one: then its tests are skipped there too, and the
    summary says why.
    """
    require()
    try:
        release.root  # noqa: B018 - made where it lacks
    except UnavailableError as error:
        if os.environ.get("CI") == "true" and not release.moves:
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
