"""Proves vip_mgmt roll: what stops it, what it says then, where it goes on, and what it can't be asked."""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING

import pytest

from policy.errors import PolicyError
from policy.intent import Mode
from policy.roll import Roll, RollStage
from policy.route import parse_prefix
from policy.site_intent import Extent
from speaker.cli.arguments import UsageError, parse
from speaker.cli.roll import stopped
from speaker.cli.roll_command import NotRolledError
from speaker.cli.roll_file import RollFile, RollFileError, RollProgress
from speaker.cli.roll_lock import RollLockError
from speaker.cli.rolling import MOST, Limits, Rolling, stays_drained
from speaker.site_values import SiteOrder
from tests.support.fakes.rolled_site import FakeRolledSite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMES = ("par1/lb1", "par1/lb2")
ONE, TWO = "192.0.2.1/32", "192.0.2.2/32"


def site_of(drained: dict[str, set[str]] | None = None) -> FakeRolledSite:
    return FakeRolledSite(NAMES, [ONE, TWO], drained or {})


def go(
    site: FakeRolledSite,
    run: Callable[[str], int] = lambda _: 0,
    roll: Roll | None = None,
    *,
    last: bool = False,
) -> list[Roll]:
    """Roll over a site; return all that was recorded."""
    recorded = [Roll.over(NAMES) if roll is None else roll]
    rolling(site, recorded.append, run, last=last).go(recorded[0])
    return recorded


def rolling(
    site: FakeRolledSite,
    record: Callable[[Roll], None],
    run: Callable[[str], int],
    *,
    last: bool = False,
) -> Rolling:
    limits = Limits(20.0, 10.0)
    return Rolling(site, record, run, limits, last=last, wait=site.wait, steady=lambda: site.now)


def test_each_in_turn(capsys: pytest.CaptureFixture[str]) -> None:
    """Each machine is ordered to drain softly, and restored, with what it announced alone; one after the other."""
    site = site_of()
    go(site)
    assert [(o.extent, o.mode, [*map(str, o.prefixes)]) for o in site.orders] == [
        (f"machine:{name}", mode, [ONE, TWO])
        for name in NAMES
        for mode in (Mode.DRAINING, Mode.AUTO)
    ]
    said = capsys.readouterr().err
    assert "par1/lb1: drained" in said
    assert "par1/lb2: announces all of it again" in said


def test_not_known_yet() -> None:
    """What a machine has not told yet is not taken for withdrawn: it is waited for, and drained."""
    site = site_of()
    site.tells_from = 5.0
    go(site)
    assert [len(order.prefixes) for order in site.orders] == [2, 2, 2, 2]
    site.tells_from = site.now + 11.0
    with pytest.raises(NotRolledError, match=r"not known whether it announces 192\.0\.2\.1/32"):
        go(site)


def test_what_was_drained_before_stays() -> None:
    """What a machine did not announce when its turn came is neither drained nor restored."""
    site = site_of({"par1/lb1": {TWO}})
    with pytest.raises(
        NotRolledError, match=f"par1/lb2: no other machine announces {TWO}; with --last"
    ):
        go(site)
    assert [(o.extent, o.mode) for o in site.orders] == [
        ("machine:par1/lb1", Mode.DRAINING),
        ("machine:par1/lb1", Mode.AUTO),
    ]
    assert {str(p) for o in site.orders for p in o.prefixes} == {ONE}
    go(site, last=True)
    assert site.announces("par1/lb1") == {ONE}
    assert site.announces("par1/lb2") == {ONE, TWO}


PAR1, LB1 = Extent("par1"), Extent("par1", "lb1")


@pytest.mark.parametrize("extent", [LB1, PAR1], ids=str)
@pytest.mark.parametrize("mode", [Mode.DRAINED, Mode.DRAINING])
@pytest.mark.parametrize("when", ["before", "in its turn", "while the command runs"])
def test_an_operators_drain_stays(
    extent: Extent, mode: Mode, when: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A drain that an operator asks for, at whatever time, holds after the roll; that is said, and not waited for."""
    site = site_of()

    def ask() -> None:
        site.ask(extent, TWO, mode)

    def in_its_turn() -> None:
        if len(site.orders) == 1:
            ask()

    def run(name: str) -> int:
        if name == "lb1" and when == "while the command runs":
            ask()
        return 0

    if when == "before":
        ask()  # and all is still announced as the roll begins
    elif when == "in its turn":
        site.act = in_its_turn
    go(site, run, last=True)
    assert site.announces("par1/lb1") == {ONE}
    assert site.announces("par1/lb2") == ({ONE} if extent == PAR1 else {ONE, TWO})
    said = capsys.readouterr().err
    assert "par1/lb1: announces all of it again but what stays drained\n" in said
    words = rf"par1/lb1: stays drained, as asked: {TWO} \({mode} by ann at 1970-.*: works\)\n"
    assert len(re.findall(words, said)) == 1
    assert "par1/lb2: announces all of it again" in said


def test_all_of_a_machine_stays_drained(capsys: pytest.CaptureFixture[str]) -> None:
    """A machine that an operator drained altogether has its turn, too: nothing is ordered, and it is said that it stays so."""
    site = site_of({"par1/lb1": {ONE, TWO}})
    go(site, last=True)
    assert {order.extent for order in site.orders} == {"machine:par1/lb2"}
    assert f"par1/lb1: stays drained, as asked: {ONE}, {TWO} (" in capsys.readouterr().err
    assert site.announces("par1/lb1") == set()


def test_what_was_forced_is_forced_again() -> None:
    """What an operator forced drains in its turn all the same, and is forced after it."""
    site = site_of()
    forced = site.ask(LB1, ONE, Mode.FORCED)
    go(site, lambda name: len(site.announces(f"par1/{name}")))
    assert site.holds("par1/lb1", ONE) == forced


def test_a_vip_leaves_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    """What the command takes out of vip.toml is waited for no more, is in no further order, and is named; the roll ends."""
    site = site_of()
    orders: list[int] = []

    def deploy(machine: str) -> int:
        if machine == "lb1":
            site.lose(TWO)
            orders.append(len(site.orders))
        return 0

    at = Roll.over(NAMES)
    recorded = go(site, deploy)
    assert recorded[-1].current is None
    assert [[*map(str, order.prefixes)] for order in site.orders[orders[0] :]] == [[ONE]] * 3
    assert f"par1/lb1: {TWO}: not in vip.toml any more; left out" in capsys.readouterr().err

    under_way = at.begin([TWO])  # all that it had is gone
    assert go(site, roll=under_way)[-1].current is None


def test_many_drains_are_told_of_shortly() -> None:
    """Drains of very many words are a few lines."""
    lines = stays_drained({f"192.0.2.{n}/32": f"drained by u{n}" for n in range(MOST + 5)})
    assert len(lines) == MOST + 1
    assert lines[-1] == "and 5 more drains stay"


def test_the_command_fails() -> None:
    """It stops there, with that machine drained; the same goes on with it, drains it where it was restored, and runs the command again."""
    site, recorded = site_of(), list[Roll]()
    with pytest.raises(NotRolledError, match="par1/lb1: the command ended with exit status 3"):
        rolling(site, recorded.append, lambda _: 3).go(Roll.over(NAMES))
    at = recorded[-1]
    assert at.current is not None
    assert (at.current.name, at.current.stage) == ("par1/lb1", RollStage.RUNNING)
    assert site.announces("par1/lb1") == set()
    assert site.announces("par1/lb2") == {ONE, TWO}
    assert stopped(at) == [
        "par1/lb1: running",
        "par1/lb2: waiting",
        "par1/lb1: was ordered to drain, and may be drained: the same command goes on with it; --again begins from the start, with it first",
        f"to restore it without either, on lb1: vip_mgmt -a {ONE} {TWO} --here",
    ]
    odd = Roll.over(NAMES).begin(["$(reboot)"])  # of a file that another user may write
    assert stopped(odd)[-1].endswith("vip_mgmt -a '$(reboot)' --here")

    restored = site_of()  # by an operator
    ran = []

    def again(machine: str) -> int:
        assert restored.announces(f"par1/{machine}") == set()
        ran.append(machine)
        return 0

    assert go(restored, again, at)[-1].current is None
    assert ran == ["lb1", "lb2"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: setattr(s, "trouble", "etcd: away"), "par1/lb1: not ordered: etcd: away"),
        (lambda s: setattr(s, "obeys", False), "par1/lb1: does not obey: its disk is full"),
        (lambda s: s.silent.add("par1/lb1"), "par1/lb1: it is silent, after 10s"),
        (
            lambda s: setattr(s, "comes_back", False),
            f"par1/lb1: it does not announce {ONE}, {TWO} yet, after 10s",
        ),
    ],
    ids=["etcd", "disobeys", "silent", "ill"],
)
def test_what_stops_it(change: Callable[[FakeRolledSite], object], said: str) -> None:
    """What a machine does not do stops the roll, with the reason; the next one is not touched."""
    site = site_of()
    change(site)
    with pytest.raises(NotRolledError) as error:
        go(site)
    assert str(error.value) == said
    assert site.announces("par1/lb2") == {ONE, TWO}


def test_the_file(tmp_path: Path) -> None:
    """How far it has come is there as a whole, for its owner; and it is gone at the end."""
    file = RollFile(tmp_path, "par1")
    assert file.load() is None
    progress = RollProgress.of(("ssh", "{machine}"), Roll.over(NAMES).begin([ONE]))
    file.save(progress)
    assert file.load() == progress
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    file.path.write_text('{"command": 1}')
    with pytest.raises(RollFileError, match=r"roll-par1.json: .*and remove this file"):
        file.load()
    file.forget()
    assert [*tmp_path.iterdir()] == []


def test_again() -> None:
    """From the start, the machine that is under way comes first, with what was noted of it: nobody else knows that it is drained."""
    roll = Roll.over(NAMES)
    assert roll.again(NAMES) == roll
    at = roll.begin([ONE]).advance().advance().advance().begin([TWO]).advance()
    assert at.current is not None
    assert (at.current.name, at.current.stage) == ("par1/lb2", RollStage.RUNNING)
    again = at.again(NAMES)
    assert [(m.name, m.stage, m.prefixes) for m in again.machines] == [
        ("par1/lb2", RollStage.DRAINING, (TWO,)),
        ("par1/lb1", RollStage.WAITING, ()),
    ]
    assert at.again(["par1/lb3", "par1/lb1"]) == Roll.over(["par1/lb1", "par1/lb3"])
    site, recorded = site_of(), list[Roll]()
    with pytest.raises(NotRolledError, match="par1/lb2: the command ended"):
        rolling(site, recorded.append, lambda name: int(name == "lb2")).go(Roll.over(NAMES))
    assert site.announces("par1/lb2") == set()
    go(site, roll=recorded[-1].again(NAMES), last=True)
    assert site.announces("par1/lb2") == {ONE, TWO}


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """What somebody put in its place is not written through."""
    other = tmp_path / "other"
    other.write_text("mine")
    state = tmp_path / "state"
    state.mkdir()
    (state / "roll-par1.json").symlink_to(other)
    (state / "roll-par1.lock").symlink_to(other)
    file = RollFile(state, "par1")
    file.save(RollProgress.of(("true",), Roll.over(NAMES)))
    assert other.read_text() == "mine"
    with pytest.raises(RollLockError, match="run it as root"), file.lock.held():
        pass
    assert other.read_text() == "mine"


def test_the_command_line() -> None:
    """What stands behind -- is the command, whatever it looks like."""
    call = parse(["roll", "--at", "par1", "--", "ssh", "{machine}", "-d", "all", "--", "roll"])
    assert (call.command, call.at) == ("roll", "par1")
    assert call.words == ("ssh", "{machine}", "-d", "all", "--", "roll")
    call = parse(
        ["roll", "--at", "par1", "--last", "--again", "--dry-run", "--timeout", "1h", "--", "true"]
    )
    assert (call.last, call.again, call.dry_run, call.timeout) == (True, True, True, 3600.0)
    for words in (
        ["roll"],
        ["roll", "--at", "par1"],
        ["roll", "true", "--at", "par1"],
        ["roll", "--"],
    ):
        with pytest.raises(UsageError, match="roll: a command is required"):
            parse(words)


def test_whom() -> None:
    """A machine of a data centre that is known can be meant; nothing that only looks like one."""

    def whom(extent: str) -> Extent:
        order = SiteOrder(mode=Mode.DRAINING, prefixes=(parse_prefix(ONE),), extent=extent)
        return order.whom(Extent("par1", "lb1"), ["par1", "lyo1"])

    assert whom("machine:lyo1/lb2") == Extent("lyo1", "lb2")
    assert whom("dc:lyo1") == Extent("lyo1")
    for extent in ("", "here", "site", "dc:lyo1"):
        with pytest.raises(PolicyError, match="own: goes with an extent machine:NAME/MACHINE"):
            SiteOrder(mode=Mode.AUTO, prefixes=(parse_prefix(ONE),), extent=extent, own=True)
    for extent in (
        "machine:lyo1",
        "machine:lyo1/",
        "machine:ams1/lb1",
        "machine:lyo1/a b",
        "machine:lyo1/a/b",
        "dc:lyo1/lb1",
        "dc:",
        "machine",
    ):
        with pytest.raises(PolicyError, match="extent: "):
            whom(extent)
