"""Each command's work grows with the number of prefixes, whatever it is given thousands of."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import pytest

from speaker import vip_mgmt
from speaker.exit_status import ExitStatus
from tests.support.lab.growth import Work, assert_linear, counting
from tests.unit.cli.test_schedule import window
from tests.unit.test_vip_mgmt import reconciler, state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

FIRST = IPv4Address("198.18.0.0")
HEAD = """
[node]
dc = "par1"
state = "{directory}/state.sqlite3"
control = "{directory}/control.sock"
resolver = "127.0.0.1:9"
[dc.par1]
asn = 64699
[dc.lyo1]
asn = 64699
[backend.exabgp]
next_hop = {{ ipv6 = "2001:db8:ffff::2" }}
"""

# --- what vip.toml has ---------------------------------------------------------------------------

pytestmark = pytest.mark.slow  # it measures


def many(count: int, *lines: str) -> str:
    """Return so many VIPs with an address each."""
    return "".join(
        f'[vip."vip-{number}.example"]\naddresses = ["{FIRST + number}"]\n'
        + "".join(f"{line.format(number=number)}\n" for line in lines)
        for number in range(count)
    )


def one(count: int) -> str:
    """Return one VIP with so many addresses."""
    addresses = ", ".join(f'"{FIRST + number}"' for number in range(count))
    return f'[vip."vip-1.example"]\naddresses = [{addresses}]\n'


SHAPES = {"many VIPs": many, "one VIP": one}
FAULTS: dict[str, Callable[[int], str]] = {
    "unknown keys": lambda count: many(count, "colour = {number}"),
    "unknown profiles": lambda count: many(count, 'ranks = ["p{number}", "q{number}"]'),
    "unknown data centres": lambda count: many(count, 'prefer = ["par1", "x{number}"]'),
    "bad thresholds": lambda count: many(count, "health = {{ drop_at = 5 }}"),
    "bad services": lambda count: many(count, 'services = {{ "x{number}" = {{}} }}'),
    "bad addresses": lambda count: many(count).replace("198.", "998."),
    "the same address": lambda count: many(count).replace("198.18.0.0", "198.18.0.1"),
    "bad profiles": lambda count: (
        "".join(f"[profile.p{n}]\nprepends = -1\n" for n in range(count))
        + many(count, 'ranks = ["p{number}", "p{number}"]')
    ),
}
"""What may be wrong with each VIP, or each profile."""


def run(
    directory: Path, count: int, text: str, words: Sequence[str], answers: dict[str, Any] | None
) -> Work:
    """Run vip_mgmt over a configuration, with a watchdog that answers from a script; count its work."""
    place = directory / str(count)
    place.mkdir()
    file = place / "vip.toml"
    file.write_text(HEAD.format(directory=place) + text)
    for name, old, new in (
        ("moved.toml", '"198.', '"203.'),
        ("turned.toml", "\naddresses", '\nprefer = ["lyo1", "par1"]\naddresses'),
    ):
        (place / name).write_text(HEAD.format(directory=place) + text.replace(old, new))
    arguments = ["--config", str(file), *(word.format(place) for word in words)]
    with reconciler(place, **(answers or {})), counting() as work:
        status = vip_mgmt.main(arguments)
    assert (status == ExitStatus.USAGE) == (answers is None and "--form" in words)
    return work


# --- what is asked -------------------------------------------------------------------------------


def answers(count: int) -> dict[str, Any]:
    """Return what a watchdog answers that has so many prefixes."""
    prefixes = [f"{FIRST + number}/32" for number in range(count)]
    routes = [state(prefix, vip=f"vip-{n}.example") for n, prefix in enumerate(prefixes)]
    entries = [{"time": 1.0, "prefix": p, "event": "announced", "reason": "up"} for p in prefixes]
    explained = [
        {
            **route,
            "dc": "par1",
            "prefer": ["par1", "lyo1"],
            "profile": "prepend-1: as-path [ 64699 64699 ]",
            "operator": "auto",
            "decided_by": "health",
            "history": entries[:5],
        }
        for route in routes
    ]
    changes = [{"action": "withdraw", "prefix": p, "route": "", "reason": "down"} for p in prefixes]
    windows = [window(number=n, prefixes=[prefix]) for n, prefix in enumerate(prefixes, 1)]
    peer = {"name": "203.0.113.1", "address": "203.0.113.1", "asn": 64496, "up": True}
    return {
        "status": {
            "dc": "par1",
            "backend": "exabgp",
            "peers": [peer],
            "routes": routes,
            "trouble": [],
        },
        "explain": explained,
        "history": entries,
        "plan": changes,
        "intents": routes,
        "windows": windows,
    }


COMMANDS = [
    "status",
    "status all",
    "status --json",
    "explain all",
    "history",
    "history all",
    "plan",
    "plan --json",
    "plan --without lyo1",
    "plan --without lyo1 all",
    "plan --without lyo1 --json",
    "-d all",
    "-d all --dry-run",
    "-a all",
    "-a all --dry-run",
    "-d all --for 1h",
    "-d all --soft --no-wait",
    "-d all --soft --dry-run",
    "explain all --json",
    "history all --json",
    "schedule",
    "schedule --json",
    "check --form",
    "check --offline",
    "check --offline --json",
    "check --offline {}/moved.toml",
    "check --offline {}/turned.toml",
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("command", COMMANDS)
def test_of_a_command(tmp_path: Path, command: str, shape: str) -> None:
    """Over many VIPs, and over one with as many addresses."""
    assert_linear(
        lambda count: run(tmp_path, count, SHAPES[shape](count), command.split(), answers(count))
    )


@pytest.mark.parametrize("fault", FAULTS)
def test_of_faults(tmp_path: Path, fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything that is wrong with a configuration is named at once, however much it is."""
    assert_linear(
        lambda count: run(tmp_path, count, FAULTS[fault](count), ["check", "--form"], None)
    )
    assert capsys.readouterr().err.count("\n") >= 2


def networks(count: int) -> tuple[list[str], list[str]]:
    return [f"network {FIRST + number}/32 route-map BGP1" for number in range(count)], []


def listed(count: int) -> tuple[list[str], list[str]]:
    """Networks that a list of them all lets through."""
    lines = [*networks(count)[0], "neighbor 203.0.113.1 prefix-list P out"]
    return lines, [f"ip prefix-list P permit {FIRST + number}/32" for number in range(count)]


def mapped(count: int) -> tuple[list[str], list[str]]:
    """Networks that have a route-map each."""
    numbers = range(count)
    return (
        [f"network {FIRST + number}/32 route-map M{number}" for number in numbers],
        [f"route-map M{number} permit 10\nset as-path prepend 64699" for number in numbers],
    )


@pytest.mark.parametrize("shape", [networks, listed, mapped])
def test_of_import(
    tmp_path: Path,
    shape: Callable[[int], tuple[list[str], list[str]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """bgpd's configurations are imported, and the result is compared with one of them."""
    monkeypatch.setenv("VIP_DC", "par1")

    def measure(count: int) -> Work:
        place = tmp_path / str(count)
        place.mkdir()
        lines, below = shape(count)
        text = "\n".join(
            [
                "frr version 8.4.4",
                "router bgp 64699",
                "bgp router-id 203.0.113.10",
                "no bgp ebgp-requires-policy",
                "no bgp network import-check",
                "neighbor 203.0.113.1 remote-as 64500",
                "neighbor 203.0.113.1 update-source 203.0.113.10",
                *lines,
                *below,
                "route-map BGP1 permit 10",
                "set as-path prepend 64699\n",
            ]
        )
        (place / "par1.conf").write_text(text)
        (place / "lyo1.conf").write_text(text.replace("prepend", "prepend 64699"))
        files = [f"{dc}={place / dc}.conf" for dc in ("par1", "lyo1")]
        out = ["--out", str(place / "out"), "--exabgp", "/bin/true"]
        config = ["--config", str(place / "out" / "vip.toml")]
        with counting() as work:
            # par1 has all of the load, which is said.
            assert vip_mgmt.main(["import", *files, *out]) != ExitStatus.USAGE
            assert vip_mgmt.main([*config, "compare", str(place / "par1.conf")]) == ExitStatus.DONE
        return work

    assert_linear(measure)


@pytest.mark.parametrize("words", ["-d", "-a", "status"])
def test_of_a_command_without_a_watchdog(tmp_path: Path, words: str) -> None:
    """What is recorded, or shown of what is recorded, where nobody answers."""
    assert_linear(lambda count: run(tmp_path, count, many(count), [words, "all"], None))
