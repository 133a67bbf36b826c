"""Debian's releases as tests have them: what can't be had is said, and fails only where it has to be there."""

import os
import time
from pathlib import Path

import pytest

from tests.support.lab.release import DAY, Release, UnavailableError, main
from tests.support.lab.requirements import had

WHY = "E: no such mirror"
STATUS = "Package: frr\nStatus: install ok installed\nVersion: 10.7.1-6\nArchitecture: amd64\n\n"


def unavailable(folder: Path, *, moves: bool) -> Release:
    """Return a release that could not be made a moment ago, and so is not tried again."""
    release = Release("unstable", "frr-10.7.1", DAY, moves=moves, folder=str(folder))
    (folder / f"{release.suite}.failed").write_text(WHY)
    return release


def old(release: Release) -> Path:
    """Return a root of a release that was made two days ago."""
    root = Path(release.folder) / f"{release.suite}-{release._recipe}-1"
    admin = root / "var/lib/dpkg"
    admin.mkdir(parents=True)
    (admin / "status").write_text(STATUS)
    os.utime(root, times=(time.time() - 2 * DAY,) * 2)
    return root


def said(release: Release) -> tuple[int, str]:
    """Return the exit status of what makes it, and what that says."""
    lines: list[str] = []
    return main([release], lines.append), "".join(lines)


@pytest.mark.parametrize("moves", [True, False])
def test_it_can_not_be_had(tmp_path: Path, *, moves: bool) -> None:
    """One that moves on and lacks for a day is said, and no failure, in CI neither; any other is one there."""
    release = unavailable(tmp_path, moves=moves)
    with pytest.raises(UnavailableError, match=WHY):
        release.renew()
    assert said(release) == (
        0 if moves else 1,
        f"dev: {tmp_path} of Debian unstable could not be had: {WHY}\n",
    )
    skipped, failed = pytest.skip.Exception, pytest.fail.Exception
    for strict, wanted in ((True, skipped if moves else failed), (False, skipped)):
        # Both are caught: one that is not expected would skip this test.
        with pytest.raises((skipped, failed), match=WHY) as ended:
            had(release, strict=strict)
        assert ended.type is wanted


def test_there_is_an_old_one(tmp_path: Path) -> None:
    """Tests go on with it, and it is said from when it is, and why there is none that is newer."""
    release = unavailable(tmp_path, moves=True)
    root = old(release)
    day = time.strftime("%Y-%m-%d", time.gmtime(root.stat().st_mtime))
    assert said(release) == (
        0,
        f"dev: {tmp_path} of Debian unstable, with FRR 10.7.1-6: it is of {day}, and no newer one could be had: {WHY}\n",
    )
    had(release, strict=True)
    assert release.root == root
    os.utime(root)
    assert release.overdue == ""
