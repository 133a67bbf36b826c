"""`graceful-restart` in bgpd's files: who keeps the routes of a session that ended, and for how long."""

from __future__ import annotations

import pytest

from speaker.migration.bgpd_conf.model import Treatment
from tests.migration.reading import understand

ROUTER = "203.0.113.1"


def config(*lines: str) -> str:
    """Return a file with lines in `router bgp`, and more after an `exit`."""
    head = ["frr version 10.3", "router bgp 64699", f"neighbor {ROUTER} remote-as 64500"]
    return "\n".join([*head, *lines, ""])


def restart(*lines: str) -> int | None:
    """Return for how long the neighbour is asked to keep routes."""
    found = understand(config(*lines))
    assert not found.obstacles
    (neighbor,) = found.neighbors
    return neighbor.graceful_restart


def refused(*lines: str) -> list[str]:
    """Return what is said of lines that are refused."""
    found = understand(config(*lines))
    assert not found.obstacles
    return [str(each) for each in found.verdicts if each.treatment is Treatment.REFUSED]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), None),
        (("bgp graceful-restart",), 120),
        (("bgp graceful-restart restart-time 60",), None),
        (("bgp graceful-restart", "bgp graceful-restart restart-time 60"), 60),
        (("bgp graceful-restart restart-time 0", "bgp graceful-restart"), None),
        (("bgp graceful-restart restart-time 60", "no bgp graceful-restart restart-time",
          "bgp graceful-restart"), 120),
        (("bgp graceful-restart", "no bgp graceful-restart"), None),
        (("bgp graceful-restart", "bgp graceful-restart-disable"), None),
        (("bgp graceful-restart-disable", "bgp graceful-restart"), 120),
        (("bgp graceful-restart", "no bgp graceful-restart-disable"), 120),
        (("exit", "bgp graceful-restart"), 120),
        (("exit", "bgp graceful-restart-disable", "bgp graceful-restart restart-time 5"), None),
    ],
)  # fmt: skip
def test_of_the_router(lines: tuple[str, ...], expected: int | None) -> None:
    """`bgp graceful-restart` asks all neighbours, for 120 s unless said; the last line of a kind counts."""
    assert restart(*lines) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("graceful-restart",), 120),
        (("graceful-restart", "graceful-restart-helper"), None),
        (("graceful-restart-disable", "graceful-restart"), 120),
    ],
)
@pytest.mark.parametrize("router", ["", "bgp graceful-restart", "bgp graceful-restart-disable"])
def test_of_a_neighbour(lines: tuple[str, ...], expected: int | None, router: str) -> None:
    """A neighbour's own line counts, whatever the router's says; without it the router's does again."""
    own = [f"neighbor {ROUTER} {line}" for line in lines]
    assert restart(*[router] * bool(router), *own) == expected
    assert restart(router, *own, f"no {own[-1]}") == restart(router)


def test_of_a_group() -> None:
    """FRR's versions differ in what a group's line does: it is refused, and the members have the router's."""
    group = ("neighbor G peer-group", f"neighbor {ROUTER} peer-group G")
    (said,) = refused(*group, "neighbor G graceful-restart")
    assert said.endswith(
        ": whether the members of a peer-group have it depends on FRR's version; write it for each neighbour"
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("bgp graceful-restart notification", "ExaBGP has no RFC 8538"),
        ("bgp long-lived-graceful-restart stale-time 3600", "ExaBGP has none (RFC 9494)"),
    ],
)
def test_refused(line: str, expected: str) -> None:
    """What ExaBGP has not is refused with its line, in `router bgp` and beside it."""
    for lines in ((line,), ("exit", line)):
        (said,) = refused(*lines)
        assert expected in said


@pytest.mark.parametrize(
    "line",
    [
        "bgp graceful-restart stalepath-time 360",
        "bgp graceful-restart select-defer-time 5",
        "bgp graceful-restart rib-stale-time 5",
        "bgp graceful-restart preserve-fw-state",
        "bgp graceful-restart disable-eor",
        "no bgp graceful-restart notification",
        f"neighbor {ROUTER} long-lived-graceful-restart",
    ],
)
def test_harmless(line: str) -> None:
    """How bgpd itself restarts, and what it keeps of others, says nothing of ExaBGP's sessions."""
    assert refused(line) == []
    assert restart(line) is None


@pytest.mark.parametrize(
    "line",
    ["bgp graceful-restart restart-time", "bgp graceful-restart restart-time 5000",
     "bgp graceful-restart what"],
)  # fmt: skip
def test_no_sense(line: str) -> None:
    """What makes no sense is an error, as any line of `router bgp` is that is not understood."""
    assert understand(config(line)).obstacles
