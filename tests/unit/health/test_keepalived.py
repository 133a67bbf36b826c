"""Whether keepalived runs, from /proc."""

from pathlib import Path

import pytest

from speaker.health import keepalived


def process(proc: Path, pid: int, name: str) -> None:
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "comm").write_text(f"{name}\n")


@pytest.mark.parametrize(
    ("names", "runs"),
    [
        ([], False),
        (["init", "bgpd"], False),
        (["init", "keepalived"], True),
        (["keepalived-x", "xkeepalived"], False),
    ],
)
def test_keepalived_runs(tmp_path: Path, names: list[str], *, runs: bool) -> None:
    """A process of exactly that name."""
    for pid, name in enumerate(names, 1):
        process(tmp_path, pid, name)
    assert keepalived.is_running(tmp_path) is runs


def test_a_process_that_ends_meanwhile(tmp_path: Path) -> None:
    """One that can't be read any more is passed over."""
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "comm").mkdir()
    process(tmp_path, 2, "keepalived")
    assert keepalived.is_running(tmp_path)
