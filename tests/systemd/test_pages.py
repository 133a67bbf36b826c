"""docs/tutorial.md and docs/how-to, line by line, on one machine whose router is the tutorial's; from apt install to purge."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.live.runbook import blocks
from tests.support.lab.eventually import eventually
from tests.support.lab.machine import Machine
from tests.support.lab.netns import Network
from tests.systemd.typed import block, typed
from tests.systemd.wheels import SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.lab.release import Release
    from tests.systemd.built import Built

TUTORIAL = "docs/tutorial.md"
ONE, TWO, THREE = "192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32"


@pytest.fixture(scope="module")
def machine(suite: Release, packages: Built) -> Iterator[Machine]:
    """A machine with no network but its own, no pages in /usr/share/doc, and the packages beside."""
    with Network() as network:
        masked = ["exabgp.service", "frr.service", "bird.service"]
        machine = Machine(network.host("lb1"), suite.root, masked=masked)
        machine.write("/etc/dpkg/dpkg.cfg.d/nodoc", "path-exclude=/usr/share/doc/*\n")
        packages.put(machine)
        machine.start()
        yield machine


def routes(machine: Machine) -> dict[str, list[str]]:
    """Return what the tutorial's router has: prefix -> AS_PATH."""
    said = machine.sh("birdc -s /run/router.ctl show route all")
    found: dict[str, list[str]] = {}
    for line in said.splitlines():
        if match := re.match(r"(\S+/\d+) ", line):
            prefix = match[1]
        elif match := re.match(r"\s+BGP.as_path: (.*)", line):
            found[prefix] = match[1].split()
    return found


def sees(machine: Machine, *prefixes: str) -> None:
    """Wait until the router has just these."""
    eventually(
        lambda: set(routes(machine)),
        until=lambda seen: seen == set(prefixes),
        within=20,
        what=f"{prefixes} at the router",
    )


def follow(machine: Machine, page: str, heading: str, number: int = 0) -> str:
    return typed(machine, block(page, heading, number))


def toml(page: str) -> str:
    """Return the part of vip.toml that a page has."""
    found = re.search(
        r"^```toml\n(.*?)^```$", (SOURCE / page).read_text(), re.DOTALL | re.MULTILINE
    )
    assert found
    return found[1]


def shown(page: str, command: str) -> list[list[str]]:
    """Return the words of what a page shows of a command's output."""
    text = (SOURCE / page).read_text()
    found = re.search(rf"^```console\n# {command}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert found
    return words(found[1])


def words(text: str) -> list[list[str]]:
    """Return the words of lines; which ExaBGP it is may change."""
    return [re.sub(r"ExaBGP [0-9.]+", "ExaBGP", line).split() for line in text.splitlines()]


def test_tutorial(machine: Machine) -> None:
    """It leads to a VIP at a router, a withdrawal and its reason, a drain that outlives a restart, as it shows it."""
    used = list[tuple[str, int]]()

    def do(heading: str, number: int = 0) -> str:
        used.append((heading, number))
        return follow(machine, TUTORIAL, heading, number)

    said = do("Install")
    assert "systemctl enable --now exabgp-vip" in said
    do("A router")
    assert "2 prefixes, no findings" in do("A VIP with a realserver")
    do("Announce it")
    sees(machine, ONE, TWO)
    assert routes(machine) == {ONE: ["64699"] * 2, TWO: ["64699"] * 3}
    said = do("Announce it", 1)
    table = words(said)[: len(shown(TUTORIAL, "vip_mgmt status"))]
    assert table == shown(TUTORIAL, "vip_mgmt status")
    assert "BGP.as_path: 64699 64699 64699" in said
    do("A realserver dies")
    sees(machine)
    assert "withdraw, by health" in do("A realserver dies", 1)
    do("A realserver dies", 2)
    sees(machine, ONE, TWO)
    do("Drain it")
    assert routes(machine) == {}
    assert "drained by root" in do("Drain it", 1)
    eventually(
        lambda: "Established" in machine.sh("birdc -s /run/router.ctl show protocols"),
        within=20,
        what="the session",
    )
    assert routes(machine) == {}
    assert "new kernel" in do("Drain it", 2)
    sees(machine, ONE, TWO)
    written = {(h, n) for h, every in blocks(SOURCE / TUTORIAL).items() for n in range(len(every))}
    assert written - set(used) == {("Throw it away", 0)}


def test_add_a_vip(machine: Machine) -> None:
    """The page's table, appended and loaded, is announced; the others stay."""
    page = "docs/how-to/add-a-vip.md"
    before = machine.sh("cat /etc/vip-speaker/vip.toml")
    machine.write("/etc/vip-speaker/vip.toml", f"{before}\n{toml(page)}")
    follow(machine, page, "")
    sees(machine, ONE, TWO, THREE)
    machine.write("/etc/vip-speaker/vip.toml", before)
    machine.sh("systemctl reload exabgp-vip")
    sees(machine, ONE, TWO)


def test_couple_an_application(machine: Machine) -> None:
    """The VIP goes with what the application says, for the reason that the page shows; the way there withdraws nothing."""
    page = "docs/how-to/couple-an-application.md"
    before = machine.sh("cat /etc/vip-speaker/vip.toml")
    head = before[: before.index('[vip."vip-1.tld"]')]
    follow(machine, page, "The application says how it is")
    machine.write("/etc/vip-speaker/vip.toml", head + toml(page))
    assert "2 prefixes, no findings" in follow(machine, page, "A check, and a rule")
    eventually(
        lambda: "check/shop is up" in machine.sh("vip_mgmt explain 192.0.2.1"),
        within=20,
        what="an answer of the application",
    )
    assert set(routes(machine)) == {ONE, TWO}
    follow(machine, page, "It says that it is not well")
    sees(machine)
    (reason,) = re.findall(r"^```console\n(.*)\n```$", (SOURCE / page).read_text(), re.MULTILINE)
    assert reason in follow(machine, page, "It says that it is not well", 1)
    follow(machine, page, "It says that it is not well", 2)
    sees(machine, ONE, TWO)
    machine.write("/etc/vip-speaker/vip.toml", before)
    machine.sh("systemctl reload exabgp-vip")
    sees(machine, ONE, TWO)


def test_change_a_preference(machine: Machine) -> None:
    """With the page's order this data centre is the second choice, and no look at the router lacks the VIP."""
    page = "docs/how-to/change-a-preference.md"
    before = machine.sh("cat /etc/vip-speaker/vip.toml")
    head = before[: before.index('[vip."vip-1.tld"]')]
    machine.write("/etc/vip-speaker/vip.toml", head + toml(page))
    assert "2 of 2 addresses move" in follow(machine, page, "")
    follow(machine, page, "", 1)
    eventually(
        lambda: routes(machine),
        until=lambda seen: seen == {ONE: ["64699"] * 3, TWO: ["64699"] * 3},
        within=20,
        what="the second choice",
    )
    machine.write("/etc/vip-speaker/vip.toml", before)
    machine.sh("systemctl reload exabgp-vip")
    eventually(
        lambda: len(routes(machine)[ONE]), until=lambda n: n == 2, within=20, what="the first"
    )


def test_drain_a_data_centre(machine: Machine) -> None:
    """All VIPs are gone when the lines have returned, and back when the others have."""
    page = "docs/how-to/drain-a-data-centre.md"
    assert "move" in follow(machine, page, "")
    assert "drained" in follow(machine, page, "", 1)
    assert routes(machine) == {}
    follow(machine, page, "", 2)
    assert set(routes(machine)) == {ONE, TWO}


def test_upgrade_and_roll_back(machine: Machine, packages: Built) -> None:
    """To the next version and back, with a drain in force: no route goes, the drain holds, each version is the one that runs."""
    page = "docs/how-to/upgrade.md"
    old = packages.first.name
    machine.sh("vip_mgmt -d 192.0.2.2 --reason upgrade")
    for heading, name, path in (
        ("Upgrade", "NEW", "next/" + packages.name_of_second),
        ("Roll back", "OLD", old),
    ):
        lines = block(page, heading).replace(f"vip-speaker_{name}.deb", path).splitlines()
        typed(machine, lines[0])
        version = path.split("_")[1]
        eventually(
            lambda version=version: f"/{version}/" in runs(machine),  # type: ignore[misc] # one of this turn
            within=20,
            what=f"vip_watchdog {version}",
        )
        assert "upgrade" in typed(machine, "\n".join(lines[1:]))
        assert set(routes(machine)) == {ONE}
        follow(machine, page, "Upgrade", 1)
    machine.sh("vip_mgmt -a 192.0.2.2")


def runs(machine: Machine) -> str:
    """Return the command line of the watchdog that runs."""
    main = machine.shown("exabgp-vip", "MainPID")
    return machine.sh(
        f"for pid in $(cat /proc/{main}/task/{main}/children); do tr '\\0' ' ' < /proc/$pid/cmdline; done"
    )


def test_upgrade_while_a_session_can_not_be_tried(machine: Machine, packages: Built) -> None:
    """The next version's vip_watchdog runs then, too: ExaBGP 5.0 would pass over USR2, as a route waits for that session."""
    address = "192.0.2.10/24 dev lb"
    machine.sh("systemctl stop exabgp-vip")
    since = machine.sh("date +%s").strip()
    machine.sh(f"ip address delete {address}; systemctl start exabgp-vip")
    eventually(
        lambda: machine.sh(f"journalctl --unit=exabgp-vip --output=cat --since=@{since}"),
        until=lambda said: "behind 192.0.2.1 > add route" in said,
        within=20,
        what="a route that waits for the session",
    )
    typed(machine, f"apt install ./next/{packages.name_of_second}")
    eventually(lambda: ".1/" in runs(machine), within=20, what="the next vip_watchdog")
    machine.sh(f"ip address add {address}")
    sees(machine, ONE, TWO)


def test_throw_it_away(machine: Machine) -> None:
    """Nothing is left of the package, nor of what the tutorial started."""
    follow(machine, TUTORIAL, "Throw it away")
    left = machine.sh(
        "find / -xdev -path '*vip?speaker*' -not -path '/proc/*' -not -path '/root/*'"
    )
    assert left == ""
    assert machine.run("pgrep", "-x", "bird").returncode != 0
