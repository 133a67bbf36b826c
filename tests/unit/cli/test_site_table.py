"""vip_mgmt status --site: each VIP at each machine, what is wrong first, what is not known as such; at 80 columns, too."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policy.site_view import Level
from speaker.cli.site_shown import is_well
from speaker.cli.site_table import machine_notes, site_json, site_text
from speaker.site_values import MachineState, MachineStatus, SitePrefix, SiteStatus, SiteVip
from tests.support.lab.growth import assert_linear, counting
from tests.unit.test_vip_mgmt import SECOND, V4, Run, reconciler, run

__all__ = ["run"]

MACHINES = tuple(
    MachineStatus(dc=dc, machine=machine, live=machine != "lb4")
    for dc, machine in (("par1", "lb1"), ("par1", "lb2"), ("lyo1", "lb3"), ("lyo1", "lb4"))
)


def prefix(name: str, level: str, why: str = "", **announced: bool | None) -> SitePrefix:
    dcs = {"lb1": "par1", "lb2": "par1", "lb3": "lyo1", "lb4": "lyo1"}
    states = tuple(
        MachineState(machine=f"{dcs[machine]}/{machine}", announced=told)
        for machine, told in announced.items()
    )
    return SitePrefix(vip="vip-4.tld", prefix=name, level=Level(level), why=why, states=states)


def status(**more: Any) -> SiteStatus:
    given: dict[str, Any] = {
        "dc": "par1",
        "machine": "lb1",
        "connected": True,
        "machines": MACHINES,
        "prefixes": (
            prefix(
                "192.0.2.11/32",
                "wrong",
                "par1/lb2: not announced, although up",
                lb1=True,
                lb2=False,
            ),
            prefix(
                "192.0.2.12/32",
                "unknown",
                "lyo1/lb4: not known",
                lb1=True,
                lb2=True,
                lb3=True,
                lb4=None,
            ),
        ),
        "well": (SiteVip(vip="vip-1.tld", prefixes=2, dcs=("par1",)),),
        **more,
    }
    return SiteStatus(**given)


def test_to_the_letter() -> None:
    """A column for each machine; `-` where it is not to announce it; reasons below."""
    assert site_text(status(), 80).splitlines() == [
        "par1/lb1: etcd is connected; 3 of 4 machines live, in 2 data centres",
        "lyo1/lb4: SILENT: what it announces is not known",
        "",
        "   VIP, PREFIX            par1/lb1 par1/lb2 lyo1/lb3 lyo1/lb4",
        "   vip-4.tld",
        "!    192.0.2.11/32        yes      no       -        -",
        "      par1/lb2: not announced, although up",
        "?    192.0.2.12/32        yes      yes      yes      ?",
        "      lyo1/lb4: not known",
        "   vip-1.tld (2 prefixes) yes      yes      -        -",
        "",
        "! not as wanted  ? not known  - not announced by some, by an operator or for its",
        "health",
    ]


def test_where_there_is_little_place() -> None:
    """A column for each data centre, else one: how many announce it of those that are to, and of how many that is not known."""
    assert site_text(status(), 48).splitlines()[4:10] == [
        "   VIP, PREFIX            par1 lyo1",
        "   vip-4.tld",
        "!    192.0.2.11/32        1/2  -",
        "      par1/lb2: not announced, although up",
        "?    192.0.2.12/32        2/2  1/2 ?1",
        "      lyo1/lb4: not known",
    ]
    many = tuple(MachineStatus(dc=f"data-centre-{n}", machine="lb", live=True) for n in range(9))
    states = tuple(MachineState(machine=each.name, announced=None) for each in many)
    one = SitePrefix(vip="vip-4.tld", prefix=V4, level=Level.UNKNOWN, states=states)
    shown = site_text(status(machines=many, prefixes=(one,), well=()), 80)
    assert f"?    {V4} 0/9 ?9" in shown.splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 132])
def test_it_fits(width: int) -> None:
    """No line is longer than the terminal is wide, whatever names are."""
    machines = tuple(
        MachineStatus(dc=f"data-centre-{n % 7}", machine=f"load-balancer-{n}", live=True)
        for n in range(20)
    )
    states = tuple(MachineState(machine=each.name, announced=None) for each in machines)
    long = SitePrefix(
        vip="a-name-that-is-long." * 5,
        prefix="2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/128",
        level=Level.UNKNOWN,
        why="not known " * 30,
        states=states,
    )
    shown = status(machines=machines, prefixes=(long,), left={"aside": 3}, well_left=7)
    table = site_text(shown, width).splitlines()[2:]
    assert [
        line for line in table if len(line) > width and "a-name" not in line and "more" not in line
    ] == []


def test_what_is_left_out() -> None:
    """It is counted, and said how it is shown."""
    shown = site_text(status(left={"wrong": 1, "aside": 3}, well_left=2), 80).splitlines()
    assert "!  and 1 more prefix, not as wanted; --all shows every prefix" in shown
    assert "-  and 3 more prefixes, not announced by some; --all shows every prefix" in shown
    assert "   and 2 more VIPs, all as wanted; --all shows every prefix" in shown


def test_without_etcd() -> None:
    """What others did meanwhile is not known, and that is said first."""
    head = site_text(status(connected=False, trouble="no member answers", queued=2))
    assert head.splitlines()[:3] == [
        "par1/lb1: etcd is NOT CONNECTED: what others did since is not known; 3 of 4 machines live, in 2 data centres",
        "TROUBLE: site: no member answers",
        "queued: 2 orders that etcd is not known to have: others do not obey them yet",
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"live": False}, ["SILENT: what it announces is not known"]),
        (
            {"live": False, "silent_since": 0.0},
            ["SILENT since 1970-01-01T00:00:00Z: what it announces is not known"],
        ),
        (
            {"same_file": False},
            [
                "its vip.toml differs from this machine's; make them the same: vip_mgmt check FILE compares"
            ],
        ),
        ({"same_file": None}, []),
        ({"clock_off": 62.0}, ["its clock is 1m2s ahead of this machine's; see NTP on both"]),
        ({"clock_off": -62.0}, ["its clock is 1m2s behind this machine's; see NTP on both"]),
        ({"clock_off": 5.0}, []),
        (
            {"differs": 3, "why": "bgpd does not answer"},
            ["3 prefixes are not as ordered: bgpd does not answer"],
        ),
    ],
)
def test_of_a_machine(more: dict[str, Any], said: list[str]) -> None:
    """What is wrong with it is named."""
    each = MachineStatus(**{"dc": "par1", "machine": "lb1", "live": True, **more})
    assert [*machine_notes(each)] == said


def test_nothing_acts_on_the_terminal() -> None:
    """Whatever stands in etcd, or in a watchdog's answer, is only shown."""
    evil = "\x1b[31m\nlb9"
    machines = (MachineStatus(dc=evil, machine=evil, live=False, differs=1, why=evil),)
    states = (MachineState(machine=f"{evil}/{evil}", announced=True),)
    one = SitePrefix(vip=evil, prefix=evil, level=Level.WRONG, why=evil, states=states)
    for width in (None, 80):
        shown = site_text(status(trouble=evil, machines=machines, prefixes=(one,), well=()), width)
        assert "\x1b" not in shown
        assert not any(line.startswith("lb9") for line in shown.splitlines())


def test_json() -> None:
    """All that is known, without what is only counted."""
    shown = json.loads(site_json(status()))
    assert [*shown] == ["dc", "machine", "connected", "trouble", "queued", "machines", "prefixes"]
    assert shown["prefixes"][1]["states"][3] == {
        "machine": "lyo1/lb4",
        "announced": None,
        "as_path": "",
        "health": "",
        "intent": "",
        "differs": "",
    }


def test_is_well() -> None:
    """What is wrong, or not known, is exit status 1; what an operator or health took aside is not."""
    well = status(machines=MACHINES[:3], prefixes=(), left={"aside": 4})
    assert is_well(well)
    for more in (
        {"connected": False},
        {"machines": MACHINES},
        {"prefixes": status().prefixes},
        {"left": {"unknown": 1}},
    ):
        assert not is_well(SiteStatus(**{**well.values(), **more}))


SITE = '[site]\netcd = ["http://127.0.0.1:2379"]\nmachine = "lb1"\n'


def test_the_command(run: Run) -> None:
    """It asks the watchdog that runs: in short, of what is named, or all; and says who can't tell."""
    assert run("status", "--site") == 1
    assert run.err == [
        (
            "bgp_mgt: status --site: vip.toml has no [site], so this machine knows of no other; without it, run vip_mgmt status "
            "on each"
        )
    ]
    path = run.directory / "vip.toml"
    path.write_text(path.read_text() + SITE)
    told = status(machines=MACHINES[:3], prefixes=()).to_json()
    for words, target in (
        ([], "/site"),
        (["--all"], "/site?all=1"),
        (["--json"], "/site?all=1"),
        (["192.0.2.2"], f"/site?prefix={SECOND.replace('/', '%2F')}"),
    ):
        with reconciler(run.directory, site=told) as asked:
            assert run("status", "--site", *words) == 0
        assert asked == [("GET", target, None)]
    with reconciler(run.directory):
        assert run("status", "--site") == 1
    assert run.err == [
        "bgp_mgt: the vip_watchdog that runs is older than this vip_mgmt, and knows of no other machines; restart it"
    ]
    with reconciler(
        run.directory, site=(404, {"error": "site: this watchdog knows of no other machines"})
    ):
        assert run("status", "--site") == 1
    assert run.err == ["bgp_mgt: site: this watchdog knows of no other machines"]


@pytest.mark.slow
def test_growth() -> None:
    """What is shown takes work in proportion to what is told."""

    def measure(count: int) -> Any:
        states = tuple(MachineState(machine=each.name, announced=True) for each in MACHINES)
        many = tuple(
            SitePrefix(vip=f"vip-{n}.tld", prefix=f"{V4}{n}", level=Level.WELL, states=states)
            for n in range(count)
        )
        shown = status(prefixes=many)
        with counting() as work:
            site_text(shown, 80)
            site_json(shown)
        return work

    assert_linear(measure)
