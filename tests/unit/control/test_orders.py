"""Orders for a site over the control socket: for whom they are, what is answered of each machine, and what is refused."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from policy.intent import Intent, Mode
from policy.site_intent import EVERYWHERE, Extent
from policy.site_members import Member, MemberState
from speaker import vip_mgmt
from speaker.control.client import RefusedError
from speaker.control.running import RunningWatchdog
from speaker.control.server import serving
from speaker.site_values import Ordered, SiteOrder, SiteReport
from tests.support.fakes.known_site import HERE, FakeKnownSite
from tests.support.fakes.site import SECOND, V4, V6, Site, running
from tests.unit.control.test_server import raw, served

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LB1, LB2, LB3 = (
    Member("par1", "lb1", live=True),
    Member("par1", "lb2", live=True),
    Member("lyo1", "lb3", live=True),
)
KEPT = "[policy]\nkeep_last = true\n"


def of_site(
    directory: Path,
    ask: Callable[[Site, FakeKnownSite], Any],
    more: str = "",
    *machines: Member,
) -> Any:
    """Run a watchdog on par1/lb1 that knows of other machines, and ask it."""

    async def main() -> Any:
        async with (
            running(directory, more=more, marks=bool(more)) as site,
            serving(site.control, site.reconciler),
        ):
            known = FakeKnownSite(site.reconciler, machines=[*(machines or (LB1, LB2, LB3))])
            site.reconciler.site = known
            return await asyncio.to_thread(ask, site, known)

    return asyncio.run(main())


def order(site: Site, extent: str, mode: Mode = Mode.DRAINED, **more: Any) -> Ordered:
    running = RunningWatchdog(site.control, site.control)
    return running.order(SiteOrder(mode=mode, prefixes=(V4, V6), extent=extent, **more))


def report(ordered: Ordered) -> SiteReport:
    assert ordered.site is not None
    return ordered.site


@pytest.mark.parametrize(
    ("asked", "extent", "machines"),
    [
        ("dc:par1", Extent("par1"), ["par1/lb1", "par1/lb2"]),
        ("site", EVERYWHERE, ["par1/lb1", "par1/lb2", "lyo1/lb3"]),
    ],
)
def test_a_drain(tmp_path: Path, asked: str, extent: Extent, machines: list[str]) -> None:
    """It is done here, and each machine for which it is is named."""

    def ask(site: Site, known: FakeKnownSite) -> None:
        ordered = order(site, asked, within=2.0)
        assert [each.prefix for each in ordered.outcomes] == [str(V4), str(V6)]
        assert all(getattr(each, "announced", None) is False for each in ordered.outcomes)
        assert not site.table() & {str(V4), str(V6)}
        told = report(ordered)
        assert [each.machine for each in told.machines] == machines
        assert all(each.obeys for each in told.machines)
        assert (told.committed, told.is_here, told.here) == (True, True, "par1/lb1")
        assert known.asked == [((V4, V6), extent, 2.0)]

    of_site(tmp_path, ask)


def test_elsewhere(tmp_path: Path) -> None:
    """What is for another data centre changes nothing here, and is recorded here."""

    def ask(site: Site, known: FakeKnownSite) -> None:
        before = site.table()
        told = report(ordered := order(site, "dc:lyo1"))
        assert ordered.outcomes == []
        assert (told.extent, told.is_here) == ("lyo1", False)
        assert [each.machine for each in told.machines] == ["lyo1/lb3"]
        assert site.table() == before
        assert [each.extent for each in site.store.site_known([V4])[V4]] == [Extent("lyo1")]
        assert known.asked[0][2] == 5.0

    of_site(tmp_path, ask)


@pytest.mark.parametrize("machine", ["lb1", "lb2"])
def test_a_rolls_own(tmp_path: Path, machine: str) -> None:
    """An order that is marked so takes back only its own, on this machine and on others; and the mark is kept."""

    def ask(site: Site, _: FakeKnownSite) -> None:
        def roll(mode: Mode) -> None:
            order(site, extent, mode, reason="vip_mgmt roll", own=True)

        extent = f"machine:par1/{machine}"
        roll(Mode.DRAINING)
        order(site, extent, Mode.DRAINED)
        roll(Mode.AUTO)
        standing = site.store.site_known([V4])[V4]
        assert {(each.own, each.intent.mode) for each in standing} == {
            (False, Mode.DRAINED),
            (True, Mode.AUTO),
        }
        assert (str(V4) in site.table()) == (machine != "lb1")
        body = {"mode": "auto", "prefixes": [str(V4)], "extent": "dc:par1", "own": True}
        status, answer = raw(site, "POST", "/intents", json.dumps(body).encode())
        assert status == 400
        assert "own: goes with an extent machine:NAME/MACHINE alone" in str(answer)

    of_site(tmp_path, ask)


@pytest.mark.parametrize("extent", ["", "here"])
def test_here(tmp_path: Path, extent: str) -> None:
    """What is for this machine asks nobody else; who says not for whom it is means that, as ever."""

    def ask(site: Site, known: FakeKnownSite) -> None:
        body = {"mode": "drained", "prefixes": [str(V4)], **({"extent": extent} if extent else {})}
        status, answer = raw(site, "POST", "/intents", json.dumps(body).encode())
        assert status == 200
        outcomes = answer if not extent else answer["outcomes"]
        assert [each["announced"] for each in outcomes] == [False]
        assert not extent or answer["site"] is None
        assert known.asked == []
        assert [each.extent for each in site.store.site_known([V4])[V4]] == [HERE]

    of_site(tmp_path, ask)


def test_not_all_obey(tmp_path: Path) -> None:
    """Who has not confirmed it, and who is silent, is told of as such."""
    silent = Member("par1", "lb4", live=False, silent_since=0.0)

    def ask(site: Site, known: FakeKnownSite) -> None:
        known.lacking["lb2"] = "its bgpd does not answer"
        told = report(order(site, "dc:par1"))
        assert [(each.machine, each.obeys, each.why) for each in told.machines] == [
            ("par1/lb1", True, ""),
            ("par1/lb2", False, "its bgpd does not answer"),
        ]
        assert told.silent == ("par1/lb4: silent since 1970-01-01T00:00:00Z",)

    of_site(tmp_path, ask, "", LB1, LB2, silent)


@pytest.mark.parametrize("mode", [Mode.DRAINED, Mode.AUTO, Mode.FORCED, Mode.DRAINING])
def test_sent_to_nobody(tmp_path: Path, mode: Mode) -> None:
    """Who can send to nobody what it announces is told of as such, but for a drain: to withdraw needs no session."""

    def ask(site: Site, known: FakeKnownSite) -> None:
        known.unsent["lb2"] = "600 prefixes, such as 192.0.2.9/32: no session is up"
        told = report(order(site, "dc:par1", mode))
        assert [(each.machine, each.obeys, each.unsent) for each in told.machines] == [
            ("par1/lb1", True, ""),
            ("par1/lb2", True, "" if mode is Mode.DRAINED else known.unsent["lb2"]),
        ]

    of_site(tmp_path, ask, "", LB1, LB2)


def test_etcd_is_away(tmp_path: Path) -> None:
    """It is done here all the same, and why the others have not got it is told."""

    def ask(site: Site, known: FakeKnownSite) -> None:
        known.connected, known.trouble = False, "no member of etcd answers"
        told = report(ordered := order(site, "dc:par1"))
        assert all(getattr(each, "announced", None) is False for each in ordered.outcomes)
        assert (told.committed, told.trouble) == (False, "no member of etcd answers")

    of_site(tmp_path, ask)


def test_a_dry_run(tmp_path: Path) -> None:
    """Nothing is recorded, nor asked of anybody."""

    def ask(site: Site, known: FakeKnownSite) -> None:
        told = report(order(site, "dc:par1", dry_run=True))
        assert [each.machine for each in told.machines] == ["par1/lb1", "par1/lb2"]
        assert not told.committed
        assert report(order(site, "dc:lyo1", dry_run=True)).machines[0].machine == "lyo1/lb3"
        assert site.store.site_known() == {}
        assert known.asked == []

    of_site(tmp_path, ask)


def test_what_stays_drained(tmp_path: Path) -> None:
    """A restore names the narrower drains that it does not overrule: this machine's, and others' as far as they tell."""

    def ask(site: Site, known: FakeKnownSite) -> None:
        order(site, "here", reason="disk")
        known.told = {V6: [MemberState("par1", "lb2", announced=False, intent="drained by ann")]}
        told = report(ordered := order(site, "dc:par1", Mode.AUTO))
        assert [getattr(each, "intent", "") for each in ordered.outcomes] == ["drained", "drained"]
        here, there = told.still
        assert here.startswith(f"par1/lb1: {V4}, {V6}: still drained for par1/lb1 by ")
        assert here.endswith(": disk")
        assert there.startswith(f"par1/lb2: {V6}: still drained by that machine alone (--here)")

    of_site(tmp_path, ask)


def test_a_data_centre_that_is_not_known(tmp_path: Path) -> None:
    """It is refused, and nothing is recorded."""

    def ask(site: Site, known: FakeKnownSite) -> None:
        for extent in ("dc:lyo2", "everybody", "dc:"):
            with pytest.raises(
                RefusedError, match=r"extent: .*: must be here, site, dc:NAME or machine:"
            ):
                order(site, extent)
        assert known.asked == []
        assert site.store.site_known() == {}

    of_site(tmp_path, ask)


def test_without_a_site(tmp_path: Path) -> None:
    """A watchdog that knows of no others refuses what is for them, and takes what is for itself."""

    def ask(site: Site) -> None:
        for extent in ("dc:par1", "site"):
            with pytest.raises(RefusedError, match=r"it has loaded no .site.; nothing was changed"):
                order(site, extent)
        assert order(site, "here").site is None
        assert not site.table() & {str(V4)}
        status, said = raw(site, "GET", "/site")
        assert (status, said["error"].startswith("site: this watchdog knows of no other")) == (
            404,
            True,
        )

    served(tmp_path, ask)


def test_early(tmp_path: Path) -> None:
    """Who has not read vip.toml must say for whom it is; else it is asked again as ever."""

    def ask(site: Site, known: FakeKnownSite) -> None:
        file = site.reconciler.config.file
        body = {
            "mode": "drained",
            "prefixes": [str(V4)],
            "everything": False,
            "digest": file.digest if file else "",
            "dc": "par1",
            "backend": "exabgp",
        }
        text = json.dumps(body).encode()
        assert raw(site, "POST", "/intents/as-loaded", text)[0] == 409
        text = json.dumps({**body, "extent": "dc:par1", "within": 1.0}).encode()
        status, answer = raw(site, "POST", "/intents/as-loaded", text)
        assert (status, answer["site"]["extent"]) == (200, "par1")
        assert known.asked == [((V4,), Extent("par1"), 1.0)]

    of_site(tmp_path, ask)


ANNOUNCES = MemberState("lyo1", "lb3", announced=True)


@pytest.mark.parametrize(
    ("asked", "told", "is_refused"),
    [
        ("dc:par1", ANNOUNCES, False),
        ("here", MemberState("par1", "lb2", announced=True), False),
        ("dc:par1", MemberState("lyo1", "lb3", announced=False), True),
        ("dc:par1", MemberState("lyo1", "lb3", announced=None), False),
        ("dc:par1", MemberState("par1", "lb2", announced=True), True),
        ("site", ANNOUNCES, True),
        ("dc:lyo1", ANNOUNCES, True),
    ],
)
def test_the_last_one(tmp_path: Path, asked: str, told: MemberState, *, is_refused: bool) -> None:
    """With keep_last, what no other machine would announce is asked for by --last; what is not known holds nobody."""

    def ask(site: Site, known: FakeKnownSite) -> None:
        known.told = {V4: [told], V6: [told]}
        if is_refused:
            with pytest.raises(
                RefusedError, match="would be announced nowhere, so nothing was changed"
            ):
                order(site, asked)
            assert site.store.site_known() == {}
        order(site, asked, last=is_refused)
        assert site.store.site_known([V4])[V4]

    of_site(tmp_path, ask, KEPT)


def test_the_site(tmp_path: Path) -> None:
    """It is told in short, in full, or of what is named; a silent machine tells nothing."""
    silent = Member("lyo1", "lb4", live=False)

    def ask(site: Site, known: FakeKnownSite) -> None:
        for prefix in (V4, V6, SECOND):
            known.told[prefix] = [
                MemberState(
                    each.dc,
                    each.machine,
                    announced=True,
                    as_path="64699",
                    health="up",
                    intent="auto",
                )
                for each in (LB1, LB2, LB3, silent)
            ]
        asked = RunningWatchdog(site.control, site.control)
        known.machines = [LB1, LB2, LB3]
        short = asked.site()
        assert (short.prefixes, short.left, short.well_left) == ((), {}, 0)
        assert [(each.vip, each.prefixes, each.dcs) for each in short.well] == [
            ("vip-1.tld", 2, ("par1", "lyo1")),
            ("vip-2.tld", 1, ("par1", "lyo1")),
        ]
        known.machines.append(silent)
        short = asked.site()
        assert [each.prefix for each in short.prefixes] == [*map(str, (V4, V6, SECOND))]
        assert {each.level for each in short.prefixes} == {"unknown"}
        assert short.prefixes[0].why == "lyo1/lb4: not known"
        whole = asked.site(whole=True)
        assert [state.announced for state in whole.prefixes[0].states] == [True, True, True, None]
        assert (whole.dc, whole.machine, whole.connected) == ("par1", "lb1", True)
        assert [each.prefix for each in asked.site([SECOND]).prefixes] == [str(SECOND)]

    of_site(tmp_path, ask)


def test_explained(tmp_path: Path) -> None:
    """It is told which orders stand, for whom, which holds, and by which rule."""

    def ask(site: Site, known: FakeKnownSite) -> None:
        del known
        order(site, "dc:lyo1", Mode.DRAINED)
        order(site, "here", Mode.DRAINED, reason="disk")
        order(site, "dc:par1", Mode.AUTO)
        (told,) = RunningWatchdog(site.control, site.control).explain([V4])
        abouts = [each.about for each in told.sentences]
        assert abouts[:2] == ["decision", "operator"]
        first, *more = [each.text for each in told.sentences if each.about == "site"]
        assert first.startswith("drained for this machine (--here) by ")
        assert first.endswith(
            ", disk: holds, as a drain stands above a restore that did not know of it, or is wider"
        )
        assert more[0].startswith("restored for par1 (--at par1) by ")
        assert more[0].endswith(": stands beside it")
        assert more[1].startswith("drained for lyo1 (--at lyo1) by ")
        assert more[1].endswith(": not for this machine")

    of_site(tmp_path, ask)


def test_intents_are_recorded_as_asked(tmp_path: Path) -> None:
    """The owner, the reason and the end go with it."""

    def ask(site: Site, known: FakeKnownSite) -> None:
        del known
        order(site, "dc:par1", reason="kernel", seconds=60.0)
        (one,) = site.store.site_known([V4])[V4]
        intent: Intent = one.intent
        assert intent.reason == "kernel"
        assert intent.until == intent.since + 60.0

    of_site(tmp_path, ask)


def test_a_rehearsal_as_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the other machines tell of who takes over is asked of the watchdog that runs, for a data centre and for this machine alone."""
    monkeypatch.setenv("VIP_CONFIG", str(tmp_path / "vip.toml"))
    site_table = '[site]\netcd = ["http://127.0.0.1:2379"]\nmachine = "lb1"\n'

    def ask(_: Site, known: FakeKnownSite) -> None:
        well = [
            MemberState(each.dc, each.machine, announced=True, health="up", intent="auto")
            for each in known.machines
        ]
        known.told = {V4: well}
        words = ["-d", str(V4), "--soft", "--dry-run"]
        for more, said in (
            ([], "would go to lyo1; lyo1/lb3: announced, health up; "),
            (["--here"], "stays here, at par1/lb2; "),
            (["--everywhere", "--force"], "would go to no data centre: "),
        ):
            assert vip_mgmt.main([*words, *more]) == 0
            assert f"{V4}: {said}" in capsys.readouterr().err

    of_site(tmp_path, ask, site_table)
