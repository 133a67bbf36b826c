"""What the shell toolkit took for true, on what the daemons were recorded to say, and what is read now.

`Toolkit` is how it judged. Each test shows that its judgement is wrong there, and ours is not.
"""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from policy.health import Service
from policy.plan import Announce, Drift, Withdraw
from policy.route import Prefix, Route, parse_prefix
from speaker.backends.base import BackendError
from speaker.backends.quagga.announced import announced
from speaker.backends.quagga.commands import refusal
from speaker.backends.quagga.driver import QuaggaBackend
from speaker.backends.quagga.running_config import Running, parse_running
from speaker.backends.quagga.table import parse_tables
from speaker.backends.quagga.vtysh import NotRunningError, Output, Shell
from speaker.health.ipvs.proc_text import Parser
from speaker.health.ipvs.table import Counting, Watched
from tests.contract.quagga_worlds import SETTINGS, no_pause
from tests.contract.worlds import ASN, PROFILES
from tests.golden.transcript import DIALECTS, Transcript
from tests.support.fakes.bgpd import Bgpd, Dialect

if TYPE_CHECKING:
    from collections.abc import Sequence

OLD, QUAGGA, FRR = DIALECTS[:3]
P1 = parse_prefix("192.0.2.1/32")
ASKED = "show bgp ipv4 unicast 192.0.2.1/32"
TABLE4 = "show bgp ipv4 unicast"
RUNNING = "show running-config"
each_dialect = pytest.mark.parametrize("dialect", DIALECTS)


class Toolkit:
    """How the shell toolkit judged."""

    @staticmethod
    def announced(output: Output) -> bool:
        """`vtysh -c 'show bgp … P/32'` said anything but this."""
        return output.stdout.strip() != "% Network not in table"

    @staticmethod
    def realservers(lines: Sequence[str]) -> int:
        """Every `->` below the virtual server was one that lives."""
        return sum("->" in line for line in lines)

    @staticmethod
    def done(output: Output) -> bool:
        """vtysh ended with 0, if anybody looked."""
        return output.status == 0


def ours(table: Sequence[str], running: Running) -> Route | Drift | None:
    """Return what the driver reads of 192.0.2.1/32."""
    return announced(P1, running, parse_tables(table), ASN)


def configured(*prefixes: Prefix) -> Running:
    return Running([ASN], dict.fromkeys(prefixes, None))


@each_dialect
def test_toolkit_asked_for_a_128_of_an_ipv4_address(dialect: Dialect) -> None:
    """Its watchdog never worked for IPv4: "unknown command" was "announced". Ours asks for no prefix."""
    error = Transcript.load(dialect, "11").entries[0].output
    assert error.stdout.startswith("% Unknown command")
    assert Toolkit.announced(error)
    bgpd = Bgpd(dialect)
    backend = QuaggaBackend(bgpd, pause=no_pause)
    backend.configure(ASN, SETTINGS, PROFILES)
    asyncio.run(backend.read([P1]))
    assert not any("192.0.2.1" in command for run in bgpd.runs for command in run)
    bgpd.faults[:] = [False, True]
    with pytest.raises(BackendError):
        asyncio.run(backend.read([P1]))


@each_dialect
def test_toolkit_took_a_learned_route_for_an_announcement(dialect: str) -> None:
    """So `-a` said "already exists" and announced nothing, and `-d` never ended. Ours: not announced."""
    transcript = Transcript.load(dialect, "16")
    assert Toolkit.announced(transcript.said(ASKED, time=1))
    table = transcript.said(TABLE4, time=1).stdout.splitlines()
    assert any("192.0.2.1/32" in line for line in table)
    assert ours(table, configured()) is None


@pytest.mark.parametrize("dialect", [QUAGGA, FRR])
def test_toolkit_took_a_bgpd_that_is_down_for_an_announcement(dialect: str, tmp_path: Path) -> None:
    """Silence was "announced"; on Quagga even exit status 0 was. Ours names the daemon, and stops."""
    down = Transcript.load(dialect, "14")
    asked = next(entry.output for entry in down.entries if entry.commands == (ASKED,))
    assert Toolkit.announced(asked)
    named = next(entry.output for entry in down.entries if "-d bgpd" in entry.line)
    path = tmp_path / "vtysh"
    path.write_text(f"#!/bin/sh\necho '{named.stderr.strip()}' >&2\nexit {named.status}\n")
    path.chmod(0o755)
    with pytest.raises(NotRunningError):
        asyncio.run(Shell(path)([RUNNING]))


def test_toolkit_took_no_instance_for_an_announcement() -> None:
    """A bgpd that has lost its configuration announces nothing. Ours refuses it before any write."""
    lost = Transcript.load(FRR, "17")
    assert Toolkit.announced(lost.said(TABLE4))
    made = lost.said("configure terminal", "router bgp 64699", "no network 192.0.2.1/32")
    assert made.stdout, "and its `-d` left an instance behind:"
    assert "router bgp" in lost.said(RUNNING, time=1).stdout
    assert "router bgp" not in lost.said(RUNNING).stdout
    assert parse_running(lost.said(RUNNING).stdout.splitlines()).asns == []


def test_toolkit_took_an_invalid_route_for_an_announcement() -> None:
    """FRR's import-check: the route is in the table and goes to nobody. Ours says so, with the remedy."""
    defaults = Transcript.load(FRR, "00")
    assert Toolkit.announced(defaults.said(ASKED))
    found = ours(defaults.said(TABLE4).stdout.splitlines(), configured(P1))
    assert isinstance(found, Drift)
    assert "import-check" in found.found


@each_dialect
def test_toolkit_trusted_a_line_whose_route_map_is_missing(dialect: str) -> None:
    """bgpd takes it without a word, with exit status 0, and announces nothing. Ours reads the table."""
    entry = Transcript.load(dialect, "10").entries[0]
    assert Toolkit.done(entry.output)
    prefix = parse_prefix("192.0.2.30/32")
    running = configured(prefix)
    table = Transcript.load(dialect, "03").said(TABLE4).stdout.splitlines()
    assert isinstance(announced(prefix, running, parse_tables(table), ASN), Drift)


def test_toolkit_trusted_running_config_after_the_boot_bug() -> None:
    """Quagga 1.2 has the line and not the route, from its start on. Ours sees it, and enters it again."""
    boot = Transcript.load(QUAGGA, "00-boot-routemap-defined-after")
    table = boot.said("show ip bgp").stdout.splitlines()
    assert isinstance(ours(table, configured(P1)), Drift)


@each_dialect
def test_toolkit_trusted_exit_statuses(dialect: str) -> None:
    """Quagga refuses with exit status 0: an absent network, a wrong AS. Ours: any word is a refusal."""
    refused = next(
        entry.output
        for entry in Transcript.load(dialect, "09").entries
        if entry.commands[-1] == "no network 192.0.2.200/32"
    )
    assert Toolkit.done(refused) == dialect.startswith("quagga")
    assert refusal(refused.stdout)


def test_toolkit_lost_what_stood_behind_an_absent_network() -> None:
    """FRR skips the rest of a batch behind `no network` of nothing. Ours never writes that."""
    entries = Transcript.load(FRR, "09").entries
    (lost,) = [e for e in entries if e.commands[-1] == "no network 192.0.2.201/32"]
    assert lost.output.stdout.startswith("% Can't find"), "192.0.2.201/32 was never entered"
    bgpd = Bgpd("frr-8.4.4")
    backend = QuaggaBackend(bgpd, pause=no_pause)
    backend.configure(ASN, SETTINGS, PROFILES)
    for withdrawn in ("192.0.2.200/32", "2001:db8::200/128"):
        _withdraw_and_announce(backend, parse_prefix(withdrawn))
        assert P1 in bgpd.networks
        assert not any(f"no network {withdrawn}" in run for run in bgpd.runs)


def _withdraw_and_announce(backend: QuaggaBackend, prefix: Prefix) -> None:
    route = Route(P1, PROFILES[1].attributes(ASN))
    assert asyncio.run(backend.apply([Withdraw(prefix), Announce(route)])) == {}


@each_dialect
def test_toolkit_took_a_lock_for_success(dialect: Dialect) -> None:
    """Somebody was configuring: nothing was applied, and nobody noticed. Ours waits, then does it."""
    bgpd = Bgpd(dialect, locked=3)
    backend = QuaggaBackend(bgpd, pause=no_pause)
    backend.configure(ASN, SETTINGS, PROFILES)
    _withdraw_and_announce(backend, parse_prefix("192.0.2.200"))
    assert P1 in bgpd.networks


def test_toolkit_counted_realservers_that_serve_nobody() -> None:
    """Weight 0 and a sorry server are lines as well, so the VIP stayed. Ours: no realserver lives."""
    recorded = (
        Path(__file__).parents[1] / "unit" / "health" / "ipvs" / "recorded" / "linux-6.1-proc.txt"
    )
    table = recorded.read_bytes()
    dead = table.replace(b"C6336401:1F90      Masq    1", b"C6336401:1F90      Masq    0")
    lines = dead.decode().splitlines()
    at = lines.index("TCP  C0000201:0050 rr  ")
    assert Toolkit.realservers(lines[at : at + 3]) == 2
    sorry = ip_address("127.0.0.1")
    only_sorry = dead.replace(b"C6336409:0050      Tunnel  1", b"C6336409:0050      Tunnel  0")
    watched = [
        Watched(P1),
        Watched(parse_prefix("192.0.2.6/32"), ignored=frozenset({(sorry, None)})),
    ]
    web = Service("tcp", 80)
    found = Counting(watched).count(Parser().parse(only_sorry)).live
    assert [services[web] for services in found.values()] == [0, 0]
    before = Counting(watched).count(Parser().parse(table)).live
    assert [services[web] for services in before.values()] == [1, 1]
