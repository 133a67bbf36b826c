"""What is counted is said as a person says it."""

import pytest

from policy.wording import count


@pytest.mark.parametrize(
    ("number", "thing", "state", "said"),
    [
        (0, "realserver", "", "no realserver"),
        (1, "prefix", "", "1 prefix"),
        (2, "prefix", "", "2 prefixes"),
        (2, "address", "", "2 addresses"),
        (2, "other data centre", "", "2 other data centres"),
        (0, "more VIP", "down", "no more VIP is down"),
        (1, "more VIP", "down", "1 more VIP is down"),
        (2, "more VIP", "down", "2 more VIPs are down"),
    ],
)
def test_count(number: int, thing: str, state: str, said: str) -> None:
    """One of a thing is one, none is none, and what they are agrees with it."""
    assert count(number, thing, state) == said
