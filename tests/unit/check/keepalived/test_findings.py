"""Every finding beside keepalived's configuration has a situation that gives it, and nothing else does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from policy.lint.finding import Code
from speaker import config
from speaker.check.keepalived import check_keepalived
from speaker.check.keepalived.findings import options
from tests.unit.check.keepalived.files import MAIN, Texts
from tests.unit.check.keepalived.test_servers import server

if TYPE_CHECKING:
    from pathlib import Path

    from speaker.check.report import Report

HEAD = """
[node]
dc = "par1"
[dc.par1]
asn = 64699
"""
VIPS = """
[vip."vip-1.tld"]
addresses = ["192.0.2.1", "2001:db8::1"]
"""
QUICK = "delay_loop 5"
CHECK = "TCP_CHECK {\n}"
BOTH = server("192.0.2.1 80", QUICK, checks=CHECK) + server(
    "2001:db8::1 80", QUICK, real="::1 80", checks=CHECK
)
FIFO = "global_defs {\nlvs_notify_fifo /run/vip-speaker/lvs.fifo\n}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def report(
    folder: Path,
    written: str | None,
    *,
    health: str = "",
    vips: str = VIPS,
    more: str = "",
    **running: str,
) -> Report:
    """Check a site beside a main file; `more` goes before its tables."""
    path = folder / "vip.toml"
    path.write_text(f"{HEAD}[health]\n{health}\n{vips}\n{more}")
    files = Texts({} if written is None else {str(MAIN): written, "/other.conf": BOTH})
    return check_keepalived(config.load(path, {}), files=files, running=running, hostname="lb1.tld")


def codes(found: Report) -> list[tuple[Code, str]]:
    return [(finding.code, finding.subject.removeprefix(f"{MAIN}")) for finding in found.findings]


def test_all_is_well(folder: Path) -> None:
    """Virtual servers for all VIPs, checked in time, with the usual fifo or none: nothing is found."""
    for head in ("", FIFO):
        found = report(folder, head + BOTH)
        assert (found.findings, found.notes) == ((), ())


@pytest.mark.parametrize("health", ['source = "none"', "require_keepalived = false"])
def test_nobody_needs_it(folder: Path, health: str) -> None:
    """Where keepalived keeps no VIP, its configuration is not read."""
    found = report(folder, "}", health=health)
    assert (found.findings, found.notes) == ((), ())


def test_no_file(folder: Path) -> None:
    """The default need not be there; a file that is named must be; one that can't be read is a note."""
    assert codes(report(folder, None)) == []
    found = report(folder, None, health='keepalived_conf = "/nowhere.conf"')
    assert codes(found) == [(Code.KEEPALIVED_FILE, "/nowhere.conf")]
    path = folder / "vip.toml"
    noted = check_keepalived(
        config.load(path, {}), files=Texts({"/nowhere.conf": None}), running={}
    )
    assert noted.findings == ()
    assert "not checked: keepalived: /nowhere.conf: Permission denied" in noted.notes


def test_missing(folder: Path) -> None:
    """A VIP of IPVS without a virtual server, or without one that it requires, by family for a mark.

    keepalived balances UDP where its file names no protocol.
    """
    found = report(folder, server("192.0.2.1 80", QUICK, checks=CHECK))
    assert codes(found) == [(Code.KEEPALIVED_MISSING, "vip-1.tld 2001:db8::1/128")]
    vips = VIPS + 'services = { "tcp/80" = {}, "fwmark/8" = {} }\n'
    both = BOTH.replace(QUICK, f"{QUICK}\nprotocol TCP")
    found = report(folder, both + server("fwmark 8", QUICK, checks=CHECK), vips=vips)
    assert codes(found) == [(Code.KEEPALIVED_MISSING, "vip-1.tld 2001:db8::1/128")]
    assert "has no fwmark/8" in found.findings[0].found
    tunnels = server("fwmark 8", QUICK, "lvs_method TUN", checks=CHECK)
    assert codes(report(folder, both + tunnels, vips=vips)) == []
    found = report(folder, BOTH, vips=VIPS + 'services."tcp/80" = {}\n')
    assert [each.found.partition(" has ")[2] for each in found.findings] == ["no tcp/80 on it"] * 2


def test_missing_is_not_said_in_doubt(folder: Path) -> None:
    """Where something was not understood, nothing is said to be missing; what was found counts."""
    found = report(
        folder, server("203.0.113.1 80") + "virtual_server x y {\nreal_server ::1 80 {\n}\n}"
    )
    assert [code for code, _ in codes(found)] == [Code.KEEPALIVED_EXTRA]
    assert found.notes == (f"not checked: keepalived: {MAIN}:5: x y: not understood",)


def test_extra(folder: Path) -> None:
    """Addresses and marks that no VIP has, also within a range; wide prefixes and other sources count."""
    group = "virtual_server_group G {\n192.0.2.1-3 80\nfwmark 9\n203.0.113.0/24 80\n198.51.100.7 80\n}\n"
    vips = VIPS + '[vip."wide.tld"]\naddresses = [{ ip = "198.51.100.0", prefix_length = 24 }]\n'
    vips += 'health = { source = "none" }\n'
    written = f"{BOTH}\n{group}{server('group G', QUICK, checks=CHECK)}"
    found = report(folder, written, vips=vips)
    assert {code for code, _ in codes(found)} == {Code.KEEPALIVED_EXTRA}
    said = [finding.found.partition("no VIP has ")[2] for finding in found.findings]
    assert said == [
        "192.0.2.2, 192.0.2.3, so no data centre announces it",
        "fwmark/9, so no data centre announces it",
        "203.0.113.0, 203.0.113.1, 203.0.113.2 and 253 more, so no data centre announces it",
    ]


@pytest.mark.parametrize(
    ("lines", "health", "is_found"),
    [
        ("delay_loop 9", "", False),
        ("delay_loop 10", "", True),
        ("", "", True),
        ("delay_loop 8\nretry 2\ndelay_before_retry 2", "", True),
        ("delay_loop 9.5\nretry 0", "", True),
        ("warmup 0", "", False),
        ("delay_loop 20", 'warm_up = "21s"', False),
        ("delay_loop 20", 'rise = "21s"', False),
        ("delay_loop 20", 'warm_up = "1m"\nrise = "5s"', True),
    ],
)
def test_timing(folder: Path, lines: str, health: str, *, is_found: bool) -> None:
    """A check that may come later than warm_up, or rise where that decides, and what to set it to."""
    found = report(folder, BOTH.replace(QUICK, lines), health=health)
    subjects = [(Code.KEEPALIVED_TIMING, ":1 vip-1.tld"), (Code.KEEPALIVED_TIMING, ":9 vip-1.tld")]
    assert [code for code, _ in codes(found)] == [code for code, _ in subjects] * is_found
    for finding in found.findings:
        assert ("rise = " if "rise" in health else "warm_up = ") in finding.remedy


def test_alpha(folder: Path) -> None:
    """In alpha mode nothing is in IPVS before its check: warm_up must reach to the first one."""
    found = report(folder, BOTH.replace(QUICK, "alpha\ndelay_loop 10"))
    assert codes(found) == []
    found = report(folder, BOTH.replace(QUICK, "alpha\ndelay_loop 11"), health='rise = "1m"')
    assert [code for code, _ in codes(found)] == [Code.KEEPALIVED_ALPHA] * 2
    assert found.findings[0].remedy.startswith('warm_up = "')


def test_alike_is_said_alike(folder: Path) -> None:
    """Virtual servers with the same fault differ in their subject only, so that it is said once."""
    first, second = report(folder, BOTH.replace(QUICK, "")).findings
    assert (first.found, first.remedy) == (second.found, second.remedy)


def test_restart(folder: Path) -> None:
    """Scripts at its start and end that may take longer than restart_grace."""
    head = "global_defs {\nstartup_script /bin/x\nstartup_script_timeout %d\n}\n"
    assert codes(report(folder, head % 10 + BOTH)) == []
    assert codes(report(folder, head % 11 + BOTH)) == [(Code.KEEPALIVED_RESTART, ":2")]


@pytest.mark.parametrize(
    ("sorry", "health", "is_found"),
    [
        ("127.0.1.9 80", "", True),
        ("127.0.1.9 80", 'ignore_realservers = ["127.0.1.9"]', False),
        ("127.0.1.9 80", 'ignore_realservers = ["127.0.1.9:80"]', False),
        ("127.0.1.9 80", 'ignore_realservers = ["127.0.1.9:81"]', True),
        ("127.0.1.9", 'ignore_realservers = ["127.0.1.9:81"]', False),
        ("127.0.1.9 80", "drop_at = 1\nrestore_at = 2", False),
    ],
)
def test_sorry(folder: Path, sorry: str, health: str, *, is_found: bool) -> None:
    """A sorry server that counts, because vip.toml does not ignore it."""
    two = BOTH
    for real in ("127.0.1.%d", "::%d"):
        second = f"real_server {real % 8} 80 {{\nTCP_CHECK {{\n}}\n}}\n"
        two = two.replace(f"real_server {real % 1}", f"{second}real_server {real % 1}")
    found = report(folder, two.replace(QUICK, f"{QUICK}\nsorry_server {sorry}", 1), health=health)
    assert codes(found) == [(Code.KEEPALIVED_SORRY, ":3 vip-1.tld")] * is_found


SHARED = """
[vip."vip-1.tld"]
addresses = ["192.0.2.1"]
services."tcp/80" = { share_up = "%d%%", realservers = ["127.0.1.1:80", "127.0.1.2:80", "127.0.1.3:80"] }
"""


@pytest.mark.parametrize(
    ("vips", "health", "more", "is_found"),
    [
        (VIPS, "restore_at = 1", "", False),
        (VIPS, "drop_at = 0\nrestore_at = 2", "", True),
        (SHARED % 33, "", "", False),
        (SHARED % 34, "", "", True),
        (SHARED % 34, "", "global_defs {\nnftables_ipvs\n}\n", False),
    ],
)
def test_few(folder: Path, vips: str, health: str, more: str, *, is_found: bool) -> None:
    """Fewer realservers than must be live for the VIP to come back; nothing is found where there may be more."""
    one = server("192.0.2.1 80", QUICK, "protocol TCP", checks=CHECK)
    if vips is VIPS:
        vips = '[vip."vip-1.tld"]\naddresses = ["192.0.2.1"]\n'
    found = report(folder, more + one, vips=vips, health=health)
    few = [each for each in codes(found) if each[0] is Code.KEEPALIVED_FEW]
    assert few == [(Code.KEEPALIVED_FEW, ":1 vip-1.tld")] * is_found


@pytest.mark.parametrize(
    ("defined", "health", "subject"),
    [
        ("lvs_notify_fifo /run/x", "", ":2"),
        ("notify_fifo /run/x", "", ":2"),
        ("lvs_notify_fifo /run/x\nlvs_notify_fifo_script /bin/x", "", None),
        ("lvs_notify_fifo /run/x", 'keepalived_fifo = "/run/x"', None),
        ("lvs_notify_fifo /run/x\nlvs_notify_fifo /run/y", 'keepalived_fifo = "/run/x"', None),
        ("lvs_notify_fifo /run/x\nlvs_notify_fifo /run/y", 'keepalived_fifo = "/run/y"', ":2"),
        ("lvs_notify_fifo /run/x\nnotify_fifo /run/y", 'keepalived_fifo = "/run/y"', None),
        (
            "lvs_notify_fifo /run/x\nlvs_notify_fifo_script /bin/x",
            'keepalived_fifo = "/run/y"',
            ":2",
        ),
        (
            "lvs_notify_fifo /run/x\nlvs_notify_fifo_script /bin/x",
            'keepalived_fifo = "/run/x"',
            ":2",
        ),
        ("lvs_notify_fifo /run/x\nnotify_fifo_script /bin/x", 'keepalived_fifo = "/run/x"', None),
        ("router_id x", 'keepalived_fifo = "/run/y"', ""),
        ("router_id x", "", None),
    ],
)
def test_fifo(folder: Path, defined: str, health: str, subject: str | None) -> None:
    """Events that go elsewhere, to somebody else as well, or nowhere although vip.toml names a fifo."""
    found = report(folder, f"global_defs {{\n{defined}\n}}\n{BOTH}", health=health)
    assert codes(found) == ([] if subject is None else [(Code.KEEPALIVED_FIFO, subject)])


def test_names(folder: Path) -> None:
    """Processes with other names are not found by vip_watchdog."""
    found = report(folder, f"global_defs {{\nprocess_names\n}}\n{BOTH}")
    assert codes(found) == [(Code.KEEPALIVED_NAME, ":2")]


# --- the keepalived that runs ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("running", "found"),
    [
        ([], {}),
        ([["-n", "-D"]], {}),
        ([["-n", "-f", "/a.conf", "-i", "main"]], {"f": "/a.conf", "i": "main"}),
        ([["-f/a.conf", "-imain"]], {"f": "/a.conf", "i": "main"}),
        ([["--use-file=/a.conf", "--config-id", "main"]], {"f": "/a.conf", "i": "main"}),
        ([["-f", "a.conf"]], {}),
        ([["-f"]], {}),
        ([["-f", "/a.conf"], ["-f", "/b.conf"]], {}),
    ],
)
def test_options(running: list[list[str]], found: dict[str, str]) -> None:
    """Which file and which machine's lines it reads is taken from the one that runs."""
    assert options(running) == found


def test_the_one_that_runs(folder: Path) -> None:
    """Its file is checked, unless vip.toml names another; its config-id, else the machine's name."""
    assert codes(report(folder, "", f="/other.conf")) == []
    named = report(folder, BOTH, health=f'keepalived_conf = "{MAIN}"', f="/other.conf")
    assert named.notes == (f"keepalived runs with /other.conf; {MAIN} is checked",)
    for name, running in (("lb1", {}), ("main", {"i": "main"})):
        found = report(folder, f"@^{name} junk {{\n{BOTH}", **running)
        assert (found.findings, found.notes) == ((), ())
