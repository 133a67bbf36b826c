"""What vip_mgmt -d --soft --dry-run says: who takes over, whether they announce it, and what goes there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from policy.connections import ConnectionCount, Counted
from policy.route import parse_prefix
from policy.site_view import Level
from speaker import config
from speaker.api import Status
from speaker.cli import rehearsal
from speaker.cli.rehearsal import AskedOthers
from speaker.errors import SpeakerError
from speaker.seen_status import SeenPath, WitnessStatus
from speaker.site_values import MachineState, SitePrefix, SiteStatus
from tests.support.fakes.site import write_config
from tests.support.shown import ANNOUNCED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pytest

    from speaker.api import PrefixStatus
    from speaker.config.settings import Config

P, Q, R = "192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32"
WITNESS = WitnessStatus(name="203.0.113.1", asn=64500, hearing="whole")


def at(prefix: str) -> PrefixStatus:
    """Return the state of a prefix that is announced."""
    return replace(ANNOUNCED, prefix=prefix)


def answers(routes: Sequence[PrefixStatus]) -> Callable[[], Status]:
    """Return what answers with the state of some prefixes, and no witness."""
    return lambda: Status(dc="par1", backend="exabgp", peers=(), trouble=(), routes=tuple(routes))


def fails(*_: object) -> Any:
    """Answer nothing."""
    raise SpeakerError("control: nobody answers")


def three_vips(directory: Path) -> Config:
    """Return a site where lyo1 takes over one VIP, no one the second, and has the third already."""
    path = directory / "vip.toml"
    path.write_text(
        "node.dc = 'par1'\ndc.par1.asn = 64699\ndc.lyo1.asn = 64699\n"
        "[vip.'vip-1.tld']\naddresses = ['192.0.2.1']\n"
        "[vip.'vip-2.tld']\naddresses = ['192.0.2.2']\nprefer = ['par1']\nonly = true\n"
        "[vip.'vip-3.tld']\naddresses = ['192.0.2.3']\nprefer = ['lyo1', 'par1']\n"
    )
    return config.load(path, {})


def of_site(
    *states: MachineState, prefixes: Sequence[str] = (P,), **more: object
) -> Callable[[Sequence[str]], SiteStatus]:
    """Return what answers with what the machines of a site tell of some prefixes."""
    told = tuple(
        SitePrefix(vip="vip-1.tld", prefix=prefix, level=Level.WELL, states=states)
        for prefix in prefixes
    )
    given: dict[str, Any] = {"connected": True, **more}
    site = SiteStatus(dc="par1", machine="lb1", prefixes=told, **given)
    return lambda _: site


def rehearsed(
    directory: Path, capsys: pytest.CaptureFixture[str], **elsewhere: Any
) -> tuple[str, str]:
    """Return what a rehearsal says of P, and all of it."""
    whom = AskedOthers(answers([]), **elsewhere)
    rehearsal.rehearse(three_vips(directory), [P], whom, lambda _: None)
    said = capsys.readouterr().err
    return next(line for line in said.splitlines() if P in line), said


LB1 = MachineState(machine="par1/lb1", announced=True, health="up", intent="auto")
LB2 = replace(LB1, machine="par1/lb2")
WELL = replace(LB1, machine="lyo1/lb1")
DOWN = replace(LB1, machine="lyo1/lb2", announced=False, health="down")
SILENT = MachineState(machine="lyo1/lb3")
LEAVES = replace(LB1, machine="lyo1/lb4", intent="draining by ann")


def test_rehearsal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says who takes over, by the model, and that nothing is known of them here."""
    for ask in (answers([]), fails):
        rehearsal.rehearse(three_vips(tmp_path), [P, Q, R], AskedOthers(ask), lambda _: None)
        said = capsys.readouterr().err
        assert f"{P}: would go to lyo1; its connections are not known" in said
        assert f"{Q}: would go to no data centre" in said
        assert f"{R}: lyo1 is preferred already; its connections are not known" in said
        assert "is not known here" in said
    assert "what witnesses show is not known: control: nobody answers" in said


def test_rehearsal_with_witnesses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says of those who would take over whether a witness shows their path, and at which one."""
    seen = SeenPath(at="203.0.113.1", dc="lyo1", as_path=(64500, 64699), best=True)
    routes = [replace(at(P), seen=(seen,)), at(Q), at(R)]
    status = replace(answers(routes)(), witnesses=(WITNESS,))
    rehearsal.rehearse(three_vips(tmp_path), [P, Q, R], AskedOthers(lambda: status), lambda _: None)
    said = capsys.readouterr().err
    assert f"{P}: would go to lyo1; lyo1 announces it (seen at 203.0.113.1); its" in said
    assert f"{R}: lyo1 is preferred already; not known to be announced by lyo1 (not seen at" in said
    assert (rehearsal.BY_WITNESSES in said, rehearsal.NOTHING_TOLD in said) == (True, False)


def test_rehearsal_with_the_machines_of_a_site(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says of the machines that would take over whether they announce it, and whether it is healthy there; a silent one is not known to do anything."""
    machines = of_site(LB1, LB2, WELL, replace(WELL, machine="lyo1/lb5"), DOWN, SILENT, LEAVES)
    line, said = rehearsed(tmp_path, capsys, machines=machines)
    assert (
        f"{P}: would go to lyo1; lyo1/lb1, lyo1/lb5: announced, health up; lyo1/lb2: NOT announced, health down; "
        "lyo1/lb3: not known whether it is announced; lyo1/lb4: announced, health up, draining by ann; "
    ) in line
    assert (rehearsal.BY_MACHINES in said, rehearsal.NOTHING_TOLD in said) == (True, False)
    line, _ = rehearsed(tmp_path, capsys, machines=of_site(LB1))
    assert "would go to lyo1; lyo1: no machine there is known; " in line


def test_rehearsal_of_one_machine_of_several(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a machine drains alone goes to those of its data centre that announce it, else to another data centre."""
    for other, said in (
        (LB2, "stays here, at par1/lb2"),
        (replace(LB2, announced=None), "would go to lyo1"),
    ):
        line, _ = rehearsed(tmp_path, capsys, machines=of_site(LB1, other, WELL), alone=True)
        assert f"{P}: {said}; " in line


def test_rehearsal_of_all_data_centres(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody is left to take over."""
    machines = of_site(LB1, WELL)
    line, _ = rehearsed(tmp_path, capsys, machines=machines, draining=["par1", "lyo1"])
    assert f"{P}: would go to no data centre: nothing is left to take over; its" in line


def test_rehearsal_while_etcd_is_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What machines told before is not what they announce now: nothing is known."""

    for machines, why in (
        (of_site(WELL, connected=False, trouble="etcd is away"), "etcd is away"),
        (fails, "control: nobody answers"),
    ):
        line, said = rehearsed(tmp_path, capsys, machines=machines)
        assert "lyo1/lb1" not in line
        assert f"what the machines of the site announce is not known: {why}" in said
        assert rehearsal.NOTHING_TOLD in said


def test_the_whole_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where connections are not known, it is said how long it takes; where they are, nothing."""
    loaded = config.load(write_config(tmp_path, '[drain]\ntimeout = "20m"\n'), {})
    known = {parse_prefix(Q): ConnectionCount(1, 0)}
    rehearsal.foresee(loaded, [P, Q], lambda _: Counted(0.0, known, "no ip_vs"))
    assert capsys.readouterr().err == (
        f"bgp_mgt: {P}: connections are not known (no ip_vs): the drain takes the whole timeout, 20m; "
        "vip_mgmt -d without --soft withdraws at once\n"
    )
    rehearsal.foresee(loaded, [Q], lambda _: Counted(0.0, known, "no ip_vs"))
    assert capsys.readouterr().err == ""


def test_load() -> None:
    """What goes there is told in connections and bytes per second; what is not told is not none."""
    prefix = parse_prefix(P)

    def counted(when: float, made: int | None) -> Counted:
        return Counted(when, {prefix: ConnectionCount(7, 1, made)})

    before = (counted(0.0, 100), counted(0.0, 5000))
    said = rehearsal.load(prefix, before, (counted(2.0, 124), counted(2.0, 45_000)))
    assert said == "7 active connections; in a second 12 new ones, 20.0k bytes from clients"
    unknown = (counted(0.0, None), counted(0.0, None))
    assert "an unknown number of new ones" in rehearsal.load(prefix, unknown, unknown)
