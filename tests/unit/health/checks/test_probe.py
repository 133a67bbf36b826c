"""Answers are counted until they are believed; what is unknown is so at once, and is never down."""

from __future__ import annotations

from ipaddress import ip_address

from hypothesis import example, given
from hypothesis import strategies as st

from policy.health import Health
from speaker.config.settings_checks import CheckSettings, HttpCheck
from speaker.health.checks.probe import Probe, ProbeAnswer, Tally

UP, DOWN, UNKNOWN = Health.UP, Health.DOWN, Health.UNKNOWN
ASKS = HttpCheck("http://{address}:81/")


def tallied(answers: list[Health], rise: int, fall: int) -> list[Tally]:
    check = CheckSettings("x", ASKS, rise=rise, fall=fall)
    tally, found = Tally(), []
    for now, each in enumerate(answers):
        tally = tally.after(ProbeAnswer(each, f"HTTP {each}"), check, float(now))
        found.append(tally)
    return found


def told(answers: list[Health], rise: int = 1, fall: int = 1) -> list[Health]:
    return [each.said.health for each in tallied(answers, rise, fall)]


def test_the_first_answers() -> None:
    """Nothing is known until as many answers as `rise` or `fall` wants said the same."""
    assert Tally().said.health is UNKNOWN
    assert told([UP]) == [UP]
    assert told([UP, UP, UP], rise=3) == [UNKNOWN, UNKNOWN, UP]
    assert told([DOWN, UP, DOWN, DOWN], fall=2, rise=2) == [UNKNOWN, UNKNOWN, UNKNOWN, DOWN]


def test_settling() -> None:
    """Until the first answers are there it is settling; not once it is known, nor where an answer was unknown."""
    assert Tally().said.settling
    assert [each.said.settling for each in tallied([UP, UP, DOWN], 2, 2)] == [True, False, False]
    assert [each.said.settling for each in tallied([UNKNOWN, UP], 2, 2)] == [False, True]


def test_rise_and_fall() -> None:
    """What is known stays until the other was said so often, one after the other."""
    assert told([UP, DOWN, DOWN, UP, DOWN, DOWN, DOWN], fall=3) == [UP] * 6 + [DOWN]
    assert told([DOWN, UP, DOWN, UP, UP], rise=2) == [DOWN] * 4 + [UP]


def test_unknown_counts_for_nothing() -> None:
    """An unknown answer is told at once, and neither breaks a run nor lengthens it; what was known comes back at once."""
    assert told([UP, UNKNOWN, UP], rise=3, fall=3) == [UNKNOWN] * 3
    assert told([UP, UP, UNKNOWN, UP], rise=2) == [UNKNOWN, UP, UNKNOWN, UP]
    assert told([UP, DOWN, UNKNOWN, DOWN], fall=2) == [UP, UP, UNKNOWN, DOWN]


@given(st.lists(st.sampled_from(Health), max_size=12), st.integers(1, 3), st.integers(1, 3))
@example([UP, UNKNOWN, UNKNOWN], 1, 1)
def test_never_down_by_unknown(answers: list[Health], rise: int, fall: int) -> None:
    """Down needs `fall` answers that say so, up `rise`; and unknown answers say neither."""
    for end, health in enumerate(told(answers, rise, fall), start=1):
        seen = answers[:end]
        assert seen[-1] is not UNKNOWN or health is UNKNOWN
        assert health is not DOWN or seen.count(DOWN) >= fall
        assert health is not UP or seen.count(UP) >= rise


def test_since_and_why() -> None:
    """Since when it is so; the same object while all is the same; and how far it is from changing."""
    found = tallied([UP, UP, DOWN, DOWN], 1, 2)
    assert found[1].said is found[0].said
    assert found[0].said.since == 0.0
    assert (found[2].said.health, found[2].said.since) == (UP, 0.0)
    assert found[2].said.reason == "HTTP down, 1 of 2 answers"
    assert (found[3].said.health, found[3].said.since) == (DOWN, 3.0)


def test_targets() -> None:
    """A target is filled in where it is meant, an IPv6 address of a URL in brackets."""
    check = CheckSettings("x", ASKS)
    assert Probe(check, ip_address("192.0.2.1")).in_url(ASKS.url) == "http://192.0.2.1:81/"
    assert Probe(check, ip_address("2001:db8::1")).in_url(ASKS.url) == "http://[2001:db8::1]:81/"
    realserver = Probe(check, (ip_address("2001:db8::1"), 8080))
    assert realserver.in_url("http://{realserver}/") == "http://[2001:db8::1]:8080/"
