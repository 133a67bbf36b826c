"""vip_mgmt --until-gone and --until-seen: what witnesses have is waited for, and what they did not tell is not known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from speaker.api import Status
from speaker.cli.arguments import UsageError, parse
from speaker.cli.until import EVERY, NO_WITNESS, TIMEOUT, until
from speaker.errors import SpeakerError
from speaker.exit_status import ExitStatus
from speaker.seen_status import SeenPath, WitnessStatus
from tests.support.shown import ANNOUNCED

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX = "192.0.2.1/32"
ROUTER = "203.0.113.1"


def path(dc: str) -> SeenPath:
    return SeenPath(at=ROUTER, dc=dc, as_path=(64500, 64699), best=True)


def witness(hearing: str = "whole", reason: str = "") -> WitnessStatus:
    return WitnessStatus(name=ROUTER, asn=64500, hearing=hearing, reason=reason)


def status(*dcs: str, witnesses: Sequence[WitnessStatus] = (witness(),)) -> Status:
    """A state in which the prefix is seen with the paths of some data centres."""
    route = replace(
        ANNOUNCED,
        prefix=PREFIX,
        announced=False,
        as_path=(),
        realservers=1,
        intent="drained",
        reason="",
        wanted=False,
        seen=tuple(map(path, dcs)),
    )
    return Status(
        dc="par1",
        backend="exabgp",
        peers=(),
        trouble=(),
        routes=(route,),
        witnesses=tuple(witnesses),
    )


class Asked:
    """Answers with one state after another, the last one for ever; a clock that only waiting moves."""

    def __init__(self, *states: Status | SpeakerError) -> None:
        self._states = [*states]
        self.now = 0.0

    def status(self) -> Status:
        state = self._states[0] if len(self._states) == 1 else self._states.pop(0)
        if isinstance(state, SpeakerError):
            raise state
        return state

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def until(self, *, gone: bool, timeout: float | None = None) -> ExitStatus:
        return until(
            self,  # type: ignore[arg-type]  # only its status is asked for
            {PREFIX},
            gone=gone,
            timeout=timeout,
            wait=self.wait,
            clock=lambda: self.now,
        )


def test_gone(capsys: pytest.CaptureFixture[str]) -> None:
    """It ends as soon as no witness has our path; another data centre's is none of ours."""
    asked = Asked(status("par1", "lyo1"), SpeakerError("away"), status("par1"), status("lyo1"))
    assert asked.until(gone=True) is ExitStatus.DONE
    assert asked.now == pytest.approx(3 * EVERY)
    assert f"gone from witnesses: {ROUTER}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (status("par1"), f"{PREFIX}: still seen at {ROUTER}: par1 64500 64699, best"),
        (status(""), "whose it is can't be told, set mark in [dc.…]"),
        (
            status(witnesses=[replace(witness(), families=(6,))]),
            f"{PREFIX}: no witness has IPv4, so it is not known",
        ),
        (
            status(witnesses=[witness("down", "its session is down")]),
            f"witness {ROUTER}: its session is down: what it has is not known",
        ),
        (
            status(witnesses=[witness("learning", "it is still telling its routes")]),
            "it is still telling its routes: what it has is not known",
        ),
    ],
)
def test_not_gone(capsys: pytest.CaptureFixture[str], state: Status, said: str) -> None:
    """Who still has it, or may have it, is named at the end of the time; what is unknown is not gone."""
    asked = Asked(state)
    assert asked.until(gone=True, timeout=5.0) is ExitStatus.NOT_AS_WANTED
    assert asked.now == pytest.approx(5.0)
    assert said in capsys.readouterr().err


def test_seen(capsys: pytest.CaptureFixture[str]) -> None:
    """It ends once a witness shows our path; at the end of the time what they show instead is said."""
    asked = Asked(status(), status("lyo1"), status("par1", "lyo1"))
    assert asked.until(gone=False) is ExitStatus.DONE
    asked = Asked(status("lyo1"))
    assert asked.until(gone=False) is ExitStatus.NOT_AS_WANTED
    assert asked.now == pytest.approx(TIMEOUT)
    assert f"{PREFIX}: not seen: seen at {ROUTER}: lyo1 64500" in capsys.readouterr().err


def test_whether_it_is_seen_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    """What a witness does not tell may be there: nothing is said not to be seen, and that witness is named."""
    away = witness("down", "its session is down")
    assert Asked(status(witnesses=[away])).until(gone=False) is ExitStatus.NOT_AS_WANTED
    said = capsys.readouterr().err
    assert f"{PREFIX}: whether it is seen is not known: no witness shows it" in said
    assert f"witness {ROUTER}: its session is down: what it has is not known" in said
    assert "not seen:" not in said
    assert Asked(status()).until(gone=False) is ExitStatus.NOT_AS_WANTED
    assert f"{PREFIX}: not seen: it is at none of the witnesses\n" in capsys.readouterr().err
    assert Asked(status("par1", witnesses=[away])).until(gone=False) is ExitStatus.DONE


@pytest.mark.parametrize("gone", [True, False])
def test_no_longer_configured(capsys: pytest.CaptureFixture[str], *, gone: bool) -> None:
    """Of a prefix that a reload took out meanwhile nothing is told: it is neither gone nor seen."""
    asked = Asked(replace(status("par1"), routes=()))
    assert asked.until(gone=gone, timeout=1.0) is ExitStatus.NOT_AS_WANTED
    assert f"{PREFIX}: is no longer in the vip.toml that is loaded" in capsys.readouterr().err


@pytest.mark.parametrize("gone", [True, False])
def test_no_witness(capsys: pytest.CaptureFixture[str], *, gone: bool) -> None:
    """Without a witness it says at once that it can't know, and nothing is taken for done."""
    asked = Asked(status(witnesses=()))
    assert asked.until(gone=gone) is ExitStatus.NOT_AS_WANTED
    assert asked.now == 0.0
    assert NO_WITNESS in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["-d", "vip-1.tld", "--until-gone", "--dry-run"],
        ["-d", "vip-1.tld", "--until-gone", "--at", "+5m"],
        ["-d", "vip-1.tld", "--last", "--at", "+5m"],
        ["-d", "vip-1.tld", "--until-seen"],
        ["-a", "vip-1.tld", "--until-gone"],
        ["-a", "vip-1.tld", "--last"],
    ],
)
def test_usage(words: list[str]) -> None:
    """Options that make no sense together are refused."""
    with pytest.raises(UsageError):
        parse(words)


def test_call() -> None:
    """What is asked for is in the call."""
    call = parse(["-d", "vip-1.tld", "--until-gone", "--timeout", "5s", "--last"])
    assert (call.until, call.timeout, call.last) == (True, 5.0, True)
    assert parse(["-a", "vip-1.tld", "--until-seen"]).until
