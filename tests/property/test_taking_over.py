"""Who takes over is gone only where witnesses or machines that told it say so for long enough: whatever they show, hide, or stop to tell."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy.drain import TakenOver
from policy.intent import Mode
from policy.route import Asn, AsPath, Attributes
from policy.site_intent import Extent
from policy.site_members import MemberState
from policy.taking_over import (
    LASTS,
    UNTOLD,
    ToldByMachines,
    WatchedTakeover,
    told_by_machines,
    watched,
)
from policy.topology import DataCentre
from policy.witness import Heard, HeardPath, Hearing, Witness
from tests.support.strategies import policy as made

PREFIX = made.HOSTS_V4[0]
HOPS = {name: IPv4Address(f"203.0.113.{n}") for n, name in enumerate(("par1", "lyo1", ""), 1)}
"""The next hop of each data centre's paths, and of one that nobody can tell."""
DCS = [DataCentre(name, Asn(64699), next_hops=frozenset({HOPS[name]})) for name in ("par1", "lyo1")]


class Told(NamedTuple):
    """One look at two witnesses, so long after the last: how much of each is known, and whose paths it shows."""

    after: float
    hearings: tuple[Hearing, Hearing]
    shown: tuple[frozenset[str], frozenset[str]]

    @property
    def heard(self) -> Heard:
        own = Attributes(AsPath.originated(Asn(64699), 1))
        witnesses = [
            Witness(
                f"w{n}",
                Asn(64500),
                Asn(64699),
                hearing,
                {PREFIX: [HeardPath(own, HOPS[dc]) for dc in sorted(shown)]},
            )
            for n, (hearing, shown) in enumerate(zip(self.hearings, self.shown, strict=True))
        ]
        return Heard("par1", DCS, witnesses)


SHOWN = st.frozensets(st.sampled_from(["par1", "lyo1", ""]), max_size=2)
LOOKS = st.lists(
    st.builds(
        Told,
        st.sampled_from([0.0, 1.0, LASTS]),
        st.tuples(*[st.sampled_from([Hearing.WHOLE, *Hearing])] * 2),
        st.tuples(SHOWN, SHOWN),
    ),
    max_size=8,
)
SOME, NONE = frozenset({"lyo1"}), frozenset[str]()
WHOLE = (Hearing.WHOLE, Hearing.WHOLE)


@given(LOOKS)
@example([Told(0.0, WHOLE, (SOME, NONE)), *[Told(LASTS, WHOLE, (NONE, NONE))] * 2])
@example(
    [Told(0.0, WHOLE, (SOME, NONE)), *[Told(LASTS, (Hearing.DOWN, WHOLE[0]), (NONE, NONE))] * 2]
)
def test_what_is_known(looks: list[Told]) -> None:
    """SEEN where another data centre's path is shown; GONE where each that ever showed one is whole, and none shows any, since `LASTS`."""
    before, now, told_by, since = WatchedTakeover(), 0.0, set[int](), None
    for look in looks:
        now += look.after
        shows = {n for n, shown in enumerate(look.shown) if "lyo1" in shown}
        told_by |= shows
        is_none = bool(told_by) and not any({"lyo1", ""} & shown for shown in look.shown)
        is_none &= all(look.hearings[n] is Hearing.WHOLE for n in told_by)
        since = (now if since is None else since) if is_none else None
        found, before = watched(before, look.heard, PREFIX, now)
        if shows:
            assert found is TakenOver.SEEN
        elif since is not None and now - since >= LASTS:
            assert found is TakenOver.GONE
        else:
            assert found is TakenOver.UNKNOWN


HERE = Extent("par1", "lb1")
NAMES = "lyo1/lb1", "lyo1/lb2", "par1/lb2"
"""Machines: of another data centre, and of this one."""
NEAR = 2
"""The place of that one."""


class ToldOfSite(NamedTuple):
    """One look at the site, so long after the last: what each machine says.

    `silent`: its lease is over; `absent`: nothing of the prefix; a mode: it announces it, and does so by that intent.
    """

    after: float
    said: tuple[bool | str | None, ...]
    shown: str | None = None
    connected: bool = True

    @property
    def machines(self) -> ToldByMachines:
        states = [MemberState("par1", "lb1", announced=True)]  # this one, which tells nothing
        for name, said in zip(NAMES, self.said, strict=True):
            if isinstance(said, Mode):
                states.append(
                    MemberState(name[:4], name[5:], announced=True, intent=f"{said} by ann")
                )
            elif said is None or isinstance(said, bool):
                states.append(MemberState(name[:4], name[5:], announced=said, intent="auto"))
        silent = {n for n, said in zip(NAMES, self.said, strict=True) if said == "silent"}
        return told_by_machines(states, HERE, frozenset(silent)) if self.connected else UNTOLD

    @property
    def heard(self) -> Heard:
        """A router of which not all is known: what it does not show is not known to be gone."""
        shown = frozenset[str]() if self.shown is None else frozenset({self.shown})
        return Told(0.0, (Hearing.UNKNOWN,) * 2, (shown, NONE)).heard


SAID = st.sampled_from(
    [True, True, False, False, None, "silent", "silent", "absent", Mode.DRAINING]
)
LOOKS_AT_SITE = st.lists(
    st.builds(
        ToldOfSite,
        st.sampled_from([0.0, 1.0, LASTS]),
        st.tuples(SAID, SAID, SAID),
        st.sampled_from([None, None, None, "par1", "", "lyo1"]),
        st.sampled_from([True, True, True, False]),
    ),
    max_size=8,
)
TAKES_OVER = ToldOfSite(0.0, (True, True, "absent"))
NEAR_ONE = ToldOfSite(0.0, ("absent", "absent", True))
DEAD = ("silent", False, "absent")


@given(LOOKS_AT_SITE)
@example([TAKES_OVER, *[ToldOfSite(LASTS, DEAD)] * 2])
@example([TAKES_OVER, *[ToldOfSite(LASTS, DEAD, connected=False)] * 2])
@example([TAKES_OVER, *[ToldOfSite(LASTS, DEAD, "")] * 2])
@example([TAKES_OVER, *[ToldOfSite(LASTS, ("silent", False, None))] * 2])
@example([TAKES_OVER, *[ToldOfSite(LASTS, ("silent", "absent", "absent"))] * 2])
@example([NEAR_ONE, *[ToldOfSite(LASTS, ("absent", "absent", False))] * 2])
@example([NEAR_ONE, *[ToldOfSite(LASTS, ("absent", "absent", Mode.DRAINING))] * 2])
@example(
    [ToldOfSite(0.0, (True, True, True)), *[ToldOfSite(LASTS, (False, False, Mode.DRAINING))] * 2]
)
def test_what_machines_tell(looks: list[ToldOfSite]) -> None:
    """LEFT where each machine that ever announced it says that it does not, or is silent, none does or may, nor any path is seen, since `LASTS`.

    One of this data centre that drains it, too, is none of them.
    """
    before, now, announced_by, since = WatchedTakeover(), 0.0, set[int](), None
    for look in looks:
        now += look.after
        said = look.said if look.connected else ("absent",) * 3
        leaving = {n for n, each in enumerate(said) if n == NEAR and isinstance(each, Mode)}
        announcing = {n for n, each in enumerate(said) if each is True or isinstance(each, Mode)}
        announcing -= leaving
        announced_by = (announced_by | announcing) - leaving
        gone = {n for n, each in enumerate(said) if each is False or each == "silent"}
        is_left = bool(announced_by) and announced_by <= gone and None not in said
        is_left &= look.shown in (None, "par1")
        since = (now if since is None else since) if is_left else None
        found, before = watched(before, look.heard, PREFIX, now, look.machines)
        if look.shown == "lyo1" or announcing:
            assert found is TakenOver.SEEN
        elif since is not None and now - since >= LASTS:
            assert found is TakenOver.LEFT
        else:
            assert found is TakenOver.UNKNOWN


@pytest.mark.parametrize(("shown", "known"), [(SOME, TakenOver.SEEN), (NONE, TakenOver.GONE)])
def test_routers_stand_above_machines(shown: frozenset[str], known: TakenOver) -> None:
    """What each router has, or has lost, stands above what machines say of themselves."""
    before = WatchedTakeover()
    said = told_by_machines([MemberState("lyo1", "lb1", announced=known is TakenOver.GONE)], HERE)
    for now in (0.0, 1.0, 1.0 + LASTS):
        heard = Told(0.0, WHOLE, (shown if now else SOME, NONE)).heard
        found, before = watched(before, heard, PREFIX, now, said)
    assert found is known


def test_at_hand() -> None:
    """A machine of this data centre that announces it takes over, although routers have lost the paths of all others."""
    before = WatchedTakeover()
    said = told_by_machines([MemberState("par1", "lb2", announced=True)], HERE)
    for now in (0.0, 1.0, 1.0 + LASTS):
        heard = Told(0.0, WHOLE, (NONE if now else SOME, NONE)).heard
        found, before = watched(before, heard, PREFIX, now, said)
    assert found is TakenOver.SEEN
