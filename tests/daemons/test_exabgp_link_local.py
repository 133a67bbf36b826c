"""Pins what docs/import.md says of link-local neighbours: 5.0 has a way to connect to one, 4.2 has none."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speaker.migration.target import files
from tests.support.lab.exabgp import Config, ExaBgp, executable
from tests.support.lab.inside import inside
from tests.support.lab.requirements import require
from tests.support.lab.session import Session

if TYPE_CHECKING:
    from tests.support.lab.netns import Network

SESSION = Session("fe80::a", 64699, "fe80::b", 64500, ("ipv6",))


def test_five_connects(network: Network) -> None:
    """5.0 connects from the interface that `source-interface` names, without a right beyond its user's."""
    require(flavours=("v5",))
    speaker, router = network.host("lb"), network.host("r")
    here, there = network.wire(speaker, router)
    speaker.add(here, "fe80::a/64")
    router.add(there, "fe80::b/64")
    with inside(router):
        listener = socket.create_server(("::", 179), family=socket.AF_INET6)
    listener.settimeout(60)
    options = (f"source-interface {here};",)
    ExaBgp(speaker, "v5", Config([SESSION], ["/bin/cat"], options=options))
    connection, peer = listener.accept()
    with listener, connection:
        assert peer[0].startswith("fe80::a")
        connection.settimeout(60)
        assert connection.recv(19)[18] == 1, "an OPEN"


def test_four_has_no_way(network: Network) -> None:
    """4.2 knows no `source-interface`, and Linux binds to no link-local address without an interface."""
    require(flavours=("v4",))
    host = network.host("lb")
    file = host.directory / "exabgp.conf"
    file.write_text(Config([SESSION], ["/bin/cat"], options=["source-interface lo;"]).text())
    program = Path(executable("v4") or "")
    assert "source-interface" in files.validate(program, file, "/bin/cat")
    with inside(host), socket.socket(socket.AF_INET6) as asked, pytest.raises(OSError, match="Inv"):
        asked.bind(("fe80::a", 0, 0, 0))
