"""vip_mgmt roll as it is asked: what is refused with nothing changed, what a dry run says, what is recorded, and where it goes on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from policy.intent import Mode
from policy.roll import Roll, RollStage
from speaker import config
from speaker.cli.arguments import parse
from speaker.cli.commands import UsageError
from speaker.cli.roll import RollMeans, roll
from speaker.cli.roll_command import NotRolledError
from speaker.cli.roll_file import RollFile, RollProgress
from speaker.cli.roll_lock import RollLockError
from speaker.errors import SpeakerError
from speaker.exit_status import ExitStatus
from tests.support.fakes.rolled_site import FakeRolledSite
from tests.support.fakes.site import write_config

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

ONE, TWO = "192.0.2.1/32", "192.0.2.2/32"
LB1, LB2, LB3 = "par1/lb1", "par1/lb2", "par1/lb3"
SITE = '[site]\netcd = ["http://127.0.0.1:2379"]\nmachine = "lb1"\n'


@dataclass
class World:
    """A machine with its files, a site, and what the command did there."""

    directory: Path
    site: FakeRolledSite = field(default_factory=lambda: FakeRolledSite([LB1, LB2], [ONE, TWO], {}))
    fails: Mapping[str, Exception | int] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)

    def run(self, command: Sequence[str], machine: str) -> int:
        assert tuple(command) == ("sh", "{machine}")
        self.ran.append(machine)
        failure = self.fails.get(machine, 0)
        if isinstance(failure, Exception):
            raise failure
        return failure

    def roll(self, *options: str, words: Sequence[str] = ("sh", "{machine}")) -> ExitStatus:
        """Ask it; each site is asked once before anything else is done."""
        path = write_config(self.directory, SITE)
        call = parse(["--config", str(path), "roll", "--at", "par1", *options, "--", *words])
        means = RollMeans(self.run, self.site.wait, lambda: self.site.now)
        return roll(call, config.load(call.path, {}), self.site, means)

    @property
    def file(self) -> RollFile:
        return RollFile(self.directory, "par1")

    @property
    def recorded(self) -> Roll | None:
        progress = self.file.load()
        return None if progress is None else progress.roll


def test_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each machine in turn; at the end nothing is recorded."""
    world = World(tmp_path)
    assert world.roll() == ExitStatus.DONE
    assert (world.ran, world.recorded) == (["lb1", "lb2"], None)
    assert "roll: par1: all of 2 machines are done" in capsys.readouterr().err


def test_it_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What fails stops it, recorded; the same command goes on there, another one is refused, and --again begins with that machine."""
    world = World(tmp_path, fails={"lb2": 3})
    assert world.roll() == ExitStatus.NOT_AS_WANTED
    said = capsys.readouterr().err
    assert "roll: par1/lb2: the command ended with exit status 3" in said
    assert f"to restore it without either, on lb2: vip_mgmt -a {ONE} {TWO} --here" in said
    assert world.recorded is not None
    assert [one.stage for one in world.recorded.machines] == [RollStage.DONE, RollStage.RUNNING]
    with pytest.raises(
        UsageError, match=r"has not ended, and runs sh \{machine\}; go on with that"
    ):
        world.roll(words=("true",))
    world.fails = {}
    assert world.roll() == ExitStatus.DONE
    assert world.ran == ["lb1", "lb2", "lb2"]
    assert not world.file.path.exists()

    world.fails = {"lb2": 3}
    assert world.roll() == ExitStatus.NOT_AS_WANTED
    world.ran, world.fails = [], {}
    assert world.roll("--again") == ExitStatus.DONE
    assert world.ran == ["lb2", "lb1"]


def test_it_is_to_stop(tmp_path: Path) -> None:
    """Where a signal stops it, the command has ended: the machine is in the stage of the command, which is run again."""
    world = World(tmp_path, fails={"lb1": NotRolledError("lb1: SIGINT")})
    assert world.roll() == ExitStatus.NOT_AS_WANTED
    assert world.recorded is not None
    assert world.recorded.machines[0].stage is RollStage.RUNNING
    world.fails = {}
    assert world.roll() == ExitStatus.DONE
    assert world.ran == ["lb1", "lb1", "lb2"]


def test_nothing_was_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What fails, or is interrupted, before the first machine is under way leaves no record."""
    world = World(tmp_path)
    world.site.tells_from = 1000.0
    assert world.roll() == ExitStatus.NOT_AS_WANTED
    assert "roll: nothing was changed" in capsys.readouterr().err
    assert (world.recorded, world.site.orders) == (None, [])


def test_many_prefixes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of many prefixes that a machine was ordered to drain it is said where they are seen: never `all`."""
    prefixes = [f"192.0.2.{n}/32" for n in range(5)]
    world = World(tmp_path, FakeRolledSite([LB1, LB2], prefixes, {}), fails={"lb1": 1})
    assert world.roll() == ExitStatus.NOT_AS_WANTED
    said = capsys.readouterr().err
    assert "on lb1: vip_mgmt -a PREFIX… --here, of those that vip_mgmt status shows as" in said
    assert "-a all" not in said


def silent(site: FakeRolledSite) -> None:
    site.silent.add(LB2)


def away(site: FakeRolledSite) -> None:
    site.connected = False


def nobody(site: FakeRolledSite) -> None:
    site.names.clear()


def odd(site: FakeRolledSite) -> None:
    site.add("par1/-oProxyCommand=x")


def alone(site: FakeRolledSite) -> None:
    site.withdraw(LB1)


REFUSED = [
    (silent, "par1/lb2: silent; nothing was changed"),
    (away, "par1: etcd: no answer; nothing was changed"),
    (nobody, "par1: no machine of it is known; nothing was changed"),
    (odd, "par1: 'par1/-oProxyCommand=x': no name of a machine; nothing was changed"),
    (alone, f"par1/lb2: no other machine announces {ONE}, {TWO}; with --last"),
]


@pytest.mark.parametrize(("change", "said"), REFUSED, ids=[c.__name__ for c, _ in REFUSED])
def test_refused(tmp_path: Path, change: Callable[[FakeRolledSite], None], said: str) -> None:
    """Machines that can't all be rolled over are refused, with nothing recorded or ordered."""
    world = World(tmp_path)
    change(world.site)
    with pytest.raises(SpeakerError) as error:
        world.roll()
    assert str(error.value).startswith(f"roll: {said}")
    assert (world.ran, world.site.orders, world.recorded) == ([], [], None)


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("words", "said"),
    [(("no-such-program",), "no such program here"), (("sh", "a\udcff"), "not UTF-8")],
)
def test_a_command_that_can_not_be_run(
    tmp_path: Path, options: Sequence[str], words: Sequence[str], said: str
) -> None:
    """It is refused as a usage, before anything is drained."""
    world = World(tmp_path)
    with pytest.raises(UsageError, match=said):
        world.roll(*options, words=words)
    assert (world.site.orders, world.recorded) == ([], None)


def test_without_site(tmp_path: Path) -> None:
    """Without [site], and for a data centre that is none, it is refused."""
    world, path = World(tmp_path), str(write_config(tmp_path))
    call = parse(["--config", path, "roll", "--at", "par1", "--", "sh"])
    with pytest.raises(UsageError, match=r"has no \[site\]"):
        roll(call, config.load(call.path, {}), world.site)
    write_config(tmp_path, SITE)
    with pytest.raises(UsageError, match=r"'ams1': write a data centre of vip.toml \(par1, lyo1\)"):
        roll(replace(call, at="ams1"), config.load(call.path, {}), world.site)


def test_nothing_to_drain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A machine that announces nothing is said to: its command runs at once."""
    world = World(tmp_path, FakeRolledSite([LB1, LB2], [ONE], {LB2: {ONE}}))
    assert world.roll("--dry-run", "--last") == ExitStatus.DONE
    said = capsys.readouterr().err
    assert "par1/lb2: announces nothing; the command would run at once" in said
    assert world.roll("--last") == ExitStatus.DONE
    assert "par1/lb2: announces nothing; the command runs at once" in capsys.readouterr().err
    assert world.ran == ["lb1", "lb2"]
    assert {order.extent for order in world.site.orders} == {"machine:par1/lb1"}


def said_dry(world: World, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    """Return what a dry run says, with its exit status; the site is asked once, and nothing is changed."""
    before = world.recorded, len(world.site.orders), [*world.ran]
    asked = world.site.asked
    capsys.readouterr()
    status = world.roll("--dry-run", *options)
    assert world.site.asked == asked + 1
    assert (world.recorded, len(world.site.orders), [*world.ran]) == before
    lines = capsys.readouterr().err.splitlines()
    return [*(line.removeprefix("bgp_mgt: ") for line in lines), status.name]


def test_dry_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what would be done, and what is in the way; it changes nothing, and makes no file."""
    world = World(tmp_path)
    would = "would drain 2 prefixes, run the command, and restore them"
    assert said_dry(world, capsys) == [f"{LB1}: {would}", f"{LB2}: {would}", "DONE"]
    assert [path.name for path in tmp_path.iterdir()] == ["vip.toml"]
    world.site.withdraw(LB1)
    nothing = f"{LB1}: announces nothing; the command would run at once"
    lost = f"{LB2}: no other machine announces {ONE}, {TWO}; with --last it drains all the same"
    assert said_dry(world, capsys) == [nothing, lost, "NOT_AS_WANTED"]
    assert said_dry(world, capsys, "--last") == [nothing, f"{LB2}: {would}", "DONE"]
    world.site.tells_from = 1000.0
    unknown = f"not known whether it announces {ONE}, {TWO}: it would be waited for"
    assert said_dry(world, capsys)[0] == f"{LB1}: {unknown}"


def test_dry_run_of_one_that_has_begun(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It looks at the machines as they are now, whatever is recorded."""
    world = World(tmp_path, fails={"lb1": 1})
    world.roll()
    lb1 = f"{LB1}: was ordered to drain 2 prefixes; would see to that, run the command, and restore them"
    lb2 = f"{LB2}: would drain 2 prefixes, run the command, and restore them"
    lost = f"{LB2}: no other machine announces {ONE}, {TWO}; with --last it drains all the same"
    assert said_dry(world, capsys) == [lb1, lost, "NOT_AS_WANTED"]
    assert said_dry(world, capsys, "--last") == [lb1, lb2, "DONE"]
    world.site.silent.add(LB1)
    waits = f"{LB1}: it is silent: it would be waited for"
    beside = f"{LB1}: silent, so {LB2} is not drained: see to it first; another roll may have it restarted"
    for options in ([], ["--last"]):
        assert said_dry(world, capsys, *options) == [waits, beside, "NOT_AS_WANTED"]
    world.site.silent.clear()
    at = world.recorded
    assert at is not None
    world.file.save(RollProgress.of(("sh", "{machine}"), at.advance()))
    restores = f"{LB1}: would restore 2 prefixes; the command was run"
    assert said_dry(world, capsys, "--last") == [restores, lb2, "DONE"]
    world.file.save(RollProgress.of(("sh", "{machine}"), at.advance().advance()))
    world.site.restore(LB1)
    world.site.silent.add(LB1)
    assert said_dry(world, capsys, "--last")[0] == f"{LB1}: is done"
    world.site.silent.clear()
    world.site.connected = False
    with pytest.raises(SpeakerError, match="etcd: no answer; nothing was changed"):
        world.roll("--dry-run")


def test_two_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A roll beside one that was typed elsewhere is refused; where both began at once and it gives way, nothing is recorded."""
    world = World(tmp_path)

    def cross() -> None:
        world.site.act = lambda: None
        order = world.site.orders[-1]
        world.site.order(replace(order, reason="vip_mgmt roll on lyo1/lb1"))

    world.site.act = cross
    assert world.roll() == ExitStatus.NOT_AS_WANTED
    said = capsys.readouterr().err
    assert "vip_mgmt roll on lyo1/lb1, which began at the same time: this roll's drain of" in said
    assert "roll: nothing of it is left" in said
    assert not world.file.path.exists()
    world.site.wait(5)
    for options in ((), ("--dry-run",)):
        with pytest.raises(SpeakerError, match=r"roll on lyo1/lb1; nothing was changed: wait for"):
            world.roll(*options)
    world.file.save(RollProgress.of(("sh", "{machine}"), Roll.over([LB1, LB2]).begin([ONE])))
    first, *_, status = said_dry(world, capsys)
    assert "roll on lyo1/lb1: wait for the end of that roll, " in first
    assert status == "NOT_AS_WANTED"
    assert world.ran == []


def test_one_at_a_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside a roll that is under way, another one is refused; a dry run says who it is, and keeps no roll from beginning."""
    world = World(tmp_path)
    with world.file.lock.held():
        with pytest.raises(RollLockError, match=r"under way on this machine: process \d+ of "):
            world.roll()
        first, *_, status = said_dry(world, capsys)
        assert first.startswith("roll: another one is under way: process ")
        assert status == "NOT_AS_WANTED"
    assert world.site.orders == []


def test_a_machine_that_is_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that is not known any more keeps the roll from going on; --again begins over those that are there, unless it is done."""
    world = World(tmp_path, FakeRolledSite([LB1, LB2, LB3], [ONE], {}), fails={"lb2": 1})
    world.roll()
    world.fails = {}
    world.site.names.remove(LB3)
    for options in ((), ("--dry-run",)):
        with pytest.raises(SpeakerError, match="par1/lb3: not known any more; nothing was changed"):
            world.roll(*options)
    assert world.roll("--again") == ExitStatus.DONE
    assert world.ran == ["lb1", "lb2", "lb2", "lb1"]

    world.fails = {"lb2": 1}
    world.roll()
    world.site.names.remove(LB2)
    world.ran, world.fails = [], {}
    capsys.readouterr()
    assert world.roll("--again", "--last") == ExitStatus.DONE
    assert "roll: par1/lb2: was under way, and is not known any more" in capsys.readouterr().err
    assert world.ran == ["lb1"]

    world.site.names.append(LB2)
    world.fails = {"lb2": 1}
    world.site.comes_back = True
    world.site.restore(LB2)
    world.roll()
    world.site.names.remove(LB1)  # which is done
    world.fails = {}
    assert world.roll("--last") == ExitStatus.DONE


def test_a_machine_that_is_new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that came since is named, and rolled over at the end."""
    world = World(tmp_path, FakeRolledSite([LB2, LB3], [ONE], {}), fails={"lb2": 1})
    world.roll()
    world.fails = {}
    world.site.add(LB1)
    new = "roll: par1/lb1: new since the roll began; it is rolled over, too, at the end"
    assert said_dry(world, capsys)[0] == new
    assert world.roll() == ExitStatus.DONE
    assert new in capsys.readouterr().err
    assert world.ran == ["lb2", "lb2", "lb3", "lb1"]
    assert [o.mode for o in world.site.orders[-2:]] == [Mode.DRAINING, Mode.AUTO]
