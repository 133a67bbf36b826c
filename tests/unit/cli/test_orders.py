"""vip_mgmt -a and -d where the machines of a site know of one another: what is asked, to the letter what is said, and the exit status."""

from __future__ import annotations

from typing import Any

import pytest

from policy.intent import Mode
from policy.route import parse_prefix
from policy.site_intent import EVERYWHERE, Extent
from speaker import config
from speaker.control.offline import StateFile
from speaker.site_values import SiteOrder
from speaker.state.store import Store
from tests.unit.test_vip_mgmt import V4, V6, Run, reconciler, run, state

__all__ = ["run"]

SITE = '[site]\netcd = ["http://127.0.0.1:2379"]\nmachine = "lb1"\ntimeout = "3s"\n'
EARLY = "intents/as-loaded"
WITHDRAWN = f"bgp_mgt: Deleting route to {V4}"


@pytest.fixture
def of_site(run: Run) -> Run:
    """Run it on par1/lb1."""
    path = run.directory / "vip.toml"
    path.write_text(path.read_text().replace("[dc.par1]", f"{SITE}[dc.par1]"))
    return run


def machine(name: str, why: str = "", *, obeys: bool = True) -> dict[str, Any]:
    return {"machine": name, "obeys": obeys, "why": why}


LB1, LB2 = machine("par1/lb1"), machine("par1/lb2")


def answer(*outcomes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What a watchdog answers to an order for par1."""
    site = {
        "extent": "par1",
        "here": "par1/lb1",
        "is_here": True,
        "committed": True,
        "trouble": "",
        "machines": [LB1, LB2],
        "silent": [],
        "still": [],
        "within": 3.0,
        **more,
    }
    return {"outcomes": [*outcomes], "site": site}


GONE = state(announced=False, wanted=False, intent="drained")


def test_confirmed(of_site: Run) -> None:
    """Without an option it is for this data centre, and done once each live machine has confirmed it; each is named."""
    with reconciler(of_site.directory, **{EARLY: answer(GONE)}) as asked:
        assert of_site("-d", V4, "--reason", "kernel") == 0
    assert of_site.err == [
        WITHDRAWN,
        "bgp_mgt: par1/lb1: confirmed",
        "bgp_mgt: par1/lb2: confirmed",
    ]
    ((_, _, body),) = asked
    assert (body["extent"], body["within"], body["prefixes"]) == ("dc:par1", 3.0, [V4])


@pytest.mark.parametrize(
    ("words", "extent", "within"),
    [
        ([], "dc:par1", 3.0),
        (["--at", "par1"], "dc:par1", 3.0),
        (["--everywhere"], "site", 3.0),
        (["--timeout", "9s"], "dc:par1", 9.0),
    ],
)
def test_asked_as_ever(of_site: Run, words: list[str], extent: str, within: float) -> None:
    """A name takes all of vip.toml: then the same is asked, and said."""
    gone = [GONE, {**GONE, "prefix": V6}]
    with reconciler(of_site.directory, intents=answer(*gone)) as asked:
        assert of_site("-d", "vip-1.tld", *words) == 0
    assert of_site.err[-2:] == ["bgp_mgt: par1/lb1: confirmed", "bgp_mgt: par1/lb2: confirmed"]
    _, target, body = asked[-1]
    assert (target, body["extent"], body["within"]) == ("/intents", extent, within)


def test_here(of_site: Run) -> None:
    """--here is for this machine alone: nothing is said of others, and an older watchdog is asked in words that it knows."""
    with reconciler(
        of_site.directory, **{EARLY: (409, {"error": "x"}), "intents": [GONE]}
    ) as asked:
        assert of_site("-d", V4, "--here") == 0
    assert of_site.err == [WITHDRAWN]
    assert asked[0][2]["extent"] == "here"
    assert not {"extent", "within"} & {*asked[-1][2]}
    with reconciler(of_site.directory, **{EARLY: {"outcomes": [GONE], "site": None}}):
        assert of_site("-d", V4, "--here") == 0
    assert of_site.err == [WITHDRAWN]


def test_not_confirmed(of_site: Run) -> None:
    """Who has not confirmed it is named, with why; nothing is said to be done there."""
    lacking = machine("par1/lb2", "192.0.2.1/32: its bgpd does not answer", obeys=False)
    with reconciler(of_site.directory, **{EARLY: answer(GONE, machines=[LB1, lacking])}):
        assert of_site("-d", V4) == 1
    assert of_site.err == [
        WITHDRAWN,
        "bgp_mgt: par1/lb1: confirmed",
        "bgp_mgt: par1/lb2: not confirmed within 3s: 192.0.2.1/32: its bgpd does not answer",
    ]


def test_sent_to_nobody(of_site: Run) -> None:
    """Who obeys, and can send it to nobody, is not said to have confirmed it."""
    unsent = machine("par1/lb2") | {"unsent": "no session is up"}
    with reconciler(of_site.directory, **{EARLY: answer(state(), machines=[unsent, LB1])}):
        assert of_site("-a", V4) == 1
    assert of_site.err[-2:] == [
        "bgp_mgt: par1/lb1: confirmed",
        "bgp_mgt: par1/lb2: recorded; no session is up",
    ]


def test_silent(of_site: Run) -> None:
    """A silent machine is neither drained nor waited for: what it announces is not known."""
    silent = ["par1/lb3: silent since 2026-01-31T03:00:00Z"]
    with reconciler(of_site.directory, **{EARLY: answer(GONE, silent=silent)}):
        assert of_site("-d", V4) == 0
    assert of_site.err[-1] == (
        "bgp_mgt: par1/lb3: silent since 2026-01-31T03:00:00Z; what it announces is not known, and it obeys this "
        "once it is back"
    )


def test_nobody(of_site: Run) -> None:
    """Where no machine of it is live, nobody has confirmed it."""
    given = answer(extent="lyo1", is_here=False, machines=[])
    with reconciler(of_site.directory, intents=given) as asked:
        assert of_site("-d", "all", "--at", "lyo1") == 1
    assert of_site.err == [
        "bgp_mgt: lyo1: etcd has it, and no machine of lyo1 is live: nobody has confirmed it"
    ]
    assert asked[-1][2]["extent"] == "dc:lyo1"


def test_elsewhere(of_site: Run) -> None:
    """What is for another data centre says nothing of this machine's prefixes."""
    others = [machine("lyo1/lb3"), machine("lyo1/lb4")]
    given = answer(extent="lyo1", is_here=False, machines=others)
    with reconciler(of_site.directory, intents=given):
        assert of_site("-d", "all", "--at", "lyo1") == 0
    assert of_site.err == ["bgp_mgt: lyo1/lb3: confirmed", "bgp_mgt: lyo1/lb4: confirmed"]


AWAY = "etcd: 192.0.2.21:2379, 192.0.2.22:2379: No route to host; see to the members"
UNTIL = (
    "who get it once it can be handed on: until then, what they announce is as before, or not known"
)


@pytest.mark.parametrize(
    ("extent", "others"), [("par1", "the others of par1"), ("everywhere", "the others")]
)
def test_etcd_is_away(of_site: Run, extent: str, others: str) -> None:
    """First what is so here, then for whom it is queued, then why; exit status 1."""
    lb2 = machine("par1/lb2", obeys=False)
    away = {"committed": False, "trouble": AWAY, "machines": [LB1, lb2], "extent": extent}
    with reconciler(of_site.directory, **{EARLY: answer(GONE, **away)}):
        assert of_site("-d", V4) == 1
    assert "\n".join(of_site.err).replace("or\nbgp_mgt: not", "or not").splitlines() == [
        WITHDRAWN,
        "bgp_mgt: par1/lb1: confirmed",
        f"bgp_mgt: recorded on par1/lb1, and queued for {others} (par1/lb2), {UNTIL}",
        f"bgp_mgt: {AWAY}",
        "bgp_mgt: how it stands at all machines: vip_mgmt status --site",
    ]


def test_etcd_is_away_and_it_is_not_done_here(of_site: Run) -> None:
    """That it is not so here either comes first."""
    lb1 = machine("par1/lb1", "not done: its bgpd does not answer", obeys=False)
    away = {"committed": False, "trouble": AWAY, "machines": [lb1]}
    with reconciler(of_site.directory, **{EARLY: answer(GONE, **away)}):
        assert of_site("-d", V4) == 1
    assert of_site.err[1] == (
        "bgp_mgt: par1/lb1: not confirmed within 3s: not done: its bgpd does not answer"
    )


def test_etcd_is_away_and_it_is_elsewhere(of_site: Run) -> None:
    """Nothing is done here, nor said to be done there."""
    away = {"committed": False, "trouble": "etcd does not answer", "machines": []}
    with reconciler(of_site.directory, intents=answer(extent="lyo1", is_here=False, **away)):
        assert of_site("-d", V4, "--at", "lyo1") == 1
    assert of_site.err == [
        f"bgp_mgt: recorded on par1/lb1, which is not of lyo1, and queued for lyo1, {UNTIL}",
        "bgp_mgt: etcd does not answer",
    ]


def test_lines_are_short(of_site: Run) -> None:
    """However much there is to say, no line is long: of a cause, of many machines."""
    machines = [machine(f"par1/lb{number}", "why not " * 25, obeys=False) for number in range(30)]
    away = {"committed": False, "trouble": "; ".join([AWAY] * 9), "machines": machines}
    for committed in (True, False):
        given = answer(GONE, **{**away, "committed": committed})
        with reconciler(of_site.directory, **{EARLY: given}):
            assert of_site("-d", V4) == 1
        assert max(map(len, of_site.err)) <= 200


def test_restored(of_site: Run) -> None:
    """A drain that stays in spite of a restore is named, with whose it is."""
    still = [f"par1/lb2: {V4}: still drained by that machine alone (--here)"]
    with reconciler(of_site.directory, **{EARLY: answer(state(before=False), still=still)}):
        assert of_site("-a", V4) == 0
    assert of_site.err[-1] == f"bgp_mgt: {still[0]}"


def test_dry_run(of_site: Run) -> None:
    """It says for whom it would be, and who would not hear of it."""
    given = answer(GONE, committed=False, machines=[machine("par1/lb1", obeys=False)])
    with reconciler(of_site.directory, **{EARLY: given}):
        assert of_site("-d", V4, "--dry-run") == 0
    assert of_site.err == [
        f"bgp_mgt: would be: Deleting route to {V4}",
        "bgp_mgt: would be: ordered for par1: par1/lb1",
    ]


def test_softly(of_site: Run) -> None:
    """The others have confirmed that it drains, which is not that it has left."""
    drains = state(intent="draining")
    with reconciler(of_site.directory, intents=answer(drains)):
        assert of_site("-d", V4, "--soft", "--no-wait") == 0
    assert (
        "bgp_mgt: par1/lb2: confirmed: drains softly; vip_mgmt status --site shows how far it is"
    ) in of_site.err


def test_not_here(of_site: Run) -> None:
    """What is not withdrawn here is not done, whatever others confirm."""
    stays = state(as_wanted=False, reason="drained by ann", wanted=False, intent="drained")
    with reconciler(of_site.directory, **{EARLY: answer(stays)}):
        assert of_site("-d", V4) == 1
    assert f"{V4}: not confirmed as withdrawn" in of_site.err[1]


OLDER = {"error": "request.extent: 'dc:par1': Unexpected keyword argument"}


def test_an_older_watchdog(of_site: Run) -> None:
    """One that knows of no other machines changes nothing, and it is said what to do."""
    with reconciler(of_site.directory, **{EARLY: (400, OLDER), "intents": (400, OLDER)}):
        assert of_site("-d", V4) == 1
    assert of_site.err == [
        (
            "bgp_mgt: the vip_watchdog that runs is older than this vip_mgmt, and knows of no other machines; nothing was changed: "
            "restart it; --here is for this machine alone"
        )
    ]


def test_planned(of_site: Run) -> None:
    """What is planned is for this machine alone, and that is said."""
    assert of_site("-d", V4, "--at", "+30m", "--dry-run") == 0
    assert of_site.err[0] == (
        "bgp_mgt: --at TIME: planned for this machine alone: plan it on each machine of the data centre"
    )
    assert of_site("-d", V4, "--at", "+30m", "--dry-run", "--here") == 0
    assert "planned for this machine alone" not in "\n".join(of_site.err)


def known(run: Run) -> dict[str, list[tuple[Extent, Mode]]]:
    store = Store(run.directory / "state.sqlite3")
    try:
        found = store.site_known()
        return {str(p): [(each.extent, each.intent.mode) for each in of] for p, of in found.items()}
    finally:
        store.close()


@pytest.mark.parametrize(
    ("asked", "extent", "is_here"),
    [
        ("dc:par1", Extent("par1"), True),
        ("site", EVERYWHERE, True),
        ("dc:lyo1", Extent("lyo1"), False),
        ("here", Extent("par1", "lb1"), True),
    ],
)
def test_by_the_state_file(of_site: Run, asked: str, extent: Extent, is_here: bool) -> None:  # noqa: FBT001 - a column of the table
    """Where no watchdog runs it is recorded, for whom it is, and queued for the others: none has confirmed it."""
    file = StateFile(config.load(of_site.directory / "vip.toml", {}), "nobody answers")
    order = SiteOrder(mode=Mode.DRAINED, prefixes=(parse_prefix(V4),), extent=asked)
    ordered = file.order(order)
    assert known(of_site) == {V4: [(extent, Mode.DRAINED)]}
    assert of_site.intents() == ({V4: Mode.DRAINED} if is_here else {})
    assert [outcome.prefix for outcome in ordered.outcomes] == [V4] * is_here
    assert (ordered.site is None) is (asked == "here")
    if ordered.site is not None:
        assert (ordered.site.committed, ordered.site.is_here, ordered.site.machines) == (
            False,
            is_here,
            (),
        )
        assert ordered.site.trouble == "nobody answers: only a vip_watchdog speaks to etcd"


def test_without_a_watchdog(of_site: Run) -> None:
    """What is recorded here, and not known to be obeyed anywhere, is exit status 1."""
    assert of_site("-d", V4) == 1
    said = "\n".join(of_site.err)
    assert f"{V4}: drained is recorded; takes effect" in said
    assert "queued for the others of par1" in said
    assert of_site("-d", V4, "--at", "lyo1", "--dry-run") == 0
    assert of_site.err[-1] == "bgp_mgt: would be: ordered for lyo1: no live machine is known"
    assert known(of_site) == {V4: [(Extent("par1"), Mode.DRAINED)]}


def test_a_site_that_is_not_loaded(of_site: Run) -> None:
    """A watchdog that has not loaded [site] is told of as such."""
    path = of_site.directory / "vip.toml"
    path.write_text(path.read_text().replace(SITE, ""))
    with reconciler(of_site.directory, intents=[GONE], **{EARLY: [GONE]}) as asked:
        assert of_site("-d", V4) == 0
    assert of_site.err == [WITHDRAWN]
    assert all("extent" not in body for _, _, body in asked)
