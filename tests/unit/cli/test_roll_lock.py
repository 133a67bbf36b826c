"""The lock of the rolls over a data centre: one has it, and who that is can be told."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from policy.intent import timestamp
from speaker.cli.roll_lock import RollLock, RollLockError
from speaker.control.identity import user

if TYPE_CHECKING:
    from pathlib import Path


def test_who_has_it(tmp_path: Path) -> None:
    """A second roll is refused, and told which process of whom has it since when; when that has ended, nobody has."""
    path = tmp_path / "roll-par1.lock"
    lock = RollLock(path)
    assert lock.holder() == ""
    assert [*tmp_path.iterdir()] == []
    with lock.held():
        since = timestamp(json.loads(path.read_text())["since"])
        who = f"process {os.getpid()} of {user()}, since {since}"
        assert lock.holder() == who
        with (
            pytest.raises(RollLockError, match="is under way on this machine: ") as error,
            RollLock(path).held(),
        ):
            pass
        assert who in str(error.value)
    assert lock.holder() == ""
    path.write_text("x" * 200)  # of one that has ended
    with lock.held():
        assert lock.holder().startswith(f"process {os.getpid()} of ")


@pytest.mark.parametrize(
    "text", ["", "x", '{"pid": 1, "user": "eve", "since": 0}', '{"pid": 1}', "x" * 5000]
)
def test_what_is_not_believed(tmp_path: Path, text: str) -> None:
    """What stands in it of another process than that which has it is not told."""
    path = tmp_path / "roll-par1.lock"
    with RollLock(path).held():
        path.write_text(text)
        assert RollLock(path).holder() == ""
        with pytest.raises(RollLockError, match="another vip_mgmt"), RollLock(path).held():
            pass


def test_what_is_shown_does_not_act(tmp_path: Path) -> None:
    """A name of thousands of characters is cut; a time that none is, is left out."""
    path = tmp_path / "roll-par1.lock"
    with RollLock(path).held():
        path.write_text(json.dumps({"pid": os.getpid(), "user": "u" * 900, "since": -1.0}))
        assert RollLock(path).holder() == f"process {os.getpid()} of {'u' * 80}"


def test_what_is_no_lock(tmp_path: Path) -> None:
    """What is written through it can't be another file, nor is a pipe waited for."""
    path, other = tmp_path / "roll-par1.lock", tmp_path / "other"
    other.write_text("mine")
    path.hardlink_to(other)
    for _ in range(2):
        with pytest.raises(RollLockError, match="of one name; remove it"), RollLock(path).held():
            pass
        with pytest.raises(RollLockError, match="of one name; remove it"):
            RollLock(path).holder()
        path.unlink()
        os.mkfifo(path)
    assert other.read_text() == "mine"
