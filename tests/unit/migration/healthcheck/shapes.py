"""Owns healthchecks as sites have them: exabgp.conf, and the files that it names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def conf(
    *runs: str, processes: str = "watch", neighbor: str = "peer-as 64500;", more: str = ""
) -> str:
    """Return an exabgp.conf: a process for each command line, and one neighbor that lists all."""
    names = processes.split()
    blocks = [
        f"process {name} {{\n    run {run};\n    encoder text;\n}}"
        for name, run in zip(names, runs, strict=True)
    ]
    session = (
        "neighbor 203.0.113.1 {\n    router-id 203.0.113.10;\n    local-address 203.0.113.10;\n"
        f"    local-as 64699;\n    {neighbor}\n    family {{\n        ipv4 unicast;\n    }}\n"
        f"    api services {{\n        processes [ {', '.join(names)} ];\n    }}\n}}"
    )
    return "\n".join([*blocks, session, more, ""])


@dataclass(frozen=True, slots=True)
class Shape:
    """A site's files, what each state announces by prefix, and the words of what is refused."""

    text: str
    states: Mapping[str, Mapping[str, str]]
    """By `prefix state`: what healthcheck announces, and what vip-speaker does."""
    exec: tuple[str, ...] = ()
    """The words of its first check."""
    refused: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)


def same(attributes: str) -> dict[str, str]:
    """Return that both announce the same."""
    return {attributes: "the same"}


UP = "as-path [ 64699 ] origin igp med {}"
GONE = {"withdrawn": "the same"}
SHAPES = {
    "curl": Shape(
        conf(
            'python3 -m exabgp healthcheck --cmd "curl -sf http://127.0.0.1/health" --label web --ip 192.0.2.1/32'
        ),
        {
            "192.0.2.1/32 up": same(UP.format(100)),
            "192.0.2.1/32 down": {UP.format(1000): "withdrawn"},
        },
        ("/usr/bin/curl", "-sf", "http://127.0.0.1/health"),
        ("without --withdraw-on-down it stays announced while down", "adds its addresses to lo"),
    ),
    "script": Shape(
        conf(
            '/usr/bin/python3 -m exabgp healthcheck --cmd "/etc/exabgp/check.sh 192.0.2.1" --ip 192.0.2.1 --interval 15 '
            "--no-ip-setup --up-metric 1 --withdraw-on-down"
        ),
        {"192.0.2.1/32 up": same(UP.format(1)), "192.0.2.1/32 down": GONE},
        ("/etc/exabgp/check.sh", "192.0.2.1"),
    ),
    "resolver": Shape(
        conf("python3 -m exabgp healthcheck --config /etc/dnsdist/resolver.conf"),
        {
            "192.0.2.53/32 up": same(f"{UP.format(100)} community [ 64500:100 65535:65281 ]"),
            "192.0.2.53/32 down": GONE,
            "192.0.2.53/32 disabled": GONE,
        },
        ("/usr/bin/dig", "@192.0.2.53", "example.net", "a", "+short"),
        files={
            "resolver.conf": "# anycast\nsilent\nname = resolver.tld\nip = 192.0.2.53/32\nnext-hop = 203.0.113.10\n"
            "command = dig @192.0.2.53 example.net a +short\ndisable = /etc/exabgp/resolver.disable\n"
            "withdraw-on-down\nno-ip-setup\ninterval = 5\nfast-interval = 1\nrise = 5\nfall = 2\n"
            "community = 64500:100 no-export\n"
        },
    ),
    "maintenance": Shape(
        conf(
            'exabgp-healthcheck --ip 192.0.2.1 -i 1 --rise 3 --fall 1 --cmd "dig @127.0.0.1 version.bind txt ch" '
            "--withdraw-on-down --disable /tmp/maintenance --next-hop 203.0.113.10 --label dns --no-ip-setup"
        ),
        {
            "192.0.2.1/32 up": same(UP.format(100)),
            "192.0.2.1/32 down": GONE,
            "192.0.2.1/32 disabled": GONE,
        },
        ("/usr/bin/dig", "@127.0.0.1", "version.bind", "txt", "ch"),
    ),
    "metrics": Shape(
        conf(
            '/etc/exabgp/processes/healthcheck.py --cmd "/bin/check" --ip 192.0.2.1 --ip 192.0.2.2 --ip 192.0.2.3 '
            "--start-ip 1 --increase 10 --withdraw-on-down --no-ip-setup"
        ),
        {
            "192.0.2.2/32 up": same(UP.format(100)),
            "192.0.2.3/32 up": same(UP.format(110)),
            "192.0.2.1/32 up": same(UP.format(120)),
            "192.0.2.1/32 down": GONE,
            "192.0.2.2/32 down": GONE,
            "192.0.2.3/32 down": GONE,
        },
        ("/bin/check",),
    ),
    "prepends": Shape(
        conf(
            'python -m exabgp healthcheck -c /bin/check --ip 192.0.2.1 --as-path "64699 64699" --down-as-path "64699 64699 64699 64699" '
            "--large-community 64699:1:2 --community 64699:7 --disabled-community 65535:0 --disable /run/off --no-ip-setup --debounce"
        ),
        {
            "192.0.2.1/32 up": same(
                "as-path [ 64699 64699 ] origin igp med 100 community [ 64699:7 ] large-community [ 64699:1:2 ]"
            ),
            "192.0.2.1/32 down": {
                "as-path [ 64699 64699 64699 64699 ] origin igp med 1000 community [ 65535:0 ] large-community [ 64699:1:2 ]": "withdrawn"
            },
            "192.0.2.1/32 disabled": {
                "as-path [ 64699 64699 ] origin igp med 500 community [ 65535:0 ] large-community [ 64699:1:2 ]": "withdrawn"
            },
        },
        ("/bin/check",),
        ("it stays announced while down or disabled",),
    ),
    "ibgp": Shape(
        conf(
            "exabgp healthcheck --command /bin/check --ip 192.0.2.1 --local-preference 200 --withdraw-on-down --no-ip-setup",
            neighbor="peer-as 64699;",
        ),
        {"192.0.2.1/32 up": same("as-path [  ] origin igp med 100"), "192.0.2.1/32 down": GONE},
        ("/bin/check",),
    ),
    "two-services": Shape(
        conf(
            'python -m exabgp healthcheck --cmd "nc -z -w2 localhost 25" --no-syslog --withdraw-on-down --ip 192.0.2.25 --no-ip-setup',
            'python -m exabgp healthcheck --cmd "nc -z -w2 -u localhost 514" --no-syslog --withdraw-on-down --ip 192.0.2.51 --no-ip-setup',
            processes="watch-mail watch-log",
        ),
        {
            "192.0.2.25/32 up": same(UP.format(100)),
            "192.0.2.25/32 down": GONE,
            "192.0.2.51/32 up": same(UP.format(100)),
            "192.0.2.51/32 down": GONE,
        },
        ("/usr/bin/nc", "-z", "-w2", "localhost", "25"),
    ),
    "anycast-prefix": Shape(
        conf(
            'python3 -m exabgp healthcheck --cmd "/usr/local/bin/check" --ip 192.0.2.0/24 --no-ip-setup --withdraw-on-down --interval 30'
        ),
        {"192.0.2.0/24 up": same(UP.format(100)), "192.0.2.0/24 down": GONE},
        ("/usr/local/bin/check",),
    ),
    "deaggregated": Shape(
        conf(
            "exabgp --run healthcheck --cmd /bin/check --ip 192.0.2.0/31 --deaggregate-networks --increase 0 --withdraw-on-down "
            "--no-ip-setup --up-execute '/bin/tell up' --user nobody"
        ),
        {
            "192.0.2.0/32 up": same(UP.format(100)),
            "192.0.2.0/32 down": GONE,
            "192.0.2.1/32 up": same(UP.format(100)),
            "192.0.2.1/32 down": GONE,
        },
        ("/bin/check",),
        ("--user: vip_watchdog runs checks as itself", "--up-execute: is not taken over"),
    ),
    "template": Shape(
        "process web {\n    run /usr/bin/env python3 -m exabgp.application.healthcheck --cmd /bin/check \\\n"
        "        --ip 192.0.2.1 --withdraw-on-down --no-ip-setup --neighbor 203.0.113.1;\n    encoder json;\n}\n"
        "template {\n    neighbor router {\n        local-as 64699;\n        local-address 203.0.113.10;\n"
        "        api {\n            processes [ web ];\n        }\n    }\n}\n"
        "neighbor 203.0.113.1 { inherit router; peer-as 64500; family { ipv4 unicast; } }\n"
        "neighbor 203.0.113.2 { inherit router; peer-as 64501; family { ipv4 unicast; } }\n",
        {"192.0.2.1/32 up": same(UP.format(100)), "192.0.2.1/32 down": GONE},
        ("/bin/check",),
        ("neighbor 203.0.113.2: --neighbor keeps everything from it",),
    ),
    "no-command": Shape(
        conf("python3 -m exabgp healthcheck --ip 192.0.2.1 --no-ip-setup"),
        {"192.0.2.1/32 up": same(UP.format(100))},
    ),
}
