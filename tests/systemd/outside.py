"""Owns what is seen of a watchdog from outside its unit: metrics, the file for node_exporter, programs for events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.lab.eventually import eventually
from tests.support.lab.site import sees, toml
from tests.systemd.typed import block, typed

if TYPE_CHECKING:
    from tests.systemd.conftest import LoadBalancer

ONE = "192.0.2.1/32"
LISTEN = 9180
TEXTFILE = "/var/lib/prometheus/node-exporter/vip_speaker.prom"
SCRAPE = f"from urllib.request import urlopen; print(urlopen('http://127.0.0.1:{LISTEN}/metrics').read().decode())"
TELL = """#!/bin/sh
# What docs/events.md allows a program, and what it does not: each of those leaves a line that is no event.
{
    cat
    echo
    ! touch /etc/vip-speaker/touched 2>/dev/null || echo 'it wrote /etc'
    ! ls /root 2>/dev/null || echo 'it read /root'
    grep -q '^NoNewPrivs:.1' /proc/self/status || echo 'it may take rights'
} >> /var/lib/vip-speaker/told
touch /tmp/touched || echo 'no /tmp' >> /var/lib/vip-speaker/told
exec logger --tag tell "told by $*"
"""


def status(lb: LoadBalancer) -> str:
    return lb.machine.run("vip_mgmt", "status").stdout


def is_well(lb: LoadBalancer) -> bool:
    """Tell whether a watchdog answers, and all is as decided."""
    is_served = lb.machine.run("test", "-S", "/run/vip-speaker/read.sock").returncode == 0
    return is_served and lb.machine.run("vip_mgmt", "status").returncode == 0


def telemetry(lb: LoadBalancer, unit: str, user: str, tables: dict[str, Any]) -> None:
    """See that all that is seen of a watchdog from outside comes out of its unit, and nothing else does."""
    machine = lb.machine
    machine.write("/usr/local/bin/tell", TELL)
    machine.sh(f"chmod 755 /usr/local/bin/tell; mkdir -p $(dirname {TEXTFILE})")
    seen = {
        "metrics": {"listen": f"127.0.0.1:{LISTEN}", "textfile": TEXTFILE},
        "events": {"exec": ["/usr/local/bin/tell", "--from", unit]},
    }
    drop_in = block("docs/metrics.md", "").replace("chown exabgp", f"chown {user}")
    first, _, rest = drop_in.replace("exabgp-vip.service", unit).partition("\n")
    machine.write("/etc/vip-speaker/vip.toml", toml({**tables, **seen}))
    machine.sh(first)
    machine.sh(f"systemctl reload {unit}")
    trouble = "Read-only file system; make its directory writable"
    eventually(lambda: status(lb), until=lambda said: trouble in said, within=20, what=trouble)
    typed(machine, f"{rest}\nsystemctl restart {unit}")
    sees(lb.bird, ONE, within=20)
    eventually(
        lambda: machine.run("cat", TEXTFILE).stdout,
        until=lambda text: f'vip_prefix_announced{{vip="vip-1.tld",prefix="{ONE}"}} 1\n' in text,
        within=40,
        what="metrics in the file",
    )
    assert machine.sh(f"stat -c '%U %a' {TEXTFILE}").split() == [user, "644"]
    assert "TROUBLE" not in status(lb)
    scraped = machine.sh(f'python3 -c "{SCRAPE}"')
    assert f'vip_prefix_announced{{vip="vip-1.tld",prefix="{ONE}"}} 1\n' in scraped
    machine.sh("vip_mgmt -d vip-1.tld --reason telemetry; vip_mgmt -a vip-1.tld")
    eventually(
        lambda: machine.run("cat", "/var/lib/vip-speaker/told").stdout,
        until=lambda told: '"event": "auto"' in told,
        within=20,
        what="events",
    )
    told = machine.sh("cat /var/lib/vip-speaker/told").splitlines()
    assert any('"event": "drained"' in line and "telemetry" in line for line in told), told
    assert [line for line in told if not line.startswith("{")] == []
    assert f"told by --from {unit}" in machine.sh(
        "journalctl --boot --output=cat --identifier=tell"
    )
    folder = f"/etc/systemd/system/{unit}.d"
    machine.write("/etc/vip-speaker/vip.toml", toml(tables))
    machine.sh(
        f"rm -r {folder} /var/lib/vip-speaker/told /var/lib/prometheus; systemctl daemon-reload; systemctl restart {unit}"
    )
    sees(lb.bird, ONE, within=20)
    eventually(lambda: is_well(lb), within=20, what="a watchdog that is well")
