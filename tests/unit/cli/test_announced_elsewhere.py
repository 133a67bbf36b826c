"""Whether those who would take over are known to announce a prefix: what is not seen is not known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from speaker.api import PrefixStatus, Status
from speaker.cli.announced_elsewhere import announced_elsewhere
from speaker.seen_status import SeenPath, WitnessStatus
from tests.support.shown import ANNOUNCED

A, B = "203.0.113.1", "203.0.113.2"


def said(*paths: tuple[str, str], **hearing: str) -> str:
    """Return what is said of lyo1 where witnesses show paths (at which, whose), and tell so much."""
    seen = tuple(SeenPath(at=at, dc=dc) for at, dc in paths)
    route: PrefixStatus = replace(ANNOUNCED, prefix="192.0.2.1/32", seen=seen)
    names = {"a": A, "b": B}
    witnesses = tuple(
        WitnessStatus(name=names[key], asn=64500, hearing=each, families=(4,))
        for key, each in hearing.items()
    )
    status = Status(
        dc="par1", backend="exabgp", peers=(), trouble=(), routes=(route,), witnesses=witnesses
    )
    return announced_elsewhere(status, route, ["lyo1"])


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([], f"not known to be announced by lyo1 (not seen at {A}, {B})"),
        ([(A, "par1")], f"not known to be announced by lyo1 (not seen at {A}, {B})"),
        ([(A, "lyo1"), (A, "lyo1"), (B, "lyo1")], f"lyo1 announces it (seen at {A}, {B})"),
        (
            [(A, "fra1"), (B, "par1")],
            f"not known to be announced by lyo1 (not seen at {A}, {B}); fra1 announces it (seen at {A})",
        ),
        (
            [(A, ""), (B, "lyo1")],
            f"lyo1 announces it (seen at {B}); whose path {A} shows can't be told",
        ),
    ],
)
def test_shown(paths: list[tuple[str, str]], expected: str) -> None:
    """What is seen is announced, with where; others who announce it, and paths of no known one, are named."""
    assert said(*paths, a="whole", b="whole") == expected


@pytest.mark.parametrize("hearing", ["learning", "unknown", "down"])
def test_who_does_not_tell(hearing: str) -> None:
    """Of a witness of which not all is known, what is not seen is no answer; what it shows is one."""
    assert said(a=hearing) == "whether lyo1 announces it is not known (no witness tells)"
    assert said((A, "lyo1"), a=hearing) == f"lyo1 announces it (seen at {A})"
    assert said(a=hearing, b="whole").endswith(f"(not seen at {B})")


def test_another_family() -> None:
    """A witness of IPv4 alone tells nothing of an IPv6 prefix."""
    witness = WitnessStatus(name=A, asn=64500, hearing="whole", families=(4,))
    route: PrefixStatus = replace(ANNOUNCED, prefix="2001:db8::1/128", seen=())
    status = Status(
        dc="par1", backend="exabgp", peers=(), trouble=(), routes=(route,), witnesses=(witness,)
    )
    assert "no witness tells" in announced_elsewhere(status, route, ["lyo1"])
