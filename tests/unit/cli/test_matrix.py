"""vip_mgmt plan --peers: who is to have what."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from speaker.api import PeerStatus, PrefixStatus, Status
from speaker.cli.arguments import UsageError, parse
from speaker.cli.matrix import matrix
from speaker.exit_status import ExitStatus

if TYPE_CHECKING:
    from speaker.api import Operations

TRANSIT, PEERING, INSIDE = "203.0.113.1", "203.0.113.2", "203.0.113.3"
PEERS = (
    PeerStatus(address=TRANSIT, asn=64500, up=True, local_as=64699),
    PeerStatus(address=PEERING, asn=64501, up=False, local_as=65550),
    PeerStatus(address=INSIDE, asn=64699, up=True, local_as=64699),
)
PLAIN = PrefixStatus(
    vip="vip-1.tld",
    prefix="192.0.2.1/32",
    announced=True,
    peers={TRANSIT: True, PEERING: False, INSIDE: True},
    as_path=(64699, 64699),
    rank=0,
    prepends=1,
    realservers=2,
    health="up",
    intent="auto",
    reason="up",
    wanted=True,
    as_wanted=True,
)
ROUTES = (
    PLAIN,
    replace(
        PLAIN,
        vip="vip-2.tld",
        prefix="192.0.2.2/32",
        gets={
            TRANSIT: "as-path [ 64699 64699 64699 ] origin igp med 0",
            PEERING: "",
            INSIDE: "as-path [  ] origin igp med 0",
        },
    ),
    replace(PLAIN, vip="vip-3.tld", prefix="192.0.2.3/32", wanted=False),
    replace(PLAIN, vip="vip-4.tld", prefix="2001:db8::4/128", peers={TRANSIT: True}),
)
STATUS = Status(dc="par1", backend="exabgp", peers=PEERS, trouble=(), routes=ROUTES)


class Asked:
    def status(self) -> Status:
        return STATUS


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    operations = cast("Operations", Asked())
    assert matrix(parse(["plan", "--peers", *arguments]), operations, ()) is ExitStatus.DONE
    return capsys.readouterr().out


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Each peer's AS_PATH as it sees it, and - for what it is not to have."""
    rows = [line.split("  ") for line in shown(capsys).splitlines()]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert cells == [
        ["VIP", "PREFIX", f"{TRANSIT} AS64500", f"{PEERING} AS64501", f"{INSIDE} AS64699"],
        ["vip-1.tld", "192.0.2.1/32", "64699 64699", "65550 65550", "64699"],
        ["vip-2.tld", "192.0.2.2/32", "64699 64699 64699", "-", "(empty)"],
        ["vip-3.tld", "192.0.2.3/32", "-", "-", "-"],
        ["vip-4.tld", "2001:db8::4/128", "64699 64699", "-", "-"],
    ]


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The same for scripts: null for what a peer is not to have."""
    found = json.loads(shown(capsys, "--json"))
    assert found[1] == {
        "vip": "vip-2.tld",
        "prefix": "192.0.2.2/32",
        "peers": {TRANSIT: [64699] * 3, PEERING: None, INSIDE: []},
    }


def test_one_question() -> None:
    """--peers and --without are two questions."""
    with pytest.raises(UsageError):
        parse(["plan", "--peers", "--without", "lyo1"])
