"""packaging/exabgp-vip.service: it works with next to no rights, beside ExaBGP 5, through reload, restart, upgrade."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.runbook import blocks
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Config
from tests.support.lab.site import misses, sees, toml, vip
from tests.support.profiles import NIGHTLY
from tests.systemd.conftest import OPEN, PORT, steadily
from tests.systemd.wheels import SOURCE, VERSIONS

if TYPE_CHECKING:
    from tests.systemd.conftest import LoadBalancer

UNIT = "exabgp-vip.service"
PAGE = SOURCE / "docs/exabgp.md"
STARTS = 5
"""So many in ten seconds are the limit that systemd has (DefaultStartLimitBurst)."""
ONE, TWO, THREE = "192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32"
TABLES: dict[str, Any] = {
    "node": {"dc": "par1", "read_group": "vip-readers"},
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
    """The README, followed to its end."""
    machine = lb.machine
    lb.follow("README.md", "Install it beside ExaBGP", 0)
    lb.follow("docs/exabgp.md", "Files, users, environment", 0)
    machine.sh("useradd --groups exabgp alice; useradd --groups vip-readers bob; useradd carol")
    machine.write("/etc/vip-speaker/vip.toml", toml(TABLES))
    run = ["/opt/vip-speaker/bin/vip_watchdog"]
    conf = Config([lb.session], run, send=True).text()
    machine.write("/etc/exabgp/exabgp.conf", conf)
    # There is no kill and no pkill but the shell's own.
    machine.sh("rm -f /bin/kill /usr/bin/kill /usr/bin/pkill")
    machine.sh("systemd-tmpfiles --create vip-speaker.conf && systemctl enable --now exabgp-vip")
    sees(lb.bird, ONE, TWO, within=20)
    return lb


def mgmt(lb: LoadBalancer, *arguments: str, user: str = "", status: int = 0) -> str:
    done = lb.machine.run("vip_mgmt", *arguments, user=user)
    assert done.returncode == status, done.stdout + done.stderr + lb.machine.journal(UNIT)
    return done.stdout + done.stderr


def reconciler(lb: LoadBalancer) -> str:
    """Return the process id of the watchdog that runs."""
    main = lb.machine.shown(UNIT, "MainPID")
    return lb.machine.sh(f"cat /proc/{main}/task/{main}/children").strip()


# --- how little it may ---------------------------------------------------------------------------------


def test_exposure(site: LoadBalancer) -> None:
    """systemd-analyze security has it at 1.5 or less as it is shipped, at 1.4 with the site's addresses; what is open is open for a reason."""
    machine = site.machine
    # Shipped: without the drop-in for a group that reads.
    shipped = "/run/systemd/system/shipped.service"
    machine.sh(f"cp /source/packaging/exabgp-vip.service {shipped}; systemctl daemon-reload")
    exposure, found = machine.exposure("shipped.service")
    assert exposure <= 1.5
    assert found == OPEN.keys()
    drop_in = re.search(r"```ini\n(\[Service\]\nIPAddress.*?)```", PAGE.read_text(), re.DOTALL)
    assert drop_in
    machine.sh(f"mkdir {shipped}.d")
    machine.write(f"{shipped}.d/addresses.conf", drop_in[1])
    machine.sh("systemctl daemon-reload")
    assert machine.exposure("shipped.service")[0] <= 1.4
    machine.sh(f"rm -r {shipped} {shipped}.d; systemctl daemon-reload")
    assert machine.exposure(UNIT)[0] <= 1.6


@pytest.mark.parametrize("of", ["ExaBGP", "vip_watchdog"])
def test_rights(site: LoadBalancer, of: str) -> None:
    """Neither process is root, nor has it a capability, nor can it get one."""
    pid = site.machine.shown(UNIT, "MainPID") if of == "ExaBGP" else reconciler(site)
    status = dict(
        line.split(":\t", 1) for line in site.machine.sh(f"cat /proc/{pid}/status").splitlines()
    )
    assert "0" not in status["Uid"].split()
    assert {int(status[f"Cap{each}"], 16) for each in ("Prm", "Eff", "Inh", "Bnd", "Amb")} == {0}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


# --- who may do what -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "may_read", "may_drain"),
    [("", "yes", "yes"), ("alice", "yes", "yes"), ("bob", "yes", ""), ("carol", "", "")],
)
def test_who_may_do_what(site: LoadBalancer, user: str, may_read: str, may_drain: str) -> None:
    """Root and the group of ExaBGP drain, another group only reads, and nobody else does either."""
    machine = site.machine
    for command in (["status", "--json"], ["explain", "vip-1.tld"], ["history"], ["plan"]):
        done = machine.run("vip_mgmt", *command, user=user)
        assert (done.returncode == 0) == bool(may_read), done.stdout + done.stderr
    if may_drain:
        mgmt(site, "-d", "vip-1.tld", user=user)
        misses(site.bird, ONE)
        assert f"drained by {user or 'root'}" in mgmt(site, "explain", "vip-1.tld")
        mgmt(site, "-a", "vip-1.tld", user=user)
        sees(site.bird, ONE)
    else:
        said = mgmt(site, "-d", "vip-1.tld", user=user, status=1)
        assert "Permission denied" in said
        assert json.loads(mgmt(site, "status", "--json"))["routes"][0]["intent"] == "auto"


# --- its life ------------------------------------------------------------------------------------------


def test_reload(site: LoadBalancer) -> None:
    """It takes both files, with neither kill nor pkill, and does not end; a fault in one fails the reload."""
    machine = site.machine
    before = machine.shown(UNIT, "MainPID"), reconciler(site)
    with steadily(site.bird, has=[ONE, TWO]):
        reload(site)
    assert (machine.shown(UNIT, "MainPID"), reconciler(site)) == before


def reload(site: LoadBalancer) -> None:
    machine = site.machine
    more = {**TABLES, "vip": {**TABLES["vip"], "vip-3.tld": vip("192.0.2.3", ports=[PORT])}}
    machine.write("/etc/vip-speaker/vip.toml", toml(more))
    machine.sh("systemctl reload exabgp-vip")
    assert THREE in mgmt(site, "status")
    sees(site.bird, ONE, TWO, THREE)
    machine.write("/etc/vip-speaker/vip.toml", toml({**TABLES, "nodes": {}}))
    assert machine.run("systemctl", "reload", "exabgp-vip").returncode != 0
    machine.write("/etc/vip-speaker/vip.toml", toml(TABLES))
    machine.sh(
        "cp /etc/exabgp/exabgp.conf /root/good; echo 'neighbor {' >> /etc/exabgp/exabgp.conf"
    )
    assert machine.run("systemctl", "reload", "exabgp-vip").returncode != 0
    assert THREE in mgmt(site, "status")
    sees(site.bird, ONE, TWO, THREE)
    machine.sh("cat /root/good > /etc/exabgp/exabgp.conf; systemctl reload exabgp-vip")
    misses(site.bird, THREE)


def test_faulty_files_are_waited_for(site: LoadBalancer) -> None:
    """Where files are faulty at the start, the unit tries again until they are corrected, however often that takes."""
    machine = site.machine
    files = ("/etc/vip-speaker/vip.toml", "/etc/exabgp/exabgp.conf")
    for file in files:
        machine.sh(f"cp {file} {file}.good; echo '[{{' >> {file}")
    try:
        assert machine.run("systemctl", "restart", "exabgp-vip").returncode != 0
        eventually(
            lambda: int(machine.shown(UNIT, "NRestarts")),
            until=lambda count: count > STARTS,
            within=60,
            what=f"more than {STARTS} starts, which are too many for systemd by itself",
        )
        misses(site.bird, ONE, TWO)
    finally:
        for file in files:
            machine.sh(f"cat {file}.good > {file}; rm {file}.good")
    sees(site.bird, ONE, TWO, within=20)
    eventually(lambda: is_well(site), within=20, what="a watchdog that has read ExaBGP")


def test_restart(site: LoadBalancer) -> None:
    """A drain holds over a restart, also one that is made while nothing runs; history has who used sudo."""
    machine = site.machine
    sudo = ["SUDO_USER=alice"]
    assert machine.run("vip_mgmt", "-d", "vip-2.tld", env=sudo).returncode == 0
    assert "drained by root (alice)" in mgmt(site, "explain", "vip-2.tld")
    misses(site.bird, TWO)
    machine.sh("systemctl stop exabgp-vip")
    done = machine.run("vip_mgmt", "-d", "vip-1.tld", env=sudo)
    assert (done.returncode, "drained is recorded" in done.stderr) == (1, True)
    with steadily(site.bird, lacks=[ONE, TWO]):
        machine.sh("systemctl start exabgp-vip")
        eventually(lambda: site.is_up, within=20, what="the session")
        eventually(lambda: is_well(site), within=20, what="a watchdog that has read ExaBGP")
    assert "root (alice)" in mgmt(site, "history", "vip-1.tld")
    assert "drained by root (alice)" in mgmt(site, "explain", "vip-1.tld")
    mgmt(site, "-a", "vip-1.tld", "vip-2.tld", user="alice")
    sees(site.bird, ONE, TWO)


def test_restart_without_a_gap(site: LoadBalancer) -> None:
    """With the lines of docs/restart.md, a router with graceful restart has the routes all the time."""
    no_gap(site)


def no_gap(site: LoadBalancer) -> None:
    """Restart the unit at a router that has graceful restart, which has the routes all the time."""
    machine, path = site.machine, "/etc/exabgp/exabgp.conf"
    before = machine.sh(f"cat {path}")
    lines = "capability { graceful-restart 30; } manual-eor true;"
    machine.write(path, before.replace("router-id", f"{lines} router-id"))
    restarted(site)
    sees(site.bird, ONE, TWO, within=20)
    with steadily(site.bird, has=[ONE, TWO]):
        said = mgmt(site, "restart")
        eventually(lambda: is_well(site), within=20, what="a watchdog that has read ExaBGP")
    assert f"{UNIT} has 2 prefixes for 1 peer again" in said
    machine.write(path, before)
    restarted(site)
    sees(site.bird, ONE, TWO, within=20)


def test_restart_beside(site: LoadBalancer) -> None:
    """By docs/restart.md, at a router without graceful restart: the second ExaBGP has the routes while the first restarts.

    A drain meanwhile is withdrawn by both before that is said. What can't be done leaves the first as it is.
    """
    machine, page = site.machine, "docs/restart.md"
    at_once = machine.run("vip_mgmt", "restart", "--beside")
    assert (at_once.returncode, "nothing was restarted" in at_once.stderr) == (1, True)
    text = blocks(SOURCE / page)["Where a router has none"][0]
    device = machine.sh("ip -br -4 address | grep 203.0.113 | sed 's/[@ ].*//'").strip()
    for written, here in (
        ("203.0.113.10/24", f"{site.session.local}/24"),
        ("203.0.113.11/24", f"{site.second.local}/30"),
        ("203.0.113.10", site.session.local),
        ("203.0.113.11", site.second.local),
        ("eth0", device),
    ):
        text = text.replace(written, here)
    setup, command = text.rsplit("\n", 1)
    assert command == "vip_mgmt restart --beside"
    machine.sh(setup)
    with steadily(site.bird, has=[ONE, TWO]):
        for _ in range(20 if NIGHTLY else 2):
            old = reconciler(site)
            said = mgmt(site, *command.split()[1:])
            assert "exabgp-vip-beside.service is stopped" in said
            assert reconciler(site) not in {"", old}
    assert machine.run("systemctl", "is-active", "exabgp-vip-beside").returncode != 0
    machine.sh("systemctl start exabgp-vip-beside")
    eventually(lambda: all(site.bird.sessions().values()), within=20, what="both sessions")
    eventually(
        lambda: len(site.bird.candidates()[ONE]), until=lambda n: n == 2, within=20, what="both"
    )
    mgmt(site, "-d", "vip-1.tld")
    assert ONE not in site.bird.candidates()
    mgmt(site, "-a", "vip-1.tld")
    machine.sh("systemctl stop exabgp-vip-beside")
    sees(site.bird, ONE, TWO)


def restarted(lb: LoadBalancer) -> None:
    """Restart the unit, and wait until its session is another one, and all is as decided."""
    machine, old = lb.machine, reconciler(lb)
    machine.sh("systemctl restart exabgp-vip")
    eventually(lambda: reconciler(lb) not in {"", old}, within=10, what="another watchdog")
    eventually(lambda: lb.is_up, within=20, what="the session")
    eventually(lambda: is_well(lb), within=20, what="a watchdog that has read ExaBGP")


def is_well(lb: LoadBalancer) -> bool:
    """Tell whether a watchdog answers, and all is as decided."""
    is_served = lb.machine.run("test", "-S", "/run/vip-speaker/read.sock").returncode == 0
    return is_served and lb.machine.run("vip_mgmt", "status").returncode == 0


def test_capability(site: LoadBalancer) -> None:
    """The drop-in of docs/exabgp.md gives CAP_NET_ADMIN, and that alone, also to vip_watchdog."""
    machine = site.machine
    found = re.search(r"```ini\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    machine.write("/etc/systemd/system/exabgp-vip.service.d/ipvs.conf", found[1])
    machine.sh("systemctl daemon-reload; systemctl restart exabgp-vip")
    sees(site.bird, ONE, TWO, within=20)
    capabilities = machine.sh(f"grep ^CapEff: /proc/{reconciler(site)}/status").split()
    assert int(capabilities[1], 16) == 1 << 12
    machine.sh("rm /etc/systemd/system/exabgp-vip.service.d/ipvs.conf; systemctl daemon-reload")
    machine.sh("systemctl restart exabgp-vip")
    sees(site.bird, ONE, TWO, within=20)


def test_upgrade(site: LoadBalancer) -> None:
    """With the next version in place, neither the session nor a route goes, and a drain holds."""
    machine = site.machine
    mgmt(site, "-d", "vip-2.tld", user="alice")
    misses(site.bird, TWO)
    exabgp, old = machine.shown(UNIT, "MainPID"), reconciler(site)
    program = "/opt/vip-speaker/bin/pip show vip-speaker"
    assert f"Version: {VERSIONS[0]}" in machine.sh(program)
    with steadily(site.bird, has=[ONE], lacks=[TWO]):
        site.follow("docs/exabgp.md", "Upgrade", 0, VERSIONS[1])
        eventually(lambda: reconciler(site) not in {"", old}, within=10, what="another watchdog")
        eventually(lambda: is_well(site), within=20, what="a watchdog that has read ExaBGP")
    assert f"Version: {VERSIONS[1]}" in machine.sh(program)
    assert machine.shown(UNIT, "MainPID") == exabgp
    assert machine.shown(UNIT, "NRestarts") == "0"
    mgmt(site, "-a", "vip-2.tld", user="alice")
    sees(site.bird, ONE, TWO)


def test_exabgp_4_2(site: LoadBalancer) -> None:
    """Debian's ExaBGP runs with the same rights, by the lines that are marked for it, is reloaded, and restarts without a gap."""
    machine = site.machine
    unit = f"/etc/systemd/system/{UNIT}"
    text, count = re.subn(r"(?m)^.*\n#4\.2: ", "", machine.sh(f"cat {unit}"))
    assert count == 3
    machine.write(unit, text)
    machine.sh("systemctl daemon-reload; systemctl restart exabgp-vip")
    sees(site.bird, ONE, TWO, within=20)
    mgmt(site, "-d", "vip-1.tld", user="alice")
    misses(site.bird, ONE)
    machine.sh("systemctl reload exabgp-vip")
    mgmt(site, "-a", "vip-1.tld", user="alice")
    sees(site.bird, ONE, TWO)
    assert "/usr/sbin/exabgp" in machine.sh(
        f"tr '\\0' ' ' < /proc/{machine.shown(UNIT, 'MainPID')}/cmdline"
    )
    no_gap(site)
    machine.sh(f"cp /source/packaging/{UNIT} {unit}; systemctl daemon-reload")
    machine.sh("systemctl restart exabgp-vip")
    sees(site.bird, ONE, TWO, within=20)
