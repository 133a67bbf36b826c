"""Root takes orders only from files that nobody else can change or replace."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from speaker import config
from speaker.backends.quagga.vtysh import Shell, VtyshError
from speaker.files import trusted
from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.target import files as output
from tests.support.lab.installed import NOBODY
from tests.support.lab.requirements import require
from tests.support.lab.user import nobody, reachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TEXT = """
[node]
dc = "par1"
[dc.par1]
asn = 64699
[vip."vip-1.tld"]
addresses = ["192.0.2.1"]
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of root's that anybody may read."""
    require()
    with reachable(0o755) as name:
        yield name


@pytest.fixture
def file(folder: Path) -> Path:
    """A file of root's that anybody may read and run."""
    path = folder / "site" / "vip.toml"
    path.parent.mkdir()
    path.write_text(TEXT)
    path.chmod(0o755)
    return path


def given(path: Path) -> None:
    """Another user owns it."""
    os.chown(path, NOBODY, -1)


def like_tmp(path: Path) -> None:
    """A folder of another user's where nobody else can replace what is not theirs."""
    given(path)
    path.chmod(0o1777)


def moved_to_another(file: Path) -> None:
    """A folder is a link to one of root's, which another user may put away."""
    home = file.parent.parent / "home"
    home.mkdir()
    file.parent.rename(home / "site")
    file.parent.symlink_to(home / "site")
    given(home)


def link_of_another(file: Path) -> None:
    """Another user may put another link in its place."""
    home = file.parent.parent / "home"
    home.mkdir()
    home.chmod(0o777)
    target = file.rename(file.with_name("real.toml"))
    (home / "link").symlink_to(target)
    file.symlink_to(home / "link")


def their_link_in_tmp(file: Path) -> None:
    """A folder like /tmp has another user's link to root's file: they may put another one there."""
    target = file.rename(file.with_name("real.toml"))
    file.symlink_to(target)
    os.lchown(file, NOBODY, NOBODY)
    file.parent.chmod(0o1777)


def their_folder_in_tmp(file: Path) -> None:
    """... and one to root's folder."""
    file.parent.rename(file.parent.with_name("real"))
    file.parent.symlink_to(file.parent.with_name("real"))
    os.lchown(file.parent, NOBODY, NOBODY)
    file.parent.parent.chmod(0o1777)


WRONG: dict[str, Callable[[Path], object]] = {
    "of another user": given,
    "written by the group": lambda file: file.chmod(0o664),
    "written by all": lambda file: file.chmod(0o646),
    "in a folder of another user": lambda file: given(file.parent),
    "in a folder that its group writes": lambda file: file.parent.chmod(0o775),
    "in a folder that all write": lambda file: file.parent.chmod(0o757),
    "below a folder of another user": lambda file: given(file.parent.parent),
    "in another user's folder like /tmp": lambda file: like_tmp(file.parent),
    "in a folder that is a link into another user's": moved_to_another,
    "behind another user's link": link_of_another,
    "behind another user's link in a folder like /tmp": their_link_in_tmp,
    "behind another user's link to a folder": their_folder_in_tmp,
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG.keys())
def test_what_others_change(file: Path, change: Callable[[Path], object]) -> None:
    """What others may change or replace root does not obey; other users have nothing to lose by it."""
    change(file)
    with pytest.raises(config.ConfigError, match=r"root would do as it says; chown root"):
        config.load(file, {})
    with pytest.raises(trusted.UntrustedError):
        trusted.check(file, 0)
    config.load(file, {}, obeyed=False)
    with nobody():
        config.load(file, {})


@pytest.mark.parametrize("is_link", [False, True])
def test_by_way_of_another_users_folder(file: Path, *, is_link: bool) -> None:
    """A path that leads through another user's folder and out again leads elsewhere once a link is put there."""
    theirs = file.parent.parent / "theirs"
    if is_link:
        theirs.symlink_to(file.parent)
    else:
        theirs.mkdir()
    os.lchown(theirs, NOBODY, NOBODY)
    theirs.parent.chmod(0o1777)
    for path in (theirs / ".." / "site" / "vip.toml", file.with_name("link.toml")):
        if path.name == "link.toml":
            path.symlink_to("../theirs/../site/vip.toml")
        with pytest.raises(trusted.UntrustedError):
            trusted.check(path, 0)
    trusted.check(file.parent / ".." / "site" / "vip.toml", 0)


def test_a_pipe_of_another_user(file: Path) -> None:
    """Root does not wait for what another user may write into a pipe, some day."""
    file.unlink()
    os.mkfifo(file, 0o644)
    given(file)
    read = "import sys, pathlib; from speaker import config; config.load(pathlib.Path(sys.argv[1]), {})"
    told = subprocess.run(
        [sys.executable, "-c", read, file], check=False, capture_output=True, text=True, timeout=60
    )
    assert "root would do as it says" in told.stderr


RIGHT: dict[str, Callable[[Path], object]] = {
    "root's": lambda _: None,
    "in a folder like /tmp": lambda file: file.parent.chmod(0o1777),
    "behind root's link": lambda file: file.symlink_to(file.rename(file.with_name("real.toml"))),
}


@pytest.mark.parametrize("change", RIGHT.values(), ids=RIGHT.keys())
def test_what_only_root_changes(file: Path, change: Callable[[Path], object]) -> None:
    """What only root can change is obeyed, in a folder too where nobody can replace another's file."""
    change(file)
    assert config.load(file, {}).settings.dc.name == "par1"


def test_programs(file: Path) -> None:
    """Root runs no program that others may change: neither vtysh, nor what import validates with."""
    file.write_text("#!/bin/sh\necho ran\n")
    assert asyncio.run(Shell(file)(["show version"])).stdout == "ran\n"
    assert output.validate(file, file, "/nowhere") == ""
    file.parent.chmod(0o777)
    with pytest.raises(VtyshError, match="lets others write"):
        asyncio.run(Shell(file)(["show version"]))
    with pytest.raises(MigrationError, match="lets others write"):
        output.validate(file, file, "/nowhere")
