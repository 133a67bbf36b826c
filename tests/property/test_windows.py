"""Planned drains: begun or missed, once and in time, whatever the clock does; and what a local time means."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import inf

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy.errors import PolicyError
from policy.intent import Intent, Mode
from policy.local_time import moment_text, parse_moment
from policy.window import LATE, Moment, Window, look, missed
from tests.support.strategies import policy as made

AT = 1_800_000_000.0
HOST = frozenset({made.HOSTS_V4[0]})
SPANS = st.sampled_from([0.0, 1.0, 59.0, LATE - 1, LATE, LATE + 1, 3600.0, 7200.0])
CLOCKS = st.lists(
    st.one_of(SPANS, SPANS.map(lambda span: -span), st.sampled_from([-1e9, 1e9])), max_size=12
)
"""What the clock says, from `AT` on: it may be set forward and back, by a second or by thirty years."""


@st.composite
def windows(draw: st.DrawFn) -> Window:
    """Draw a window about `AT`."""
    return Window(
        draw(st.integers(1, 9)),
        HOST,
        draw(st.sampled_from([Mode.DRAINED, Mode.DRAINING])),
        "alice",
        AT - 86400,
        AT + draw(SPANS),
        draw(st.sampled_from(["", "a kernel"])),
        draw(st.sampled_from([None, 1.0, 60.0, 3600.0])),
        draw(st.sampled_from([0.0, 60.0, LATE])),
    )


@given(st.lists(windows(), max_size=4, unique_by=lambda w: w.number), CLOCKS)
@example([Window(1, HOST, Mode.DRAINED, "alice", AT, AT, "", 1.0)], [1.0])
def test_begun_or_missed_once(planned: list[Window], clock: list[float]) -> None:
    """Each window begins at most once, or was missed, never both: begun only within its time, missed only after it."""
    left = {window.number: window for window in planned}
    begun, over = list[int](), list[int]()
    for step in clock:
        now = AT + step
        found = look(left.values(), now)
        for window in found.due:
            assert window.at <= now <= window.at + window.late
            assert window.until is None or now < window.until
            begun.append(left.pop(window.number).number)
        for window in found.over:
            assert now > window.last or (window.until is not None and now >= window.until)
            over.append(window.number)
            left[window.number] = replace(window, missed=now)
        assert not look(left.values(), now), "the same look finds nothing more"
    assert len({*begun, *over}) == len(begun) + len(over)
    for number, window in left.items():
        if number not in over:
            assert all(AT + step < window.at for step in clock), (
                "it waits only where its time never came"
            )
    assert (missed([*left.values()]) != "") == bool(over)


@given(windows(), windows())
def test_two_that_overlap(one: Window, other: Window) -> None:
    """Two windows overlap where the second begins while the first drains; then the prefix is drained until the later end."""
    first, second = sorted((one, other), key=lambda w: w.at)
    current = first.intent(first.at)
    assert first.overlaps(second) == second.overlaps(first)
    if second.at > first.at:
        assert first.overlaps(second) == current.in_force(second.at)
    if first.overlaps(second):
        after = second.begins(current, second.at) or current
        assert (after.until or inf) == max(w.until or inf for w in (one, other))
    elsewhere = replace(second, prefixes=frozenset({made.HOSTS_V4[1]}))
    assert not first.overlaps(elsewhere)
    assert not first.overlaps(replace(second, missed=AT))


@given(windows(), st.floats(-7200, 7200))
@example(Window(1, HOST, Mode.DRAINED, "alice", AT, AT, late=0.0), 0.0)
def test_look_again_in_time(window: Window, offset: float) -> None:
    """While it waits, it is said when to look again, which is when it begins; else there is nothing to wait for."""
    now = AT + offset
    following = look([window], now).following
    assert following == (window.at if window.moment(now) is Moment.WAITING else None)


@given(windows(), made.intents(), st.floats(0, LATE))
@example(
    Window(1, HOST, Mode.DRAINED, "alice", AT, AT, "", 60.0), Intent(Mode.DRAINING, "bob", AT), 1.0
)
@example(Window(1, HOST, Mode.DRAINED, "alice", AT, AT), Intent(Mode.DRAINING, "alice", AT), 0.0)
@example(
    Window(1, HOST, Mode.DRAINED, "alice", AT, AT, "", 60.0),
    Intent(Mode.DRAINED, "bob", AT, until=AT + 3600.0),
    1.0,
)
def test_nobodys_drain_is_shortened(window: Window, current: Intent, after: float) -> None:
    """What begins never ends a drain earlier than it would have ended, and ends by itself when it was planned to.

    Whatever began before, it is withdrawn by then where the window is to withdraw it.
    """
    now = window.at + after
    following = window.begins(current, now)
    was_drained = current.in_force(now) and not current.restores
    if following is None:
        assert was_drained
        assert current.until is None or (window.until is not None and current.until >= window.until)
        assert window.mode is Mode.DRAINING or current.mode is Mode.DRAINED
        return
    withdrawn = replace(current, mode=Mode.DRAINED, since=now, forced=False, insisted=False)
    if was_drained and following == withdrawn:
        assert (window.mode, current.mode) == (Mode.DRAINED, Mode.DRAINING)
        return
    assert (following.mode, following.owner, following.until) == (
        window.mode,
        window.owner,
        window.until,
    )
    assert following.since == now
    if was_drained:
        assert current.until is not None
        assert following.until is None or following.until > current.until


@pytest.mark.parametrize(
    "change",
    [
        {"mode": Mode.AUTO},
        {"mode": Mode.FORCED},
        {"prefixes": frozenset()},
        {"seconds": 0.0},
        {"late": -1.0},
        {"at": 1e30},
        {"at": float("nan")},
        {"reason": "a\nb"},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(change: dict[str, object]) -> None:
    """No window has a mode that is no drain, no prefixes, a time without a date, or a text for no terminal."""
    window = Window(1, HOST, Mode.DRAINED, "alice", AT, AT)
    with pytest.raises(PolicyError):
        replace(window, **change)  # type: ignore[arg-type]  # that is the point


# --- local times -----------------------------------------------------------------------------------------


class Changing:
    """The local time of a place whose clocks are changed now and then. It is `Zone`."""

    def __init__(self, offsets: list[int], changes: list[float]) -> None:
        """Begin with the first offset; each change (seconds since the epoch) brings the next. In minutes."""
        self._offsets, self.changes = offsets, changes

    def offset(self, seconds: float) -> int:
        return self._offsets[bisect_right(self.changes, seconds)]

    def local(self, seconds: float) -> datetime:
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None) + timedelta(
            minutes=self.offset(seconds)
        )

    def seconds(self, local: datetime) -> float:
        """As PEP 495 has it: of a time that is there twice `fold` chooses, of one that is not, which offset holds."""
        wall = local.replace(tzinfo=UTC, fold=0).timestamp()
        found = [
            wall - 60 * offset
            for offset in dict.fromkeys(self._offsets)
            if self.offset(wall - 60 * offset) == offset
        ]
        if found:
            return sorted(found)[min(local.fold, len(found) - 1)]
        change = next(c for c in self.changes if self._is_skipped(wall, c))
        return wall - 60 * self.offset(change - 1 if local.fold == 0 else change)

    def _is_skipped(self, wall: float, change: float) -> bool:
        before, after = self.offset(change - 1), self.offset(change)
        return change + 60 * before <= wall < change + 60 * after

    def name(self, seconds: float) -> str:
        return f"UTC{self.offset(seconds):+}"


@st.composite
def zones(draw: st.DrawFn) -> Changing:
    """Draw a place: offsets from -12 to 14 hours, changes of up to two hours, a month apart or more."""
    offsets = [draw(st.integers(-48, 56)) * 15]
    changes = [AT + draw(st.integers(0, 86400))]
    for _ in range(draw(st.integers(0, 3))):
        offsets.append(offsets[-1] + draw(st.sampled_from([-120, -60, -30, 30, 60, 120])))
        changes.append(changes[-1] + 30 * 86400)
    return Changing(offsets, changes[: len(offsets) - 1])


def moments_of(local: datetime, zone: Changing) -> list[float]:
    """Return each moment at which clocks show a local time, by trying every offset that there is."""
    wall = local.replace(tzinfo=UTC).timestamp()
    offsets = {zone.offset(change + shift) for change in (AT, *zone.changes) for shift in (-1, 0)}
    return sorted(wall - 60 * o for o in offsets if zone.local(wall - 60 * o) == local)


def means_one_moment_or_is_refused(local: datetime, zone: Changing) -> None:
    """What is taken shows as it was written; what does not exist, or is there twice, is refused, with what to write."""
    text, moments = local.isoformat(timespec="minutes"), moments_of(local, zone)
    if len(moments) == 1:
        assert parse_moment(text, zone) == moments[0]
        assert moment_text(moments[0], zone).startswith(f"{text} UTC")
        return
    with pytest.raises(PolicyError) as refused:
        parse_moment(text, zone)
    said = str(refused.value)
    assert ("is there twice" if moments else "does not exist") in said
    written = said.split("write ")[1]
    if moments:
        first, second = (part.split()[0] for part in written.split(" or "))
        assert [parse_moment(each, zone) for each in (first, second)] == moments
    else:
        again = parse_moment(written.split("such as ")[1], zone)
        assert timedelta(0) < zone.local(again) - local <= timedelta(hours=2)


@given(zones(), st.data())
def test_a_local_time_means_one_moment_or_is_refused(zone: Changing, data: st.DataObject) -> None:
    """So it is wherever clocks are, about each change of them."""
    near = data.draw(st.sampled_from([AT, *zone.changes])) + data.draw(st.integers(-300, 300)) * 60
    local = zone.local(near).replace(second=0)
    local += timedelta(minutes=data.draw(st.sampled_from([0, 0, 30, 60, -60])))
    means_one_moment_or_is_refused(local, zone)


@pytest.mark.parametrize("change", [0, 1], ids=["forward", "back"])
def test_the_night_in_which_clocks_are_changed(change: int) -> None:
    """So it is for each quarter of an hour of the two nights of a year in which clocks are changed."""
    zone = Changing([60, 120, 60], [AT, AT + 200 * 86400])
    first = zone.local(zone.changes[change] - 3 * 3600)
    kinds = set()
    for quarter in range(28):
        local = first + timedelta(minutes=15 * quarter)
        means_one_moment_or_is_refused(local, zone)
        kinds.add(len(moments_of(local, zone)))
    assert kinds == ({1, 2} if change else {0, 1})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-12-01T02:00Z", 1796090400.0),
        ("2026-12-01T02:00:30Z", 1796090430.0),
        ("2026-12-01T03:00+01:00", 1796090400.0),
        ("2026-11-30T21:00-05:00", 1796090400.0),
    ],
)
def test_with_an_offset(text: str, seconds: float) -> None:
    """A time with its offset means the same everywhere."""
    assert parse_moment(text, Changing([345], [])) == seconds


NO_TIMES = [
    *("", "now", "02:00", "2026-12-01", "2026-12-01 02:00", "2026-13-01T02:00", "2026-12-01T24:00"),
    *("2026-12-01T02:00 CET", "20261201T0200", "2026-12-01T02:00+25:00", "x" * 999),
    "\uff12026-12-01T02:00",
]


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time(text: str) -> None:
    """Anything else is refused, with what to write."""
    with pytest.raises(PolicyError, match=r"write such as 2026-12-01T02:00"):
        parse_moment(text, Changing([0], []))


def test_the_zone_of_the_tests() -> None:
    """The place that the tests know is one: local times go forth but where clocks are set back."""
    zone = Changing([60, 120, 60], [AT, AT + 86400])
    hours = [zone.local(AT - 3600 + 600 * step) for step in range(300)]
    assert sum(b < a for a, b in pairwise(hours)) == 1
