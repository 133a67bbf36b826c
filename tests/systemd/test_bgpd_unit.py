"""packaging/vip-watchdog.service: it works beside FRR with next to no rights, through reload, restart, upgrade."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.lab.eventually import eventually
from tests.support.lab.frr import config
from tests.support.lab.site import misses, sees, toml, vip
from tests.systemd.conftest import OPEN, PORT, steadily
from tests.systemd.outside import TEXTFILE
from tests.systemd.typed import block
from tests.systemd.wheels import SOURCE, VERSIONS

if TYPE_CHECKING:
    from tests.systemd.conftest import LoadBalancer

UNIT = "vip-watchdog.service"
ONE, TWO, THREE = "192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32"
TABLES: dict[str, Any] = {
    "node": {"dc": "par1", "backend": "quagga"},
    "dc": {"par1": {"asn": 64699}, "lyo1": {"asn": 64699}},
    "policy": {"max_withdraw": "100%"},
    "health": {"source": "tcp", "interval": "100ms"},
    "vip": {
        "vip-1.tld": vip("192.0.2.1", ports=[PORT]),
        "vip-2.tld": vip("192.0.2.2", ports=[PORT]),
    },
}


@pytest.fixture(scope="module")
def site(lb: LoadBalancer) -> LoadBalancer:
    """FRR as Debian starts it, and docs/quagga.md, followed to its end."""
    machine = lb.machine
    machine.sh("sed -i 's/^bgpd=no/bgpd=yes/' /etc/frr/daemons; rm /etc/systemd/system/frr.service")
    machine.write("/etc/frr/frr.conf", config([lb.session]))
    machine.sh("systemctl daemon-reload; systemctl start frr")
    lb.install()
    machine.write("/etc/vip-speaker/vip.toml", toml(TABLES))
    lb.follow("docs/quagga.md", "Set up", 0)
    machine.sh("useradd --groups vip-speaker alice; useradd bob")
    machine.sh("rm -f /bin/kill /usr/bin/kill /usr/bin/pkill")
    machine.sh("systemctl enable --now vip-watchdog")
    sees(lb.bird, ONE, TWO, within=20)
    return lb


def mgmt(lb: LoadBalancer, *arguments: str, user: str = "", status: int = 0) -> str:
    done = lb.machine.run("vip_mgmt", *arguments, user=user)
    assert done.returncode == status, done.stdout + done.stderr + lb.machine.journal(UNIT)
    return done.stdout + done.stderr


def test_exposure(site: LoadBalancer) -> None:
    """systemd-analyze security has it at 1.5 or less; what is open is open for a reason."""
    exposure, found = site.machine.exposure(UNIT)
    assert exposure <= 1.5
    assert found == OPEN.keys()


def test_rights(site: LoadBalancer) -> None:
    """It is not root, and has no capability; what it keeps is its user's."""
    machine = site.machine
    told = machine.sh(f"cat /proc/{machine.shown(UNIT, 'MainPID')}/status")
    status = dict(line.split(":\t", 1) for line in told.splitlines())
    assert "0" not in status["Uid"].split()
    assert {int(status[f"Cap{each}"], 16) for each in ("Prm", "Eff", "Inh", "Bnd", "Amb")} == {0}
    kept = machine.sh("stat -c '%U:%G %a' /var/lib/vip-speaker /var/lib/vip-speaker/state.sqlite3")
    assert kept.split("\n")[:2] == ["vip-speaker:vip-speaker 2770", "vip-speaker:vip-speaker 660"]


def test_a_drain(site: LoadBalancer) -> None:
    """A member of its group drains, over its socket, without a right at bgpd; another user does not."""
    mgmt(site, "-d", "vip-1.tld", user="alice")
    misses(site.bird, ONE)
    assert "drained by alice" in mgmt(site, "explain", "vip-1.tld", user="alice")
    assert "Permission denied" in mgmt(site, "-a", "vip-1.tld", user="bob", status=1)
    mgmt(site, "-a", "vip-1.tld")
    sees(site.bird, ONE)


def test_a_realserver_dies(site: LoadBalancer) -> None:
    """It withdraws and restores by itself."""
    site.realservers.close(PORT)
    misses(site.bird, ONE, TWO)
    site.realservers.open(PORT)
    sees(site.bird, ONE, TWO)


def test_reload(site: LoadBalancer) -> None:
    """It takes a new vip.toml, with neither kill nor pkill; a fault fails the reload and changes nothing."""
    machine = site.machine
    before = machine.shown(UNIT, "MainPID")
    more = {**TABLES, "vip": {**TABLES["vip"], "vip-3.tld": vip("192.0.2.3", ports=[PORT])}}
    with steadily(site.bird, has=[ONE, TWO]):
        machine.write("/etc/vip-speaker/vip.toml", toml(more))
        machine.sh("systemctl reload vip-watchdog")
        sees(site.bird, THREE)
        machine.write("/etc/vip-speaker/vip.toml", toml({**TABLES, "nodes": {}}))
        assert machine.run("systemctl", "reload", "vip-watchdog").returncode != 0
        machine.write("/etc/vip-speaker/vip.toml", toml(TABLES))
        machine.sh("systemctl reload vip-watchdog")
        misses(site.bird, THREE)
    assert machine.shown(UNIT, "MainPID") == before


def test_restart_and_upgrade(site: LoadBalancer) -> None:
    """With the next version in place, no route goes, and a drain holds."""
    machine = site.machine
    mgmt(site, "-d", "vip-2.tld", user="alice")
    misses(site.bird, TWO)
    with steadily(site.bird, has=[ONE], lacks=[TWO]):
        assert "vip-watchdog.service has 1 prefix for 1 peer again" in mgmt(site, "restart")
        eventually(lambda: runs(site), within=20, what="a watchdog that is well")
        site.follow("docs/quagga.md", "Upgrade", 0, VERSIONS[1])
        eventually(lambda: runs(site), within=20, what="a watchdog that is well")
    program = "/opt/vip-speaker/bin/pip show vip-speaker"
    assert f"Version: {VERSIONS[1]}" in machine.sh(program)
    mgmt(site, "-a", "vip-2.tld", user="alice")
    sees(site.bird, ONE, TWO)


def runs(lb: LoadBalancer) -> bool:
    """Tell whether the watchdog itself answers, and all is as decided."""
    is_served = lb.machine.run("test", "-S", "/run/vip-speaker/control.sock").returncode == 0
    return is_served and lb.machine.run("vip_mgmt", "status").returncode == 0


@pytest.mark.parametrize("verb", ["reload", pytest.param("restart", marks=pytest.mark.nightly)])
def test_frr_forgets(site: LoadBalancer, verb: str) -> None:
    """FRR's own unit: what is ours, and in no file, is announced again and reported; what is drained is not."""
    machine = site.machine
    mgmt(site, "-d", "vip-2.tld")
    misses(site.bird, TWO)
    before = machine.journal(UNIT)
    with steadily(site.bird, lacks=[TWO]):
        machine.sh(f"systemctl {verb} frr")
        again = "more than 1 realservers available behind 192.0.2.1 > add route"
        eventually(
            lambda: machine.journal(UNIT).count(again) > before.count(again),
            within=20,
            what="it is reported",
        )
        sees(site.bird, ONE, within=20)
        eventually(lambda: runs(site), within=20, what="a watchdog that is well")
    mgmt(site, "-a", "vip-2.tld")
    sees(site.bird, ONE, TWO)


def test_no_noise(site: LoadBalancer) -> None:
    """With the line that docs/quagga.md has for PAM, no vtysh leaves one in the journal."""
    machine = site.machine
    (line,) = re.findall("`(account [^`]+)`", (SOURCE / "docs/quagga.md").read_text())

    def said() -> bool:
        cursor = machine.sh("journalctl --lines=0 --show-cursor").split("cursor: ")[1].strip()
        machine.sh("systemctl restart vip-watchdog")
        eventually(lambda: runs(site), within=20, what="a watchdog that is well")
        return "unix_chkpwd" in machine.sh(f"journalctl --after-cursor='{cursor}'")

    assert said(), "the line is of no use any more"
    machine.sh(f"echo '{line}' >> /etc/pam.d/frr")
    assert not said()


def test_cron(site: LoadBalancer) -> None:
    """A pass of cron needs no root either: it runs as the owner of the state directory, and no one else."""
    machine = site.machine
    machine.sh("systemctl stop vip-watchdog")
    one_pass = "/opt/vip-speaker/bin/vip_watchdog"
    mgmt(site, "-d", "vip-1.tld")  # as root, without the daemon
    misses(site.bird, ONE)
    done = machine.run(one_pass, user="vip-speaker")
    assert (done.returncode, done.stderr) == (0, "")
    done = machine.run(one_pass)
    assert (done.returncode, done.stderr) == (0, "")
    done = machine.run(one_pass, user="bob")
    assert (done.returncode, done.stderr) == (255, "vip_watchdog: Only run as root !\n")
    assert ONE not in site.bird.routes()
    done = machine.run("vip_mgmt", "-a", "vip-1.tld", env=["SUDO_USER=alice"])
    assert done.returncode == 0, done.stderr
    sees(site.bird, ONE)
    assert "root (alice)" in mgmt(site, "history", "vip-1.tld")
    machine.sh("systemctl start vip-watchdog")


def test_cron_and_node_exporter(site: LoadBalancer) -> None:
    """A pass leaves its metrics for node_exporter, whoever runs it; where it can't, it says so and does the rest."""
    machine = site.machine
    machine.sh("systemctl stop vip-watchdog")
    one_pass = "/opt/vip-speaker/bin/vip_watchdog"
    machine.write("/etc/vip-speaker/vip.toml", toml({**TABLES, "metrics": {"textfile": TEXTFILE}}))
    done = machine.run(one_pass, user="vip-speaker")
    assert done.returncode == 0, done.stderr
    assert f"textfile: {TEXTFILE}: No such file or directory; make its directory" in done.stderr
    folder = TEXTFILE.rpartition("/")[0]
    machine.sh(f"mkdir -p {folder}")  # root's, as node_exporter's package has it
    chown = block("docs/metrics.md", "").splitlines()[0].replace("exabgp", "vip-speaker")
    for line, user, owner in (
        ("", "", "root"),
        (chown, "vip-speaker", "vip-speaker"),
        ("", "", "vip-speaker"),
    ):
        machine.sh(line)
        done = machine.run(one_pass, user=user)
        assert (done.returncode, done.stderr) == (0, "")
        assert machine.sh(f"stat -c '%U %a' {TEXTFILE}").split() == [owner, "644"]
        text = machine.sh(f"cat {TEXTFILE}; rm {TEXTFILE}")
        assert f'vip_prefix_announced{{vip="vip-1.tld",prefix="{ONE}"}} 1\n' in text
    assert machine.sh(f"ls -A {folder}") == ""
    machine.write("/etc/vip-speaker/vip.toml", toml(TABLES))
    machine.sh("systemctl start vip-watchdog")
