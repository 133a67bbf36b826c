"""keepalived's configuration is read as keepalived reads it: IPVS has what the file was taken for."""

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from speaker.check.keepalived.files import MachineFiles
from speaker.check.keepalived.servers import Mark, conf_of
from speaker.check.keepalived.tree import read_tree
from tests.kernel.keepalived import Keepalived
from tests.support.lab.eventually import eventually
from tests.support.lab.netns import Namespace, Network

pytestmark = pytest.mark.guest("keepalived", "ipvsadm")
MAIN = r"""
! A comment, and "quotes in it
$PORT=80
$REAL= \
real_server 127.0.1.1 808${N} { \
    weight 1   # of many \
    TCP_CHECK { \
        connect_timeout 2 \
    } \
}
include conf.d/*.conf
include {absent,named}.inc

virtual_server 192.0.2.1 $PORT
{
    delay_loop 60
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    virtualhost "a # b { c"
    $N=1
    $REAL
    $N=2
    $REAL
    sorry_server 127.0.1.9 80
}
virtual_server 192.0.2.2 53 { delay_loop 60
    lvs_sched rr!comment
    lvs_method NAT
    protocol UDP
    real_server 127.0.1.1 53 { weight 1
    } }
@main virtual_server 192.0.2.3 80 {
@other virtual_server 192.0.2.4 80 {
@^main virtual_server 192.0.2.5 80 {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 127.0.1.1 80 {
    }
}
virtual_server 192.0.2.6 80 {
    lvs_sched rr
    protocol TCP
}
virtual_server_group ranges {
    192.0.2.16-18 80
    192.0.2.30-192.0.2.33 $PORT
    192.0.2.40/30 80
    ~SEQ(IP, 50, 2, 54) 192.0.2.${IP} 80
    ~LST({IP, P}, {60, 81}, {61, 82}) 192.0.2.${IP} ${P}
    ~SEQ(A, 1, 2) ~SEQx(B, 8, 9) 192.0.2.1${A}${B} 80
    fwmark 17
}
virtual_server group ranges {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 127.0.1.1 80 {
    }
}
"""
INCLUDED = {
    "conf.d/10.conf": """
virtual_server_group six {
    2001:db8::1-a 80
    2001:db8::1:0-2001:db8::1:2 443
}
include ../more/deep.conf
""",
    "conf.d/20.conf": """
virtual_server group six {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server ::1 80 {
    }
}
""",
    "conf.d/not.txt": "junk {",
    "more/deep.conf": """
virtual_server fwmark 8 {
    lvs_sched rr
    lvs_method DR
    real_server 2001:db8:1::1 0 {
    }
}
""",
    "named.inc": """
virtual_server fwmark 9 {
    lvs_sched rr
    lvs_method TUN
    ip_family inet6
    real_server 198.51.100.1 0 {
    }
}
virtual_server 192.0.2.7 0 {
    lvs_sched rr
    lvs_method NAT
    persistence_timeout 30
    protocol SCTP
    real_server 127.0.1.1 0 {
    }
}
""",
}


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A load balancer."""
    with Network() as network:
        yield network.host("lb")


def taken(path: Path) -> set[str]:
    """Return what the file is taken for, in ipvsadm's words."""
    conf = conf_of(read_tree(path, MachineFiles(), "main"))
    assert conf.complete, conf.notes
    options = {"tcp": "-t", "udp": "-u", "sctp": "--sctp-service"}
    found = set()
    for server in conf.servers:
        for where in server.where:
            if isinstance(where, Mark):
                found.add(f"-f {where.number}{' -6' if where.version == 6 else ''}")
                continue
            for number in range(int(where.last) - int(where.first) + 1):
                address = where.first + number
                shown = f"[{address}]" if address.version == 6 else str(address)
                found.add(f"{options[server.protocol]} {shown}:{where.port}")
    return found


def balanced(host: Namespace) -> set[str]:
    """Return what IPVS has."""
    found = set()
    for line in host.run("ipvsadm", "-S", "-n").splitlines():
        words = line.split()
        if words[0] == "-A":
            where, _, port = words[2].rpartition(":")
            if where.startswith("["):
                words[2] = f"[{ip_address(where[1:-1])}]:{port}"
            six = " -6" if "-6" in words else ""
            found.add(f"{words[1]} {words[2]}{six if words[1] == '-f' else ''}")
    return found


def test_as_keepalived_reads_it(host: Namespace) -> None:
    """Includes, conditions, parameters, repeated lines, groups and ranges make the same services."""
    for name, text in INCLUDED.items():
        (host.directory / name).parent.mkdir(exist_ok=True)
        (host.directory / name).write_text(text)
    keepalived = Keepalived(host, [], more=MAIN, arguments=("-C", "-i", "main"))
    keepalived.start()
    expected = taken(host.directory / "keepalived.conf")
    eventually(
        lambda: sorted(balanced(host)),
        until=lambda found: found == sorted(expected),
        within=10,
        what=f"in IPVS what the file was taken for: {sorted(expected)}",
        every=0.1,
    )
    keepalived.stop()
