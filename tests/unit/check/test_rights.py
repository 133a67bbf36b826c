"""What vip_watchdog may not read here, although whoever runs the check may."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from speaker import config
from speaker.api import Status
from speaker.check.rights import ipvs_rights
from speaker.errors import SpeakerError
from tests.unit.check.test_check import site
from tests.unit.test_vip_mgmt import state as told

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from speaker.check.report import Report

HEAD = """IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
"""
TUNNELLED = """FWM  00000008 rr
  -> C6336401:0050      Tunnel  1      0          0
"""
MASQUERADED = TUNNELLED.replace("Tunnel", "Masq  ")
EMPTY = TUNNELLED.partition("\n")[0] + "\n"
MARKED = 'services = { "fwmark/8" = {} }\n'


def nobody() -> Status:
    raise SpeakerError("nobody serves it")


def running(*healths: str) -> Callable[[], Status]:
    """Return a watchdog that tells these of vip-2.tld's prefixes."""
    routes = [told(vip="vip-2.tld", health=health) for health in healths]
    answer = {"dc": "par1", "backend": "exabgp", "peers": [], "routes": routes, "trouble": []}
    return partial(Status.from_json, answer)


def checked(
    directory: Path,
    table: str,
    mode: int = 0o444,
    status: Callable[[], Status] = nobody,
    source: str = "ipvs",
    more: str = MARKED,
) -> Report:
    loaded = config.load(site(directory, more, source=source), {})
    path = directory / "ip_vs"
    path.write_text(HEAD + table)
    path.chmod(mode)
    return ipvs_rights(loaded, status, path)


@pytest.mark.parametrize("table", ["", MASQUERADED, EMPTY])
def test_what_every_user_may_read(tmp_path: Path, table: str) -> None:
    """Where the file is readable and tells all, no capability is needed: nothing is live of a mark without realservers."""
    assert checked(tmp_path, table).findings == ()


def test_a_file_that_is_closed(tmp_path: Path) -> None:
    """A file that others may not read is a finding, although root may read it."""
    (finding,) = checked(tmp_path, "", 0o440).findings
    assert str(finding) == (
        f"{tmp_path}/ip_vs: mode 0440: vip_watchdog, which is not root, may not read it; give its unit "
        'CAP_NET_ADMIN, see "Where IPVS is not readable" in docs/exabgp.md [ipvs-barred]'
    )


def test_a_mark_that_is_not_told(tmp_path: Path) -> None:
    """So is a mark of ours whose family the file does not tell; another's does not matter."""
    (finding,) = checked(tmp_path, TUNNELLED).findings
    assert (finding.code, finding.subject) == ("ipvs-barred", "fwmark/8")
    assert checked(tmp_path, TUNNELLED, more="").findings == ()


def test_where_it_is_not_needed(tmp_path: Path) -> None:
    """Where no VIP has its health from IPVS, or the kernel has none, there is nothing to find."""
    assert checked(tmp_path, "", 0o400, source="none", more="").findings == ()
    loaded = config.load(tmp_path / "vip.toml", {})
    assert ipvs_rights(loaded, nobody, tmp_path / "nothing").findings == ()


@pytest.mark.parametrize("mode", [0o440, 0o444])
def test_a_watchdog_that_may(tmp_path: Path, mode: int) -> None:
    """A watchdog that knows their health was given the capability; one that does not was not."""
    knows = checked(tmp_path, TUNNELLED, mode, running("up", "down"))
    assert knows.findings == ()
    assert len(checked(tmp_path, TUNNELLED, mode, running("up", "unknown")).findings) == 1
    assert len(checked(tmp_path, TUNNELLED, mode, running()).findings) == 1
