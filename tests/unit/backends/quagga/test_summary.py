"""The summary of bgpd's neighbours: every form that a neighbour's line has, on any version."""

from __future__ import annotations

from speaker.backends.quagga.summary import SessionState, parse_summary

QUAGGA = "Neighbor        V         AS MsgRcvd MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd"
FRR = (
    "Neighbor        V         AS   MsgRcvd   MsgSent   TblVer  InQ OutQ  Up/Down "
    "State/PfxRcd   PfxSnt Desc"
)
ROUTER = "BGP router identifier 203.0.113.2, local AS number 64699"
NUMBERS = "5 5 0 0 0 00:00:01"
SEVEN = SessionState("7", "", "00:00:01")


def frr(*rows: str, title: str = "IPv4 Unicast Summary:") -> list[str]:
    return [title, ROUTER, FRR, *rows, "", "Total number of neighbors 1"]


def only(lines: list[str]) -> tuple[str, int, dict[int, SessionState]]:
    (session,) = parse_summary(lines)
    return session.address, session.asn, session.states


def test_a_long_address_of_quagga() -> None:
    """It has a line of its own, and all else is on the next one."""
    rows = [
        "2001:db8:ffff:1::1",
        f"                4 64500 {NUMBERS} 7",
        f"10.0.0.1 4 64501 {NUMBERS} 8",
    ]
    first, second = parse_summary([ROUTER, QUAGGA, *rows, ""])
    assert (first.address, first.asn, first.up) == ("2001:db8:ffff:1::1", 64500, True)
    assert (second.address, second.asn) == ("10.0.0.1", 64501)


def test_other_names_of_a_neighbour() -> None:
    """A dynamic one has a star; its host's name may stand around it; it may be an interface."""
    for text, name in (
        ("*203.0.113.1", "203.0.113.1"),
        ("router1(203.0.113.1)", "203.0.113.1"),
        ("*router1(2001:db8::1)", "2001:db8::1"),
        ("eth1", "eth1"),
        ("router1(eth1)", "eth1"),
    ):
        assert only(frr(f"{text} 4 64500 {NUMBERS} 3 4 N/A"))[0] == name


def test_what_is_no_number() -> None:
    """A session is up where it shows how many prefixes came, in digits."""
    for received, up in (("3", True), ("²", False), ("Idle", False), ("(Policy)", True)):
        (session,) = parse_summary(frr(f"203.0.113.1 4 64500 {NUMBERS} {received} 4 N/A"))
        assert session.up is up


def test_an_as_number_in_halves() -> None:
    """As `as-notation dot` writes it."""
    assert only(frr(f"203.0.113.1 4 1.10 {NUMBERS} 3 4 N/A"))[1] == 65546


def test_quagga_0_99_parts_the_families() -> None:
    """Without a title: what its first summary has is IPv4, and its second one is IPv6."""
    table = [ROUTER, QUAGGA, f"203.0.113.1 4 64500 {NUMBERS} 7", "", "Total number of neighbors 1"]
    assert only([*table, *table])[2] == {4: SEVEN, 6: SEVEN}
    assert only(["No IPv4 neighbor is configured", *table])[2] == {6: SEVEN}
    assert only(table)[2] == {4: SEVEN}


def test_only_unicast_counts() -> None:
    """A neighbour of another family has no state in those that we announce."""
    assert (
        parse_summary(frr(f"203.0.113.1 4 64500 {NUMBERS} 3 4 N/A", title="L2VPN EVPN Summary:"))
        == []
    )
    title = "IPv6 Unicast Summary (VRF default):"
    assert only(frr(f"203.0.113.1 4 64500 {NUMBERS} 3 4 N/A", title=title))[2] == {
        6: SessionState("3", "4", "00:00:01")
    }


def test_a_session_without_the_family() -> None:
    """Established, and the family was not negotiated: up, but of no use for it."""
    six = frr(f"203.0.113.1 4 64500 {NUMBERS} NoNeg NoNeg N/A", title="IPv6 Unicast Summary:")
    four = frr(f"203.0.113.1 4 64500 {NUMBERS} 3 4 N/A")
    for lines in ([*four, *six], six):
        (session,) = parse_summary(lines)
        assert session.up
        assert not session.states[6].negotiated
        assert not session.needs_policy


def test_what_frr_sends_nothing_for_want_of() -> None:
    """A policy for what is sent. Where only one for what is received lacks, all is sent."""
    for received, sent, needs in (
        ("(Policy)", "(Policy)", True),
        ("(Policy)", "12", False),
        ("12", "(Policy)", True),
        ("12", "12", False),
    ):
        (session,) = parse_summary(frr(f"203.0.113.1 4 64500 {NUMBERS} {received} {sent} N/A"))
        assert (session.up, session.needs_policy) == (True, needs)


def test_a_session_that_is_down() -> None:
    """Whatever the word for it, and though it be two words."""
    for word in (
        "Idle",
        "Active",
        "Connect",
        "OpenSent",
        "OpenConfirm",
        "Idle (Admin)",
        "Clearing",
    ):
        (session,) = parse_summary(frr(f"203.0.113.1 4 64500 {NUMBERS} {word} 0 N/A"))
        assert not session.up
        assert not session.needs_policy
