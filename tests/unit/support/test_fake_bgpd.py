"""The fake bgpd answers as each daemon was recorded to answer."""

from __future__ import annotations

import asyncio

import pytest

from policy.route import parse_prefix
from tests.golden.transcript import DIALECTS, Transcript
from tests.support.fakes.bgpd import Bgpd, Dialect

FILES = ("07", "08", "09", "10", "11", "12")
MAPS = {
    name: {f"route-map {name} permit 10": [f"set as-path prepend {path}"]}
    for name, path in (("BGP1", "64699"), ("BGP2", "64699 64699"))
}
NETWORKS = {
    "192.0.2.1/32": "BGP1",
    "192.0.2.2/32": "BGP2",
    "2001:db8::1/128": "BGP1",
    "2001:db8::2/128": "BGP2",
}
NOT_OURS = ("192.0.2.42/", "192.0.2.45/", "192.0.2.0/24", "router bgp'")
"""What the fake can't: IPv4 in the IPv6 family, host bits, `router bgp` without an AS."""


def begun(dialect: Dialect) -> Bgpd:
    networks = {parse_prefix(text): name for text, name in NETWORKS.items()}
    return Bgpd(dialect, networks=networks, maps={name: dict(c) for name, c in MAPS.items()})


@pytest.mark.parametrize("dialect", DIALECTS)
def test_configuration_is_answered_as_recorded(dialect: Dialect) -> None:
    """Silent success, every refusal with its exit status, and what of a batch is done all the same."""
    bgpd = begun(dialect)
    compared = 0
    for name in FILES:
        if name == "12" and dialect == "quagga-0.99.22.4":
            continue  # not recorded
        if dialect.startswith("frr"):
            bgpd = begun(dialect)  # each of its files was recorded from a new start
        for entry in Transcript.load(dialect, name).entries:
            if not entry.commands or not entry.commands[0].startswith("conf"):
                continue
            if any(strange in entry.line for strange in NOT_OURS):
                continue
            commands = ["configure terminal", *(command.strip() for command in entry.commands[1:])]
            output = asyncio.run(bgpd(commands))
            recorded = (entry.output.stdout, entry.output.status)
            assert (output.stdout, output.status) == recorded, entry.line
            compared += 1
    assert compared > 20
