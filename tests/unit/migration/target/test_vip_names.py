"""What is said of a name that DNS does not tell all of: no more than is known."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from policy.route import parse_prefix
from speaker.migration.target.vip_names import name_all
from speaker.resolver.resolver import Answer, Family

REFUSED = "connection refused"
BOTH = dict.fromkeys(Family, REFUSED)
MINE, OTHER = IPv4Address("192.0.2.1"), IPv4Address("198.51.100.1")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer("a.tld", failed=BOTH), "it is left out"),
        (Answer("a.tld", (OTHER,), failed={Family.IPV6: REFUSED}), "it is left out"),
        (Answer("a.tld", (MINE,), failed={Family.IPV6: REFUSED}), "its other addresses are used"),
        (Answer("a.tld", (OTHER,)), "none of its addresses is announced; it is left out"),
    ],
)
def test_no_more_than_is_known(answer: Answer, said: str) -> None:
    """Where DNS did not answer, it is not said that none is announced; and each name is spoken of once."""
    named = name_all([parse_prefix(str(MINE))], ["a.tld"], lambda _: {"a.tld": answer}, None)
    (note,) = named.notes
    assert note.endswith(f"; {said}" if answer.failed else said)
