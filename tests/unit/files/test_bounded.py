"""Files that somebody else may have put there are read if they are bounded, and waited for in no case."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from policy.lint.finding import Code
from speaker import config, vip_mgmt
from speaker.check.start_files import start_files
from speaker.files import bounded
from tests.support.fakes.site import write_config

ENDLESS = Path("/dev/zero")


def test_as_long_as_it_may_be(tmp_path: Path) -> None:
    """A file of just the limit is read, and one of a byte more is refused."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10)
    assert bounded.read(path, 10) == b"x" * 10
    with pytest.raises(OSError, match="too large, more than 9 bytes"):
        bounded.read(path, 9)
    with bounded.regular(path) as descriptor:
        assert bounded.read(descriptor) == b"x" * 10
        os.fstat(descriptor)  # still open


@pytest.mark.parametrize("command", ["import", "compare"])
def test_a_file_without_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """A device in place of bgpd's file is read no longer than any such file is."""
    words = {
        "import": ["import", f"par1={ENDLESS}", "--out", str(tmp_path / "out")],
        "compare": ["compare", str(ENDLESS), "--config", str(write_config(tmp_path))],
    }[command]
    assert vip_mgmt.main(words) == 255
    assert f"{ENDLESS}: too large, more than {bounded.MAX_SIZE} bytes" in capsys.readouterr().err


def test_a_pipe_that_is_named() -> None:
    """An operator may name a pipe, such as of a shell's <(ssh router cat bgpd.conf)."""
    read, write = os.pipe()
    try:
        os.write(write, b"router bgp 64699\n")
        os.close(write)
        assert bounded.read(Path(f"/dev/fd/{read}")) == b"router bgp 64699\n"
    finally:
        os.close(read)


@pytest.mark.parametrize("kind", ["fifo", "device", "directory"])
def test_in_place_of_a_start_file(tmp_path: Path, kind: str) -> None:
    """What stands in place of bgpd's file, and is none, is a finding, and nothing that is waited for."""
    path = tmp_path / "bgpd.conf"
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "device":
            path.symlink_to(ENDLESS)
        case _:
            path.mkdir()
    more = f'[backend.quagga]\nstart_files = ["{path}"]\n'
    (finding,) = start_files(config.load(write_config(tmp_path, more), {})).findings
    assert (finding.code, finding.subject) == (Code.START_FILE, str(path))
    assert "not a regular file" in str(finding)
