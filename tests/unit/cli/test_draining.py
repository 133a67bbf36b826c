"""What vip_mgmt -d --soft shows while it waits, and what it ends with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from policy.intent import Mode
from policy.route import parse_prefix
from speaker import config
from speaker.api import IntentOutcome, PrefixStatus, RecordedIntent, Status
from speaker.cli import operate
from speaker.cli.arguments import parse
from speaker.cli.commands import UsageError
from speaker.cli.connections import ConnectionsShown
from speaker.cli.draining import DrainWatch, follow, patience
from speaker.drain_status import DrainStatus
from speaker.errors import SpeakerError
from speaker.exit_status import ExitStatus
from tests.support.fakes.site import write_config
from tests.support.shown import ANNOUNCED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


P, Q, R = "192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32"
NOW = 1700000000.0


def at(prefix: str = P, intent: Mode = Mode.DRAINING, **drain: object) -> PrefixStatus:
    """The state of a prefix in a stage."""
    withdrawn = intent is Mode.DRAINED
    return replace(
        ANNOUNCED,
        prefix=prefix,
        announced=not withdrawn,
        intent=intent,
        reason="so it is",
        wanted=not withdrawn,
        drain=DrainStatus(stage=intent, began=NOW, ends=NOW + 900.0, **drain),  # type: ignore[arg-type]  # of several types
    )


def gone(prefix: str = P, left: int | None = 0) -> PrefixStatus:
    return at(prefix, Mode.DRAINED, left=left)


@dataclass
class Told:
    """Answers, one after the other; the last again and again. None: there is no answer."""

    states: list[Sequence[PrefixStatus] | None]
    asked: int = 0
    within: float = 1e6

    def status(self) -> Status:
        state = self.states[min(self.asked, len(self.states) - 1)]
        self.asked += 1
        if state is None:
            raise SpeakerError("control: nobody answers")
        return Status(dc="par1", backend="exabgp", peers=(), trouble=(), routes=tuple(state))

    def end(self, capsys: pytest.CaptureFixture[str]) -> tuple[ExitStatus, str, str]:
        """Follow to the end; return the exit status and what was said on stderr and stdout."""
        clock = iter_seconds()
        prefixes = {route.prefix for state in self.states if state for route in state}
        done = follow(self, prefixes, self.within, lambda _: None, lambda: next(clock))  # type: ignore[arg-type]  # all that it asks for
        said = capsys.readouterr()
        return done, said.err, said.out


def iter_seconds() -> Iterator[float]:
    now = NOW
    while True:
        yield now
        now += 1.0


def test_what_was_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """It ends when all are withdrawn, and says of each what was cut, or that it is not known."""
    told = Told([[at(P), at(Q)], [gone(P, 0), at(Q)], [gone(P, 0), gone(Q, 3)]])
    done, err, _ = told.end(capsys)
    assert done is ExitStatus.DONE
    assert f"Deleting route to {P}; no connection is cut" in err
    assert f"Deleting route to {Q}; 3 connections are cut" in err
    done, err, _ = Told([[gone(P, None)]]).end(capsys)
    assert (done, "how many connections are cut is not known" in err) == (ExitStatus.DONE, True)


def test_withdrawn_is_what_the_peers_lost(capsys: pytest.CaptureFixture[str]) -> None:
    """What is decided to be withdrawn is waited for until no peer has it."""
    waits = replace(gone(), announced=True, as_wanted=False)
    told = Told([[waits], [waits], [gone()]])
    assert told.end(capsys)[0] is ExitStatus.DONE
    assert told.asked == 3


def test_it_stays(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing is cut at the time limit, that is no success, and says how many are left."""
    stays = at(stays=True, connections=4)
    assert stays.drain is not None
    over = replace(stays, drain=replace(stays.drain, ends=NOW))
    done, err, _ = Told([[over]]).end(capsys)
    assert done is ExitStatus.NOT_AS_WANTED
    assert f"{P}: the time limit is over: it stays announced softly; 4 are connected" in err


def test_undone_meanwhile(capsys: pytest.CaptureFixture[str]) -> None:
    """Another word of an operator ends it, and is said."""
    auto = replace(at(), intent="auto", drain=None)
    done, err, _ = Told([[at()], [auto]]).end(capsys)
    assert done is ExitStatus.NOT_AS_WANTED
    assert f"{P}: the drain was ended before its end: so it is; vip_mgmt history" in err


@pytest.mark.parametrize(
    "told",
    [
        {"intent": "draining"},
        {"intent": "drained", "wanted": False, "as_wanted": False},
        {"intent": "unknown", "wanted": None},
    ],
)
def test_no_watchdog_for_a_while(
    capsys: pytest.CaptureFixture[str], told: dict[str, object]
) -> None:
    """What is recorded says nothing of a drain's stage: that is no end of it, and nobody is said to have ended it."""
    recorded = replace(at(), announced=None, drain=None, **told)  # type: ignore[arg-type]  # of several types
    done, err, _ = Told([[at(connections=3)], [recorded], [gone()]]).end(capsys)
    assert done is ExitStatus.DONE
    assert "was ended" not in err
    assert f"Deleting route to {P}; no connection is cut" in err


def test_it_left_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    """What left vip.toml meanwhile is not waited for any more, and is named."""
    done, err, _ = Told([[at(P), at(Q)], [gone(P)]]).end(capsys)
    assert done is ExitStatus.NOT_AS_WANTED
    assert f"{Q}: is no longer in the vip.toml that is loaded" in err


def test_nobody_answers_for_a_while(capsys: pytest.CaptureFixture[str]) -> None:
    """It goes on, as the drain does."""
    done, err, _ = Told([None, [at(connections=3)], [gone()]]).end(capsys)
    assert done is ExitStatus.DONE
    assert "not known at the moment: control: nobody answers" in err


def test_interrupted(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends the watching, and not the drain."""

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    done = follow(Told([[at()]]), {P}, 1e6, interrupt)  # type: ignore[arg-type]  # all that it asks for
    assert done is ExitStatus.NOT_AS_WANTED
    assert "the drain goes on" in capsys.readouterr().err


def test_bars(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal has a bar for each VIP, how quickly they go, and the time that is left."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    states = [
        [at(P, connections=n, inactive=7), at(Q, connections=0, inactive=0)] for n in (40, 20)
    ]
    done, _, out = Told([*states, [gone(P), gone(Q)]]).end(capsys)
    assert done is ExitStatus.DONE
    assert "vip-1.tld [####################] 40 active, 7 inactive, 15m left" in out
    assert "vip-1.tld [##########..........] 20 active, 7 inactive, -20.0/s, 14m59s left" in out
    _, _, out = Told([[at(connections=None)], [gone()]]).end(capsys)
    assert "connections are not known" in out


def test_new_ones() -> None:
    """A line has how many connections still come, where that is known of each prefix of the VIP: what still attracts traffic is seen before it is cut."""
    state = [at(P, connections=40, inactive=7), at(Q, connections=2, inactive=0)]
    for last, said in ((2.0, ", 3.5 new/s"), (None, "")):
        made = {P: ConnectionsShown(1, 1, 1.5), Q: ConnectionsShown(1, 1, last)}
        watch = DrainWatch({P, Q})
        (bar,) = watch.take(state, NOW, made)
        assert bar.endswith(f"] 42 active, 7 inactive{said}, 15m left")


def test_bars_have_no_escapes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A VIP's name, and what went wrong, act on no terminal."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    _, _, out = Told([[replace(at(connections=1), vip="a\x1b[31mb")], [gone()]]).end(capsys)
    assert "a\\x1b[31mb [" in out
    assert "\x1b[31m" not in out


def test_a_time_that_is_empty() -> None:
    """It is refused: without it, what is planned would begin now."""
    with pytest.raises(UsageError, match="--at: '': not a time"):
        parse(["-d", "x", "--at", ""])


@pytest.mark.parametrize(
    "words",
    [
        "-a x --soft --force",
        "-d x --force",
        "-d x --soft --force --at +1h",
        "-d x --no-wait",
        "status --soft",
    ],
)
def test_what_does_not_go_together(words: str) -> None:
    """Words that make no sense together are refused."""
    with pytest.raises(UsageError):
        parse(words.split())


@pytest.mark.parametrize(
    ("words", "mode"),
    [
        ("-d x --soft", Mode.DRAINING),
        ("-a x --soft", Mode.RETURNING),
        ("-d x", Mode.DRAINED),
        ("-d x --soft --no-wait", Mode.DRAINING),
        ("-d x --soft --force", Mode.DRAINING),
        ("-a x --force", Mode.FORCED),
    ],
)
def test_words(words: str, mode: Mode) -> None:
    """What is asked for; of a drain --force is another word than of what is announced."""
    call = parse(words.split())
    assert call.mode is mode
    assert call.force == (mode is Mode.DRAINING and "--force" in words)


class Operated(Told):
    """One that also applies, and answers at once."""

    outcome: IntentOutcome

    def apply(self, _: object) -> list[IntentOutcome]:
        return [self.outcome]


@pytest.mark.parametrize(
    ("words", "outcome", "asked"),
    [
        ("-d x --soft", at(), 1),
        ("-d x --soft --no-wait", at(), 0),
        ("-d x --soft --dry-run", at(), 0),
        ("-d x --soft", gone(), 0),
    ],
)
def test_who_is_waited_for(
    capsys: pytest.CaptureFixture[str], words: str, outcome: PrefixStatus, asked: int
) -> None:
    """What drains now is waited for, unless that is not wanted; what was withdrawn before is not."""
    operations = Operated([[gone()]])
    before = outcome.announced
    operations.outcome = IntentOutcome(**outcome.values(), before=before)
    rehearsed: list[str] = []
    done = operate.operate(parse(words.split()), operations, [parse_prefix(P)], rehearsed.extend)  # type: ignore[arg-type]  # all that it asks for
    assert done is ExitStatus.DONE
    assert operations.asked == asked
    assert bool(rehearsed) is ("--dry-run" in words)
    said = capsys.readouterr().err
    assert ("already removed" in said) is (before is False)


def test_it_does_not_end(capsys: pytest.CaptureFixture[str]) -> None:
    """It is waited for so long and no longer, whatever holds it: what is left is said, and that it goes on."""
    not_begun = replace(at(), drain=DrainStatus(stage=Mode.DRAINING))
    for states in ([[not_begun]], [[not_begun], None]):
        done, err, _ = Told([*states], within=960.0).end(capsys)
        assert done is ExitStatus.NOT_AS_WANTED
        assert "not over after 16m, and not waited for any longer" in err
        assert "the drain goes on: vip_mgmt status shows it" in err
        assert ("not known at the moment: control: nobody answers" in err) is (None in states)


def test_patience(tmp_path: Path) -> None:
    """It is the longest timeout of those that drain, and a minute."""
    loaded = config.load(write_config(tmp_path, '[drain]\ntimeout = "20m"\n'), {})
    assert patience(loaded.topology, [parse_prefix(P)]) == 1260.0


def test_an_aggregate_stands_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The soft drain of a member that is kept back moves no traffic: that is said, with what does."""
    operations = Operated([[gone()]])
    kept = replace(at(), announced=False, wanted=False, kept_back=True, aggregate="192.0.2.0/24")
    operations.outcome = IntentOutcome(
        **{**kept.values(), "aggregate_announced": True}, before=False
    )
    done = operate.operate(parse("-d x --soft".split()), operations, [parse_prefix(P)])  # type: ignore[arg-type]  # all that it asks for
    said = capsys.readouterr().err
    assert done is ExitStatus.DONE
    assert "already removed" not in said
    assert "192.0.2.0/24 is announced in its place (summary_only), so this moves no traffic" in said
    assert "vip_mgmt -d 192.0.2.0/24 --soft" in said


def test_a_rehearsal_where_no_watchdog_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """Who would take over is said by vip.toml alone, so it is said there, too."""
    operations = Operated([[gone()]])
    operations.outcome = RecordedIntent(prefix=P, recorded="would be recorded")  # type: ignore[assignment]  # one of both
    rehearsed: list[str] = []
    words = "-d x --soft --dry-run".split()
    operate.operate(parse(words), operations, [parse_prefix(P)], rehearsed.extend)  # type: ignore[arg-type]  # all that it asks for
    assert rehearsed == [P]
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    ("drain", "said"),
    [
        (at(intent=Mode.RETURNING).drain, "softly until 2023-11-14T22:28:20Z, then as its rank"),
        (DrainStatus(stage=Mode.RETURNING), "softly at first, then as its rank"),
        (None, "softly at first, then as its rank"),
    ],
)
def test_return(capsys: pytest.CaptureFixture[str], drain: DrainStatus | None, said: str) -> None:
    """What comes back softly is said to, and until when."""
    operations = Operated([[gone()]])
    route = replace(ANNOUNCED, intent=Mode.RETURNING, drain=drain)
    operations.outcome = IntentOutcome(**route.values(), before=False)
    done = operate.operate(parse("-a x --soft".split()), operations, [parse_prefix(P)])  # type: ignore[arg-type]  # all that it asks for
    assert done is ExitStatus.DONE
    assert capsys.readouterr().err == (
        f"bgp_mgt: Adding route to {P}\nbgp_mgt: {P}: announced {said}\n"
    )


@pytest.mark.parametrize("words", ["-a x --soft", "-a x --soft --dry-run"])
def test_nothing_returns_that_was_never_gone(
    capsys: pytest.CaptureFixture[str], words: str
) -> None:
    """What is announced as always is not made to return: it is not said to be announced softly."""
    operations = Operated([[gone()]])
    operations.outcome = IntentOutcome(**ANNOUNCED.values(), before=True)
    operate.operate(parse(words.split()), operations, [parse_prefix(P)])  # type: ignore[arg-type]  # all that it asks for
    assert "softly" not in capsys.readouterr().err


def test_a_soft_drain_of_what_is_dead(capsys: pytest.CaptureFixture[str]) -> None:
    """It is withdrawn already, for its health: that is said, and not only that it is removed."""
    operations = Operated([[gone()]])
    route = replace(
        at(), announced=False, wanted=False, health="down", reason="draining; down: 0 realservers"
    )
    operations.outcome = IntentOutcome(**route.values(), before=False)
    words = "-d x --soft --no-wait".split()
    operate.operate(parse(words), operations, [parse_prefix(P)])  # type: ignore[arg-type]  # all that it asks for
    assert f"{P}: draining; down: 0 realservers" in capsys.readouterr().err
