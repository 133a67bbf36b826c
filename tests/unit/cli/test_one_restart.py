"""Two restarts at once: the second is refused, and says who restarts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from speaker import vip_mgmt
from speaker.cli.one_restart import RestartingError, one_restart
from tests.support.fakes.site import write_config

if TYPE_CHECKING:
    from pathlib import Path


def test_the_second_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It names the process that restarts, and restarts nothing; when that has ended, the next may."""
    with one_restart(tmp_path):
        path = str(write_config(tmp_path))
        assert vip_mgmt.main(["--config", path, "restart", "--beside"]) == 1
        said = capsys.readouterr().err
        assert f"restart: process {os.getpid()} restarts already; nothing was restarted" in said
        assert "systemctl" not in said
    with one_restart(tmp_path):
        assert list(tmp_path.iterdir()) == [tmp_path / "vip.toml"]  # it left nothing


def test_a_kernel_that_does_not_tell(tmp_path: Path) -> None:
    """Where it is not told who restarts, another one does all the same."""
    with (
        one_restart(tmp_path),
        pytest.raises(RestartingError, match="another vip_mgmt restarts already"),
        one_restart(tmp_path, tmp_path / "none"),
    ):
        pass


def test_no_folder(tmp_path: Path) -> None:
    """Without a folder of the state file nothing is restarted, and why is said."""
    with (
        pytest.raises(RestartingError, match="No such file or directory; nothing was restarted"),
        one_restart(tmp_path / "none"),
    ):
        pass
