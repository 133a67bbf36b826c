"""A socket's name, in a directory where operators may put another thing in its place at any moment."""

from __future__ import annotations

import grp
import os
import socket
from typing import TYPE_CHECKING

import pytest

from speaker.control.unix_socket import Access, ControlError, bind

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("group", [None, grp.getgrgid(os.getgid()).gr_name])
def test_a_link_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: str | None
) -> None:
    """A link that is put in the place of a socket just made gives no other file a mode, or a group."""
    private, path = tmp_path / "exabgp.conf", tmp_path / "control.sock"
    private.write_text("its passwords")
    private.chmod(0o600)

    class Replaced(socket.socket):
        def bind(self, address: str, /) -> None:  # type: ignore[override]
            super().bind(address)
            path.unlink()
            path.symlink_to(private)

    monkeypatch.setattr(socket, "socket", Replaced)
    with pytest.raises(ControlError, match="was replaced while it was made"):
        bind(path, Access(group=group))
    assert private.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="of root alone")
def test_a_directory_that_others_may_write_by_now(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A clean-up raises nothing: root leaves the socket where others could lead it elsewhere, and says so."""
    folder = tmp_path / "run"
    folder.mkdir()
    bound = bind(folder / "control.sock")
    bound.listener.close()
    folder.chmod(0o777)
    bound.remove()
    assert bound.is_in_place
    assert "control: not removed: " in caplog.text
    assert "lets others write" in caplog.text
