"""Starts an ExaBGP the way the demo needs it: unprivileged, on a free port, alone."""

from __future__ import annotations

import os
import pwd
import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from demo.process import Program

if TYPE_CHECKING:
    from collections.abc import Sequence


PROGRAMS = Path(sys.executable).parent
"""Of the virtual environment that runs the demo."""


def program(name: str) -> str:
    """Return the path of a program of that environment."""
    return str(PROGRAMS / name)


async def start(conf: Path, *, listen: str = "", port: int = 179) -> Program:
    """Start ExaBGP; its log lies beside its configuration.

    Args:
        conf: the configuration file.
        listen: the address to listen on, none for a site that only connects.
        port: where it listens.
    """
    settings = {
        "exabgp.api.ack": "true",
        "exabgp.api.cli": "false",
        "exabgp.api.version": "4",
        "exabgp.log.destination": "stdout",
        "exabgp.log.level": "INFO",
        "exabgp.tcp.bind": listen,
        "exabgp.tcp.port": str(port),
    }
    with suppress(KeyError):
        # Started as root, ExaBGP would become nobody, who can't read the demo's files.
        settings["exabgp.daemon.user"] = pwd.getpwuid(os.getuid()).pw_name
    return await Program.start(
        [sys.executable, "-m", "exabgp", "server", str(conf)], settings, conf.with_suffix(".log")
    )


def process(name: str, argv: Sequence[str]) -> str:
    """Return the section of a process that ExaBGP spawns."""
    return f"process {name} {{\n    run {shlex.join(argv)};\n    encoder json;\n}}\n"


def neighbor(
    remote: str, local: str, router_id: str, asns: tuple[int, int], name: str, *more: str
) -> str:
    """Return the section of a dual-stack neighbour over IPv4.

    Args:
        remote: the neighbour's address.
        local: our address.
        router_id: our BGP identifier.
        asns: our AS and the neighbour's.
        name: the process that speaks to it.
        more: statements such as `passive true;`, and for `api` those that end in a brace.
    """
    local_as, peer_as = asns
    api = ["neighbor-changes;", *(line for line in more if line.endswith("}"))]
    lines = [
        f"neighbor {remote} {{",
        f"    local-address {local};",
        f"    local-as {local_as};",
        f"    peer-as {peer_as};",
        f"    router-id {router_id};",
        *(f"    {line}" for line in more if not line.endswith("}")),
        "    family { ipv4 unicast; ipv6 unicast; }",
        f"    api {{ processes [ {name} ]; {' '.join(api)} }}",
        "}",
    ]
    return "\n".join(lines) + "\n"
