"""vip_mgmt restart: what is done in which order, and what goes on where something is not as it must be."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from policy.intent import Mode
from speaker import config
from speaker.api import PrefixStatus, Status
from speaker.cli import restart as restart_module
from speaker.cli.arguments import parse
from speaker.cli.commands import UsageError
from speaker.cli.restart import NotSeenError, Restart, restart
from speaker.cli.second import wait_until_drained
from speaker.cli.systemctl import BESIDE, FIRST, Systemctl, UnitError
from speaker.control.client import NotServedError, OutcomeUnknownError
from speaker.exit_status import ExitStatus
from tests.support.fakes.site import write_config
from tests.support.shown import ANNOUNCED

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

P, Q = "192.0.2.1/32", "192.0.2.2/32"
ONE, TWO = "192.0.2.251", "192.0.2.252"


def route(prefix: str = P, *peers: str, wanted: bool | None = True, **more: object) -> PrefixStatus:
    """The state of a prefix that some peers were sent."""
    found = replace(
        ANNOUNCED,
        prefix=prefix,
        announced=bool(peers),
        peers={ONE: False, TWO: False, **dict.fromkeys(peers, True)},
        reason="so it is",
        wanted=wanted,
    )
    return replace(found, **more)  # type: ignore[arg-type]  # of several types


@dataclass
class Machine:
    """Units, and what their watchdogs say: by the state of each unit, one answer after the other, the last for ever."""

    first: list[list[PrefixStatus] | None]
    again: list[list[PrefixStatus] | None] = field(default_factory=list)
    second: list[list[PrefixStatus] | None] = field(default_factory=list)
    fails: Collection[str] = ()
    interrupts: Collection[str] = ()
    done: list[str] = field(default_factory=list)
    now: float = 0.0

    def do(self, verb: str, unit: str) -> None:
        self.done.append(f"{verb} {unit.removesuffix('.service')}")
        if self.done[-1] in self.fails:
            raise UnitError(f"{self.done[-1]}: exit status 1: so it is")
        if self.done[-1] in self.interrupts:
            raise KeyboardInterrupt
        if (verb, unit) == ("restart", FIRST):
            self.first = self.again

    def wait(self, seconds: float) -> None:
        self.now += seconds
        if seconds == restart_module.SETTLE:
            self.done.append("settle")

    def run(self, *, beside: bool = False) -> ExitStatus:
        one, two = Asked(self, "first"), Asked(self, "second")
        asked = Restart(one, two, self, wait=self.wait, steady=lambda: self.now)
        return asked.run(beside=beside)


@dataclass
class Asked:
    """A watchdog of it."""

    machine: Machine
    name: str

    def status(self) -> Status:
        states: list[list[PrefixStatus] | None] = getattr(self.machine, self.name)
        state = states.pop(0) if len(states) > 1 else states[0]
        if state is None:
            raise NotServedError("control: nobody serves it")
        return Status(dc="par1", backend="exabgp", peers=(), trouble=(), routes=tuple(state))


ALL = [route(P, ONE, TWO), route(Q, ONE)]


def test_restart(capsys: pytest.CaptureFixture[str]) -> None:
    """It is over when each peer that had a route has it again: not when a watchdog answers, nor when some have it."""
    part = [route(P, ONE), route(Q, ONE)]
    machine = Machine([ALL], [None, [], [route(P, wanted=None), route(Q, wanted=None)], part, ALL])
    assert machine.run() is ExitStatus.DONE
    assert machine.done == ["restart exabgp-vip"]
    assert machine.first == [ALL]
    said = capsys.readouterr().err
    assert "exabgp-vip.service has 2 prefixes for 2 peers again, 0.8s after its restart" in said


def test_what_is_no_longer_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    """What was drained or died meanwhile is not waited for."""
    machine = Machine([ALL], [[route(P, ONE, TWO), route(Q, wanted=False)]])
    assert machine.run() is ExitStatus.DONE
    assert capsys.readouterr().err


def test_it_does_not_come_back() -> None:
    """It is waited for so long and no longer, and what lacks is named."""
    with pytest.raises(NotSeenError, match=rf"to have the routes again: not sent to .*: {Q}$"):
        Machine([ALL], [[route(P, ONE, TWO), route(Q)]]).run()
    with pytest.raises(NotSeenError, match="nobody serves it"):
        Machine([ALL], [None]).run()


@pytest.mark.parametrize("beside", [False, True])
def test_on_its_way(*, beside: bool) -> None:
    """What is not as wanted yet would be lost at routers that keep what is stale: nothing is restarted."""
    machine = Machine([[replace(ALL[0], as_wanted=False)]])
    with pytest.raises(NotSeenError, match=f"not as wanted: {P}; nothing was restarted"):
        machine.run(beside=beside)
    assert machine.done == []


def test_beside(capsys: pytest.CaptureFixture[str]) -> None:
    """The first goes when each of its peers has all from the second, too; the second when they have it from the first again."""
    late = [None, [route(P, ONE), route(Q, ONE)], ALL]
    machine = Machine([ALL], [None, [], ALL], late)
    assert machine.run(beside=True) is ExitStatus.DONE
    assert machine.done == [
        "start exabgp-vip-beside",
        "settle",
        "restart exabgp-vip",
        "settle",
        "stop exabgp-vip-beside",
    ]
    assert (machine.second, machine.first) == ([ALL], [ALL])
    assert "exabgp-vip-beside.service is stopped" in capsys.readouterr().err


@pytest.mark.parametrize("lacks", [[route(P, ONE), route(Q, ONE)], [], None])
def test_the_second_lacks_a_route(
    lacks: list[PrefixStatus] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where one peer lacks one route from the second, or nobody answers, the first is not touched."""
    machine = Machine([ALL], [ALL], [lacks])
    with pytest.raises(NotSeenError, match=r"exabgp-vip-beside[.]service to have the routes"):
        machine.run(beside=True)
    assert machine.done == ["start exabgp-vip-beside", "stop exabgp-vip-beside"]
    assert "nothing was restarted" in capsys.readouterr().err


def test_there_is_no_second(capsys: pytest.CaptureFixture[str]) -> None:
    """A unit that is not set up can't be stopped either: what is raised is why it did not start."""
    fails = {"start exabgp-vip-beside", "stop exabgp-vip-beside"}
    machine = Machine([ALL], [ALL], [ALL], fails=fails)
    with pytest.raises(UnitError, match=r"^start exabgp-vip-beside: exit status 1"):
        machine.run(beside=True)
    assert machine.done == ["start exabgp-vip-beside", "stop exabgp-vip-beside"]
    assert "nothing was restarted; stop exabgp-vip-beside: exit" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["fails", "interrupts", "lacks"])
def test_the_first_does_not_come_back(how: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Then the second goes on: it is all that has the routes."""
    machine = Machine([ALL], [[route(P), route(Q)]], [ALL])
    if how != "lacks":
        setattr(machine, how, {"restart exabgp-vip"})
    with pytest.raises((UnitError, NotSeenError, KeyboardInterrupt)):
        machine.run(beside=True)
    assert f"stop {BESIDE}".removesuffix(".service") not in machine.done
    said = capsys.readouterr().err
    assert f"{BESIDE} goes on, and has the routes" in said
    assert f"systemctl stop {BESIDE}" in said


def test_beside_bgpd(tmp_path: Path) -> None:
    """A second bgpd is not started: the sessions are those of the one that runs, and stay."""
    loaded = config.load(write_config(tmp_path), {"VIP_BACKEND": "quagga"})
    with pytest.raises(UsageError, match="the sessions are bgpd's"):
        restart(parse(["restart", "--beside"]), loaded)


def test_no_systemd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where there is no systemctl, that is said."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnitError, match=r"restart exabgp-vip[.]service: No such file"):
        Systemctl().do("restart", FIRST)


# --- a drain while both run --------------------------------------------------------------------------


def drained(*, as_wanted: bool = True) -> PrefixStatus:
    return route(P, wanted=False, intent=Mode.DRAINED, as_wanted=as_wanted)


def test_a_drain_is_over_when_both_have_it(capsys: pytest.CaptureFixture[str]) -> None:
    """-d waits until the second, too, has withdrawn it, and says what it has not."""
    states = [[route(P, ONE)], [drained(as_wanted=False)], [drained()]]
    machine = Machine([ALL], second=list(states))
    second = Asked(machine, "second")
    assert wait_until_drained(second.status, [P], wait=machine.wait) is ExitStatus.DONE
    assert machine.second == [[drained()]]
    machine = Machine([ALL], second=[[route(P, ONE)]])
    second = Asked(machine, "second")
    assert wait_until_drained(second.status, [P], wait=machine.wait) is ExitStatus.NOT_AS_WANTED
    assert f"{P}: recorded; not confirmed at the second ExaBGP" in capsys.readouterr().err


def test_a_second_that_hangs(capsys: pytest.CaptureFixture[str]) -> None:
    """One that does not answer may announce it still. One that is not there does not."""

    def hangs() -> Status:
        raise OutcomeUnknownError("no answer")

    assert wait_until_drained(hangs, [P], wait=lambda _: None) is ExitStatus.NOT_AS_WANTED
    assert "no answer" in capsys.readouterr().err
    second = Asked(Machine([ALL], second=[None]), "second")
    assert wait_until_drained(second.status, [P]) is ExitStatus.DONE


def test_a_second_whose_watchdog_was_killed(capsys: pytest.CaptureFixture[str]) -> None:
    """ExaBGP keeps its routes, and starts it again: nothing is done until that has drained them, or systemd says that none runs."""
    answers: list[list[PrefixStatus] | None] = [None, None, [route(P, ONE)], [drained()]]
    machine = Machine([ALL], second=list(answers))
    second = Asked(machine, "second")
    ended = wait_until_drained(second.status, [P], lambda: False, wait=machine.wait)
    assert (ended, machine.second) == (ExitStatus.DONE, [[drained()]])
    machine = Machine([ALL], second=[None])
    second = Asked(machine, "second")
    ended = wait_until_drained(second.status, [P], lambda: False, wait=machine.wait)
    assert ended is ExitStatus.NOT_AS_WANTED
    assert "its vip_watchdog does not answer" in capsys.readouterr().err
    assert wait_until_drained(second.status, [P], lambda: True) is ExitStatus.DONE
