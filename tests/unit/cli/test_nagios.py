"""What monitoring is told of a state: the exit status, one line, its numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaker.api import PeerStatus, Status
from speaker.cli.nagios import silent, unanswered, verdict
from tests.support.shown import ANNOUNCED

UP = PeerStatus(address="203.0.113.11", asn=64496, up=True)
DOWN = replace(UP, name="203.0.113.12", address="203.0.113.12", up=False)
GOOD = replace(
    ANNOUNCED,
    peers={"203.0.113.11": True},
    up=("203.0.113.11",),
    held=True,
)
DRAINED = replace(GOOD, announced=False, wanted=False, intent="drained", peers={UP.name: False})
LACKING = replace(GOOD, announced=False, as_wanted=False, lack="not sent to 203.0.113.11")
STILL = replace(GOOD, wanted=False, as_wanted=False, lack="still sent to 203.0.113.11")
UNKNOWN = replace(GOOD, announced=None, as_wanted=False, peers={}, up=())
WELL = Status(
    dc="par1", backend="exabgp", last_cycle=0.25, peers=(UP,), trouble=(), routes=(GOOD, DRAINED)
)


@pytest.mark.parametrize(
    ("change", "level", "said"),
    [
        ({}, 0, "VIP OK - par1: 1 of 2 prefixes announced, all as decided | "),
        (
            {"routes": (GOOD, LACKING)},
            2,
            "VIP CRITICAL - 1 prefix not as decided: vip-1.tld 192.0.",
        ),
        ({"routes": (STILL,) * 5}, 2, "VIP CRITICAL - 5 prefixes not as decided: "),
        ({"routes": (UNKNOWN,)}, 1, "VIP WARNING - 1 prefix not known: "),
        ({"trouble": ("vip.toml: faulty",)}, 1, "VIP WARNING - vip.toml: faulty | "),
        (
            {"peers": (UP, DOWN), "sessions": ("sessions: down: 203.0.113.12",)},
            1,
            "VIP WARNING - s",
        ),
        ({"peers": (DOWN,)}, 2, "VIP CRITICAL - "),
    ],
)
def test_levels(change: dict[str, Any], level: int, said: str) -> None:
    """A drain is no fault; what is wrong at a peer is critical; what is not known, or an alarm, is a warning."""
    found = verdict(replace(WELL, **change))
    assert found.level == level
    assert found.line.startswith(said)


def test_numbers() -> None:
    """The numbers stand behind the line, each with its name, and the age of the last look in seconds."""
    numbers = verdict(WELL).line.partition(" | ")[2]
    assert numbers == (
        "prefixes=2;;;0 announced=1;;;0 wanted=1;;;0 not_as_wanted=0;;;0 drained=1;;;0 forced=0;;;0 "
        "peers=1;;;0 peers_up=1;;;0 last_cycle=0.250s;;;0"
    )


@given(st.text(max_size=3000), st.text(max_size=3000))
def test_any_text(trouble: str, vip: str) -> None:
    """Whatever a name or an alarm has: one line, and nothing of it is taken for a number."""
    status = replace(WELL, trouble=(trouble,), routes=(replace(LACKING, vip=vip),))
    for line in (verdict(status).line, unanswered(trouble).line, silent(trouble).line):
        assert line.isprintable()
        assert len(line) < 4096
        assert re.fullmatch(
            r"VIP (OK|WARNING|CRITICAL|UNKNOWN) - [^|]*( \| [a-z_]+=[0-9.].*)?", line
        )
    assert (unanswered("x").level, silent("x").level) == (3, 2)
