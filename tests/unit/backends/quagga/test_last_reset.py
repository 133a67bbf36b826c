"""Proves what bgpd tells of the end of a session, in FRR's and Quagga's words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.route import Asn
from speaker.backends.quagga.last_reset import TOLD, down, questions, reasons
from speaker.backends.quagga.summary import SessionState, SummarySession

FRR = """\
BGP neighbor is 203.0.113.5, remote AS 64500, local AS 64699, external link
  Local Role: undefined
  BGP version 4, remote router ID 0.0.0.0, local router ID 203.0.113.6
  BGP state = Active
  Last read 00:00:08, Last write 00:00:03
  Last reset 00:00:03,  Notification sent (OPEN Message Error/Bad Peer AS)
BGP neighbor on link0: fe80::1, remote AS 64501, local AS 64699, external link
  Last reset 00:00:11,  Peer closed the session
BGP neighbor is 2001:db8:ffff::1, remote AS 64502, local AS 64699, external link
  Last reset never
BGP neighbor is 2001:db8:ffff::2, remote AS 64502, local AS 64699, external link
  Last reset 00:00:07,  Notification received (Cease/Administrative Shutdown)
"""
QUAGGA = """\
BGP neighbor is 203.0.113.5, remote AS 64500, local AS 64699, external link
  BGP state = Idle
  Last reset 00:01:02, due to BGP Notification received
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            FRR,
            {
                "203.0.113.5": "Notification sent (OPEN Message Error/Bad Peer AS); compare local-as and "
                "peer-as with what the router has",
                "link0": "Peer closed the session; is the router up, and does it know this neighbor?",
                "2001:db8:ffff::2": "Notification received (Cease/Administrative Shutdown); ask who runs "
                "the router",
            },
        ),
        (
            QUAGGA,
            {
                "203.0.113.5": "BGP Notification received; is the router up, and does it know this neighbor?"
            },
        ),
        ("% No such neighbor\n", {}),
    ],
)
def test_reasons(text: str, found: dict[str, str]) -> None:
    """Each session's last end is told in bgpd's words, with what to do; nothing of one that had none."""
    assert reasons(text.splitlines()) == found


@given(st.lists(st.text()))
def test_any_lines(lines: list[str]) -> None:
    """Whatever stands there is short, or left out."""
    assert all(len(reason) < 300 for reason in reasons(lines).values())


def test_who_is_asked_about() -> None:
    """It is asked about the first few that are down, and of no name that could be something else in a command."""
    up, away = SessionState("7"), SessionState("Active")
    sessions = [SummarySession("203.0.113.1", Asn(64500), {4: up})]
    sessions += [SummarySession(f"203.0.113.{n}", Asn(64500), {4: away}) for n in range(2, 12)]
    assert down(sessions) == [f"203.0.113.{n}" for n in range(2, 2 + TOLD)]
    assert down([SummarySession("a; b", Asn(64500), {4: away})]) == []
    assert questions(["203.0.113.2"]) == ["show ip bgp neighbors 203.0.113.2"]
