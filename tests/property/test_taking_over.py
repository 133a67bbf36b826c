"""Who takes over is gone only where witnesses that told it say so for long enough: whatever they show, hide, or stop to tell."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st

from policy.drain import TakenOver
from policy.route import Asn, AsPath, Attributes
from policy.taking_over import LASTS, WatchedTakeover, watched
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
