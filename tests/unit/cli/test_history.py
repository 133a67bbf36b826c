"""`history`: since when, as JSON, and what is done from now on: each line once."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, cast

import pytest

from speaker.api import HistoryEntry
from speaker.cli.arguments import parse
from speaker.cli.history import LATE, history
from speaker.errors import SpeakerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speaker.api import Operations


class Past:
    """Answers with what was done until a step, and counts the steps."""

    def __init__(self, *steps: Sequence[HistoryEntry] | SpeakerError) -> None:
        self.steps, self.asked = [*steps], list[float | None]()

    def history(self, prefixes: Any, since: float | None = None) -> Sequence[HistoryEntry]:
        del prefixes
        self.asked.append(since)
        step = self.steps.pop(0)
        if isinstance(step, SpeakerError):
            raise step
        return step

    def wait(self, seconds: float) -> None:
        del seconds
        if not self.steps:
            raise KeyboardInterrupt


def run(past: Past, *words: str) -> int:
    return history(parse(["history", *words]), cast("Operations", past), (), past.wait)


def entry(age: float, event: str = "drained") -> HistoryEntry:
    return HistoryEntry(time.time() - age, "192.0.2.1/32", event, "x")


def test_since(capsys: pytest.CaptureFixture[str]) -> None:
    """`--since 2h` asks for what was done in the last two hours; without it the newest are asked for."""
    past = Past([entry(1.0)], [])
    assert run(past, "--since", "2h") == 0
    assert run(past) == 0
    assert past.asked[0] == pytest.approx(time.time() - 7200, abs=60)
    assert past.asked[1] is None
    assert capsys.readouterr().out.splitlines()[1] == "no history"


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` has each line with its keys; with `--follow` each line is an object of its own."""
    first, second = entry(2.0), entry(1.0, "withdrawn")
    run(Past([first, second]), "--json")
    assert json.loads(capsys.readouterr().out) == [first.to_json(), second.to_json()]
    run(Past([first], [first, second]), "--json", "--follow")
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines] == [first.to_json(), second.to_json()]


def test_follow(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line is shown once, one that was recorded late too; trouble is said once, and following goes on."""
    old, late, new = entry(5.0), entry(LATE / 2, "withdrawn"), entry(0.5, "announced")
    gone = SpeakerError("no vip_watchdog serves it")
    past = Past([old], [old], gone, gone, [late, old], [late, old, new], [old, new])
    assert run(past, "--follow") == 0
    said = capsys.readouterr()
    assert [line.split()[2].rstrip(":") for line in said.out.splitlines()] == [
        "drained",
        "withdrawn",
        "announced",
    ]
    assert said.err == "bgp_mgt: no vip_watchdog serves it\n"
    assert all(since is None or since < time.time() - LATE + 5 for since in past.asked)


def test_the_first_answer() -> None:
    """Where there is no answer to begin with, it ends."""
    with pytest.raises(SpeakerError):
        run(Past(SpeakerError("no")), "--follow")
