"""Proves what is said of the end of a session."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaker.backends.notification import explained, is_notification


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (
            "notification sent (2,2)",
            "bad peer AS (NOTIFICATION 2/2 sent); compare local-as and peer-as with what the router has",
        ),
        (
            "notification received (6,2)",
            "administrative shutdown (NOTIFICATION 6/2 received); ask who runs the router",
        ),
        (
            "notification received (4,0)",
            "hold timer expired (NOTIFICATION 4/0 received); the other end was silent: is the link well?",
        ),
        (
            "notification received (6,77)",
            "cease (NOTIFICATION 6/77 received); ask who runs the router",
        ),
        (
            "notification received (99,1)",
            "NOTIFICATION 99/1 received; see the routing daemon's log",
        ),
        ("closing connection", "the connection breaks; is the router up, and reachable?"),
        ("stop, message [shutting down]", "stop, message [shutting down]"),
    ],
)
def test_explained(reason: str, said: str) -> None:
    """A NOTIFICATION is told by its name, its numbers, who sent it, and what to do; other words as they are."""
    assert explained(reason) == said


@given(st.text())
def test_any_text(text: str) -> None:
    """Whatever a daemon says, what is made of it is short."""
    assert len(explained(text)) <= 200
    assert not is_notification(text) or "NOTIFICATION" in explained(text)
