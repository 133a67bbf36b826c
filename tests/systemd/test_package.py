"""The Debian package: installed, started, drained, upgraded and purged, as apt and an operator do it."""

from __future__ import annotations

import importlib.util
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.frr import config
from tests.support.lab.inside import Realservers
from tests.support.lab.machine import Machine
from tests.support.lab.netns import Network
from tests.support.lab.site import misses, sees, toml, vip
from tests.systemd.conftest import PORT, LoadBalancer, steadily
from tests.systemd.outside import is_well, telemetry
from tests.systemd.typed import block, typed
from tests.systemd.wheels import SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.lab.release import Release
    from tests.support.lab.session import Session
    from tests.systemd.built import Built

UNIT = "exabgp-vip.service"
ONE, TWO = "192.0.2.1/32", "192.0.2.2/32"
TABLES: dict[str, Any] = {
    "node": {"dc": "par1"},
    "dc": {"par1": {"asn": 64699}, "lyo1": {"asn": 64699}},
    "policy": {"max_withdraw": "100%"},
    "health": {"source": "tcp", "interval": "100ms"},
    "vip": {
        "vip-1.tld": vip("192.0.2.1", ports=[PORT]),
        "vip-2.tld": vip("192.0.2.2", ports=[PORT]),
    },
}


EDITOR = """#!/bin/sh
# What a user does with it: the files were prepared, and keep their owners and modes.
systemctl is-enabled exabgp-vip > /root/enabled
for file; do cat "/root/edited/${file##*/}" > "$file"; done
"""


def edited(session: Session) -> str:
    """Return exabgp.conf, made of the example by the changes that it asks for; it is of one router."""
    text = (SOURCE / "exabgp.conf.example").read_text()
    asked, _, rest = text.partition("process vip-speaker {")
    first, second = rest.split("neighbor 192.0.2.25")[1:]
    assert second.startswith("2 {")
    text = f"process vip-speaker {{{rest.split('neighbor')[0]}neighbor 192.0.2.25{first}"
    for name, here in (
        ("192.0.2.251", session.remote),
        ("64500", str(session.remote_asn)),
        ("192.0.2.10", session.local),
        ("64699", str(session.local_asn)),
        ("/opt/vip-speaker/bin", "/usr/sbin"),  # the package has done that
    ):
        assert name in asked
        text = re.sub(rf"(?<![0-9.]){re.escape(name)}(?![0-9.])", here, text)
    return text


@pytest.fixture(scope="module")
def bare(suite: Release, packages: Built) -> Iterator[LoadBalancer]:
    """A machine with Debian's packages alone, and the product's beside them."""
    with Network() as network:
        host, router = network.host("lb1"), network.host("router")
        session = network.link(router, host).session(64500, 64699)
        machine = Machine(host, suite.root, masked=["exabgp.service", "frr.service"])
        packages.put(machine)
        machine.write("/usr/local/bin/editor", EDITOR)
        machine.start()
        # There is no kill and no pkill but the shell's own.
        machine.sh("chmod +x /usr/local/bin/editor; rm -f /bin/kill /usr/bin/kill /usr/bin/pkill")
        realservers = Realservers(host)
        realservers.open(PORT)
        bird = Bird(router, [session])
        yield LoadBalancer(machine, session.flipped(), bird, realservers)


def mgmt(lb: LoadBalancer, *arguments: str, status: int = 0) -> str:
    done = lb.machine.run("vip_mgmt", *arguments)
    assert done.returncode == status, done.stdout + done.stderr + lb.machine.journal(UNIT)
    return done.stdout + done.stderr


def reconciler(lb: LoadBalancer) -> str:
    """Return the process id of the watchdog that runs."""
    main = lb.machine.shown(UNIT, "MainPID")
    return lb.machine.sh(f"cat /proc/{main}/task/{main}/children").strip()


@pytest.fixture(scope="module")
def site(bare: LoadBalancer) -> LoadBalancer:
    """README's lines as they are, ten at most, from nothing to a VIP at a router."""
    machine = bare.machine
    lines = block("README.md", "Install it on Debian").splitlines()
    assert "\n".join(lines) in (SOURCE / "docs/debian.md").read_text()
    assert len(lines) <= 10
    assert lines[-1] == "vip_mgmt status"
    machine.sh("mkdir /root/edited")
    machine.write("/root/edited/vip.toml", toml(TABLES))
    machine.write("/root/edited/exabgp.conf", edited(bare.session))
    machine.write("/root/typed", typed(machine, "\n".join(lines[:-1])))
    sees(bare.bird, ONE, TWO, within=20)
    eventually(lambda: is_well(bare), within=20, what="a watchdog that has read ExaBGP")
    assert typed(machine, lines[-1]).count(" yes ") == 2
    return bare


def test_installed(site: LoadBalancer) -> None:
    """It says what is next, and starts nothing; both examples are whole; what they name is there."""
    machine = site.machine
    said = machine.sh("cat /root/typed")
    assert "your VIPs into /etc/vip-speaker/vip.toml, your routers into" in said
    assert "vip_mgmt check\n" in said
    assert "systemctl enable --now exabgp-vip" in said
    assert machine.sh("cat /root/enabled").strip() == "disabled"
    assert "\n# Change what stands in your network otherwise:\n" in machine.sh(
        "head -n 5 /usr/share/vip-speaker/exabgp.conf"
    )
    machine.sh("vip_mgmt check --form --config /usr/share/vip-speaker/vip.toml")
    machine.sh(
        "/usr/lib/vip-speaker/current/bin/exabgp validate /usr/share/vip-speaker/exabgp.conf"
    )
    assert machine.sh("stat -c '%a %U %G' /etc/exabgp/exabgp.conf").strip() == "640 root exabgp"
    named = machine.sh(
        # Nagios' plugins are what an operator adds.
        "grep -hoE '/usr/(share|lib/vip-speaker|lib/systemd|sbin)/[a-z0-9./_-]*[a-z0-9]' /usr/share/vip-speaker/* "
        "/usr/lib/vip-speaker/exabgp.env /usr/lib/systemd/system/exabgp-vip.service"
    )
    assert "/usr/sbin/vip_watchdog" in named
    machine.sh(f"ls {' '.join(set(named.split()))}")


def test_life(site: LoadBalancer) -> None:
    """Drain, reload, restart: the drain holds, and what is announced otherwise is."""
    machine = site.machine
    mgmt(site, "-d", "vip-2.tld")
    misses(site.bird, TWO)
    with steadily(site.bird, has=[ONE], lacks=[TWO]):
        machine.sh("systemctl reload exabgp-vip")
    with steadily(site.bird, lacks=[TWO]):
        machine.sh("systemctl restart exabgp-vip")
        sees(site.bird, ONE, within=20)
        eventually(lambda: is_well(site), within=20, what="a watchdog that has read ExaBGP")
    assert json.loads(mgmt(site, "status", "--json"))["routes"][1]["intent"] == "drained"


def test_programs_are_compiled(site: LoadBalancer) -> None:
    """Nobody but root may write there, so that each start would compile them again."""
    folder = "/usr/lib/vip-speaker/current/lib/modules/speaker"
    assert site.machine.sh(f"ls {folder}/__pycache__").count("vip_mgmt.cpython-3") >= 1


def test_what_comes_along(site: LoadBalancer) -> None:
    """Completions and man pages are where shells and man look for them."""
    # Where the package is built without Sphinx, as the tests' own environment is, it has no vip.toml(5).
    configuration = "man/man5/vip.toml.5.gz" if importlib.util.find_spec("sphinx") else ""
    site.machine.sh(
        "cd /usr/share; ls bash-completion/completions/vip_mgmt zsh/vendor-completions/_vip_mgmt "
        "fish/vendor_completions.d/vip_mgmt.fish man/man1/vip_mgmt.1.gz man/man8/vip_watchdog.8.gz "
        f"{configuration}"
    )
    said = site.machine.sh(
        """bash -c '. /usr/share/bash-completion/completions/vip_mgmt
        COMP_WORDS=(vip_mgmt -d vip) COMP_CWORD=2; _shtab_vip_mgmt; echo "${COMPREPLY[@]}"'"""
    )
    assert said.split() == ["vip-1.tld", "vip-2.tld"]


def test_a_line_stands_once(site: LoadBalancer) -> None:
    """The journal has each line of vip_watchdog once, of its unit and under its name."""
    journal = "journalctl --boot --output=cat"
    for of in (f"--unit={UNIT}", "--identifier=vip_watchdog"):
        said = site.machine.sh(f"{journal} {of}")
        assert said.count("> add route") == 3, said  # both at its start, one at its restart
        assert said.count("started: dc par1") == 2, said
        # ExaBGP does not say it too.
        assert "route added" not in said
        # Nor does it advise what is not to be done here.
        assert "environment file missing" not in said
    # What vip_mgmt says under systemctl reload goes to both, too.
    told = f"{journal} --unit={UNIT} --grep='bgp_mgt: configuration applied|^configuration applied'"
    before = site.machine.run("sh", "-c", told).stdout.splitlines()
    site.machine.sh(f"systemctl reload {UNIT}; journalctl --sync")
    after = site.machine.run("sh", "-c", told).stdout.splitlines()[len(before) :]
    assert len(after) == 2, after  # vip_watchdog's, and vip_mgmt's


def test_telemetry(site: LoadBalancer) -> None:
    """Under the ExaBGP unit's sandbox: it listens, writes the file once the drop-in is there, and runs programs."""
    telemetry(site, UNIT, "exabgp", TABLES)


def test_upgrade(site: LoadBalancer) -> None:
    """With a drain in force neither session nor route goes; the files of the operator stay as they are."""
    machine = site.machine
    files = "sha256sum /etc/vip-speaker/* /etc/exabgp/exabgp.conf"
    exabgp, old, before = machine.shown(UNIT, "MainPID"), reconciler(site), machine.sh(files)
    with steadily(site.bird, has=[ONE], lacks=[TWO]):
        typed(machine, "apt install ./vip-speaker_*.deb", "/root/next")
        eventually(lambda: reconciler(site) not in {"", old}, within=20, what="another watchdog")
        eventually(lambda: is_well(site), within=20, what="a watchdog that has read ExaBGP")
    assert machine.shown(UNIT, "MainPID") == exabgp
    assert machine.shown(UNIT, "NRestarts") == "0"
    assert machine.sh(files) == before
    # It runs from the new version's folder, and ExaBGP's is still there for it.
    new = machine.sh("readlink /usr/lib/vip-speaker/current").strip()
    assert new.endswith(".1")
    command = machine.sh(f"tr '\\0' ' ' < /proc/{reconciler(site)}/cmdline")
    assert f"/usr/lib/vip-speaker/{new}/bin/python3" in command
    assert machine.sh("ls -d /usr/lib/vip-speaker/[0-9]*").count("\n") == 2
    mgmt(site, "-a", "vip-2.tld")
    sees(site.bird, ONE, TWO)


def test_exabgp_4_2(site: LoadBalancer) -> None:
    """Debian's ExaBGP takes the place of the package's by the drop-in among the examples."""
    machine = site.machine
    dropin = f"/etc/systemd/system/{UNIT}.d"
    example = "/usr/share/vip-speaker/exabgp-4.2.conf"
    machine.sh(f"mkdir {dropin}; cp {example} {dropin}/; systemctl daemon-reload")
    machine.sh("systemctl restart exabgp-vip")
    sees(site.bird, ONE, TWO, within=20)
    main = machine.shown(UNIT, "MainPID")
    assert "/usr/sbin/exabgp" in machine.sh(f"tr '\\0' ' ' < /proc/{main}/cmdline")
    eventually(lambda: is_well(site), within=20, what="a watchdog that has read ExaBGP")
    mgmt(site, "-d", "vip-1.tld")
    misses(site.bird, ONE)
    mgmt(site, "-a", "vip-1.tld")
    sees(site.bird, ONE, TWO)
    machine.sh(f"systemctl stop exabgp-vip; rm -r {dropin}; systemctl daemon-reload")
    misses(site.bird, ONE, TWO)


def test_beside_bgpd(site: LoadBalancer) -> None:
    """The same package beside FRR: its user may ask bgpd, and its unit announces."""
    machine = site.machine
    machine.sh("systemctl disable --now exabgp-vip")
    machine.sh("sed -i 's/^bgpd=no/bgpd=yes/' /etc/frr/daemons; rm /etc/systemd/system/frr.service")
    machine.write("/etc/frr/frr.conf", config([site.session]))
    machine.sh("systemctl daemon-reload; systemctl start frr")
    tables = {**TABLES, "node": {"dc": "par1", "backend": "quagga"}}
    machine.write("/etc/vip-speaker/vip.toml", toml(tables))
    machine.sh("systemctl enable --now vip-watchdog")
    sees(site.bird, ONE, TWO, within=20)
    eventually(lambda: is_well(site), within=20, what="a watchdog that has read bgpd")
    mgmt(site, "-d", "vip-1.tld")
    misses(site.bird, ONE)
    assert machine.shown("vip-watchdog", "StatusText") == "runs: dc par1, 2 prefixes"
    said = machine.sh("journalctl --boot --output=cat --unit=vip-watchdog")
    assert said.count("started: dc par1") == 1, said
    mgmt(site, "-a", "vip-1.tld")
    telemetry(site, "vip-watchdog.service", "vip-speaker", tables)
    mgmt(site, "-d", "vip-1.tld")


def test_a_frozen_daemon_is_started_again(site: LoadBalancer) -> None:
    """systemd has it started again, and the routes stay."""
    machine = site.machine
    machine.sh("mkdir -p /run/systemd/system/vip-watchdog.service.d")
    machine.write("/run/systemd/system/vip-watchdog.service.d/x.conf", "[Service]\nWatchdogSec=5\n")
    machine.sh("systemctl daemon-reload; systemctl restart vip-watchdog")
    eventually(lambda: is_well(site), within=20, what="a watchdog that has read bgpd")
    old = machine.shown("vip-watchdog", "MainPID")
    with steadily(site.bird, has=[TWO], lacks=[ONE]):
        machine.run("python3", "-c", f"import os; os.kill({old}, 19)")
        eventually(
            lambda: machine.shown("vip-watchdog", "MainPID") not in {"0", old},
            within=30,
            what="another process",
        )
        eventually(lambda: is_well(site), within=20, what="a watchdog that has read bgpd")
    machine.sh("rm -r /run/systemd/system/vip-watchdog.service.d; systemctl daemon-reload")


def test_remove_and_purge(site: LoadBalancer) -> None:
    """Removed, it runs no more, and the operator's files and drains stay; purged, nothing of it is left."""
    machine = site.machine
    typed(machine, "apt remove vip-speaker")
    assert machine.run("pgrep", "-f", "vip_watchdog").returncode != 0
    assert machine.run("systemctl", "is-active", "vip-watchdog").stdout.strip() == "inactive"
    machine.sh("test -e /etc/vip-speaker/vip.toml -a -e /var/lib/vip-speaker/state.sqlite3")
    machine.sh("test ! -e /usr/lib/vip-speaker/current")
    typed(machine, "apt purge vip-speaker")
    left = machine.sh(
        "find / -xdev -path '*vip?speaker*' -not -path '/proc/*' -not -path '/var/cache/*' "
        "-not -path '/root/*'"
    )
    assert left == ""
