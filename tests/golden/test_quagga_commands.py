"""What the driver has bgpd do, on Quagga 0.99 and 1.2 and on FRR, and how that is refused."""

from collections.abc import Sequence

import pytest

from policy.plan import Announce, Change, Withdraw
from policy.route import parse_prefix
from speaker.backends.quagga.commands import refusal, render
from tests.golden.recorded import (
    ASN,
    FRR,
    P1,
    P2,
    Q1,
    Q2,
    QUAGGA,
    each_dialect,
    route,
    running,
)
from tests.golden.transcript import Transcript


def commands(changes: Sequence[Change], dialect: str) -> list[str]:
    names = {route(P1, 1).attributes: "BGP1", route(P1, 2).attributes: "BGP2"}
    return render(changes, running(dialect), ASN, names)


@each_dialect
def test_families_in_order(dialect: str) -> None:
    """IPv4 lines first, then `address-family ipv6` without `unicast`, which 0.99 finds ambiguous."""
    changes: list[Change] = [
        Withdraw(Q1),
        Withdraw(P1),
        Announce(route(Q2, 1)),
        Announce(route(P2, 1)),
    ]
    assert commands(changes, dialect) == [
        "configure terminal",
        "router bgp 64699",
        "no network 192.0.2.1/32",
        "network 192.0.2.2/32 route-map BGP1",
        "address-family ipv6",
        "no network 2001:db8::1/128",
        "network 2001:db8::2/128 route-map BGP1",
    ]


@each_dialect
def test_only_what_is_there_is_removed(dialect: str) -> None:
    """`no network` of nothing is never written: FRR skips all that is behind it."""
    absent = Withdraw(parse_prefix("192.0.2.200/32"))
    assert commands([absent], dialect) == []
    assert "no network 192.0.2.200/32" not in commands([absent, Withdraw(P1)], dialect)


@each_dialect
def test_removed_without_its_route_map(dialect: str) -> None:
    """`no network` never names a route-map: FRR refuses one that is not the line's."""
    assert commands([Withdraw(P1)], dialect)[-1] == "no network 192.0.2.1/32"


@each_dialect
def test_lines_of_a_route_map_that_is_made_anew_are_entered_again(dialect: str) -> None:
    """Quagga takes them out of its table with the old route-map."""
    names = {route(P2, 1).attributes: "BGP1"}
    lines = render([Announce(route(P2, 1))], running(dialect), ASN, names, {"BGP1"})
    assert lines == [
        "configure terminal",
        "router bgp 64699",
        "network 192.0.2.1/32 route-map BGP1",
        "network 192.0.2.2/32 route-map BGP1",
        "address-family ipv6",
        "network 2001:db8::1/128 route-map BGP1",
    ]


# --- what is refused ------------------------------------------------------------------------------


@each_dialect
def test_success_is_silent(dialect: str) -> None:
    """What bgpd takes, it takes without a word, once and again."""
    entries = Transcript.load(dialect, "07").entries
    taken = [e for e in entries if e.commands[0].startswith("conf") and not e.output.status]
    assert len(taken) > 2
    assert {refusal(entry.output.stdout) for entry in taken} == {""}


@each_dialect
def test_any_word_is_a_refusal(dialect: str) -> None:
    """Whatever the exit status: Quagga warns of an absent network and exits with 0."""
    entries = [*Transcript.load(dialect, "09").entries, *Transcript.load(dialect, "11").entries]
    refused = {e.commands[-1]: refusal(e.output.stdout) for e in entries if e.output.stdout}
    assert refused["no network 192.0.2.200/32"].startswith("% Can't find")
    assert refused["netwrk 192.0.2.40/32"].startswith("% Unknown command")
    assert refused["network 192.0.2.43/32 route-map"].startswith("% Command incomplete")


@pytest.mark.parametrize(
    ("dialect", "configure"), [(QUAGGA, "conf t"), (FRR, "configure terminal")]
)
def test_wrong_as(dialect: str, configure: str) -> None:
    """`router bgp` of another AS: Quagga says so and exits with 0."""
    wrong = {QUAGGA: "65001", FRR: "64511"}[dialect]
    output = Transcript.load(dialect, "12").said(configure, f"router bgp {wrong}")
    assert output.status == (0 if dialect == QUAGGA else 1)
    assert refusal(output.stdout) == "bgpd runs AS 64699"


@pytest.mark.parametrize("dialect", [QUAGGA, FRR])
@pytest.mark.parametrize("name", ["13", "14"])
def test_down_and_forbidden_look_the_same(dialect: str, name: str) -> None:
    """With `-d bgpd`, no daemon and no permission both are said on stderr, with exit status 1."""
    entries = [e for e in Transcript.load(dialect, name).entries if name == "13" or "-d" in e.line]
    entries = [e for e in entries if "--groups" not in e.line]
    assert entries
    assert {entry.output.status for entry in entries} == {1}
    assert all("failed to connect" in entry.output.stderr for entry in entries)


def test_without_naming_the_daemon_quagga_says_nothing() -> None:
    """bgpd down and zebra up: no word, exit status 0. So `-d bgpd` always goes with it."""
    output = Transcript.load(QUAGGA, "14").said("show bgp ipv4 unicast 192.0.2.1/32")
    assert (output.status, output.stdout, output.stderr) == (0, "", "")
