"""keepalived's configuration is read as keepalived reads it: IPVS has what the file was taken for."""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from speaker.check.keepalived.files import MachineFiles
from speaker.check.keepalived.servers import Addresses, Mark, conf_of
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
@main include here.inc
@other include elsewhere.inc
$PART=part
include ${_PWD}/${PART}.inc
include "quoted.inc"

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
virtual_server_group ranges {
    192.0.2.99 80
}
virtual_server group ranges {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 127.0.1.1 80 {
    }
}
! Of no protocol; of a range, in a virtual server; of the other family.
virtual_server 192.0.2.70-73 80 {
    lvs_sched rr
    lvs_method NAT
    real_server ::1 80 {
    }
    real_server 127.0.1.1 80 {
    }
}
virtual_server 192.0.2.74 80 {
    protocol TCP
    real_server ::1 80 {
    }
}
virtual_server 192.0.2.75 80 {
    protocol TCP
    real_server 127.0.1.300 80 {
    }
}
virtual_server_group both {
    192.0.2.76 80
    2001:db8::76 80
}
virtual_server group both {
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 127.0.1.1 80 {
    }
}
virtual_server_group tunnelled {
    192.0.2.78 80
    2001:db8::78 80
}
virtual_server group tunnelled {
    lvs_sched rr
    lvs_method TUN
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
    "here.inc": "virtual_server 192.0.2.80 80 {\nreal_server 127.0.1.1 80 {\n}\n}\n",
    "elsewhere.inc": "virtual_server 192.0.2.81 80 {\nreal_server 127.0.1.1 80 {\n}\n}\n",
    "part.inc": "virtual_server 192.0.2.82 80 {\nreal_server 127.0.1.1 80 {\n}\n}\n",
    "quoted.inc": "virtual_server 192.0.2.83 80 {\nreal_server 127.0.1.1 80 {\n}\n}\n",
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

CHECKERS = [
    ("", "TCP_CHECK {\n}"),
    ("delay_loop 6.5", "TCP_CHECK {\nretry 3\ndelay_before_retry 2\n}"),
    ("delay_loop 6\nretry 0", "TCP_CHECK {\n}"),
    ("delay_loop 6\nretry 4", "retry 0\nTCP_CHECK {\n}"),
    ("delay_loop 6\nretry 4", "TCP_CHECK {\nretry 0\n}"),
    ("retry 3\ndelay_before_retry 2\nconnect_timeout 3\nwarmup 4", "TCP_CHECK {\n}"),
    ("delay_loop 0", "TCP_CHECK {\n}"),
    ("delay_loop .5", "TCP_CHECK {\nwarmup 0\n}"),
    ("delay_loop 6", "delay_loop 20\nTCP_CHECK {\ndelay_loop 2\n}"),
    ("delay_loop 6", "DNS_CHECK {\n}"),
    ("delay_loop 6\nretry 1", "DNS_CHECK {\ndelay_before_retry 2\n}"),
    ("delay_loop 6", "MISC_CHECK {\nmisc_path /bin/true\n}"),
    ("delay_loop 6\nretry 2", "MISC_CHECK {\nmisc_path /bin/true\n}"),
    ("delay_loop 6", "SMTP_CHECK {\n}"),
    ("delay_loop 6", "PING_CHECK {\n}"),
    ("delay_loop 6", "UDP_CHECK {\n}"),
    ("delay_loop 6", "HTTP_GET {\nretry 2\nnb_get_retry 5\nurl {\npath /\n}\n}"),
    ("delay_loop 6", "SSL_GET {\nnb_get_retry 5\nretry 2\nurl {\npath /\n}\n}"),
    ("delay_loop 6\nalpha off", "TCP_CHECK {\n}"),
    ("delay_loop 6\nalpha", "alpha no\nTCP_CHECK {\n}"),
    ("delay_loop 6", "TCP_CHECK {\nalpha true\n}"),
]
"""Of a virtual server: what stands in it, and in its realserver."""


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


def test_checks_as_keepalived_makes_them(host: Namespace) -> None:
    """When each checker begins, how long it tries, and whether it is in alpha mode is what keepalived says itself."""
    text = "".join(
        f"virtual_server 192.0.2.{number} 80 {{\nprotocol TCP\nlvs_sched rr\n{lines}\n"
        f"real_server 127.0.1.1 80 {{\n{checker}\n}}\n}}\n"
        for number, (lines, checker) in enumerate(CHECKERS, 1)
    )
    keepalived = Keepalived(host, [], more=text, arguments=("-C", "-d"))
    keepalived.start()
    log = eventually(
        keepalived.log,
        until=lambda log: log.count("Keepalive method = ") == len(CHECKERS),
        within=20,
        what="each checker in the log",
        every=0.1,
    )
    keepalived.stop()
    conf = conf_of(read_tree(host.directory / "keepalived.conf", MachineFiles(), "main"))
    said = {}
    for block in re.split(r"\n.*: (?=.* -> )", log.rpartition("Health checkers >")[2])[1:]:
        values = dict(re.findall(r": +([A-Z][\w ]+?) = ([\w.]+)", block))
        first, retries = int(values["Warmup"]) / 1e6, int(values["Retries"])
        pause = int(values.get("Delay before retry", "0")) / 1e6
        said[block.partition(" ->")[0].strip()] = (
            first,
            first + retries * pause,
            first + retries * pause + (retries + 1) * float(values.get("Timeout", "0")),
            values["Alpha"] == "yes",
        )
    taken = {
        f"[{server.where[0].first}]:tcp:80": (found.alive, found.dead, found.safe, found.alpha)
        for server in conf.servers
        for found in server.timings
        if isinstance(server.where[0], Addresses)
    }
    assert taken == said
    assert len(said) == len(CHECKERS)
