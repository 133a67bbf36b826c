"""What witnesses tell, in a watchdog: who else announces a VIP, the last one standing, and what is not as sent."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from policy.decide import Cause
from policy.intent import Intent, Mode
from policy.last import Standing
from policy.route import Asn, AsPath, Attributes, Community
from policy.standing import LeaveVerdict
from policy.topology import DataCentre
from policy.witness import Heard, HeardPath, Hearing, Witness
from speaker.api import IntentRequest, Status
from speaker.cli.tables import status_json, status_table
from speaker.reconcile import status
from speaker.reconcile.intents import apply_intent
from speaker.reconcile.last_one import LastOneError, held_from_draining, refuse_last
from speaker.reconcile.seen import MOST, seen
from speaker.reconcile.witnesses import counted
from speaker.telemetry.look import Look
from speaker.telemetry.metrics import SEEN, WITNESS, of_look, of_some
from speaker.telemetry.page import page
from tests.support.fakes import virtual_time
from tests.support.fakes.site import PEER, V4, V6, running
from tests.support.fakes.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from policy.decide import Decision
    from policy.route import Prefix
    from tests.support.fakes.exabgp import Daemon
    from tests.support.fakes.site import Site

LYO1, PAR1 = 2, 1
ASN, MARK = Asn(64699), Community(64699, LYO1)


def whole(name: str, *paths: HeardPath) -> Witness:
    """A witness that told all, of the first VIP's IPv4 prefix."""
    return Witness(name, Asn(64496), ASN, Hearing.WHOLE, {V4: paths})


def by(dc: int, *asns: int) -> dict[str, object]:
    """The attributes of a data centre's path at the router."""
    path = {"0": {"element": "as-sequence", "value": [64496, *asns]}}
    return {"origin": "igp", "as-path": path, "community": [[64699, dc]]}


def hears(daemon: Daemon) -> None:
    """Have the router bring its routes, and be asked for them again."""
    session = daemon.sessions[PEER]
    session.neighbor = replace(session.neighbor, hears=frozenset({"speaker"}))
    session.refreshable = True


def play(
    directory: Path,
    scene: Callable[[Site], Awaitable[None]],
    more: str = "",
    *,
    other: Callable[[Daemon], None] = hears,
) -> None:
    """Play a scene from when the witness told all that it has."""

    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(directory, more=more, clock=clock, other=other, marks=True) as site:
            await asyncio.sleep(60.0)
            await scene(site)

    virtual_time.run(main())


def bring(site: Site, attributes: dict[str, object] | None) -> None:
    """Have the router announce the first VIP's IPv4 prefix so, or withdraw it."""
    site.exabgp.daemon.sessions[PEER].bring(V4, attributes)


def shown(site: Site) -> tuple[str, ...]:
    """What is seen of the prefix, in words."""
    (route,) = status.routes(site.reconciler, [V4])
    return tuple(map(str, route.seen))


def alarms(site: Site, subject: str) -> list[str]:
    """The alarms of a subject."""
    return [text for text in site.reconciler.alarms.texts if text.startswith(f"{subject}: ")]


def test_seen(tmp_path: Path) -> None:
    """`status`, `explain`, `--json`, the metrics and the page have who announces it elsewhere, and which is best."""
    told = f"seen at {PEER}: lyo1 64496 64699 64699, best"

    async def scene(site: Site) -> None:
        bring(site, by(LYO1, 64699, 64699))
        await asyncio.sleep(2.0)
        assert shown(site) == (told,)
        now = status.status(site.reconciler)
        assert Status.from_json(json.loads(json.dumps(now.to_json()))) == now
        assert told in status_table(now)
        whole = json.loads(status_json(now))
        path = {"at": PEER, "dc": "lyo1", "as_path": [64496, 64699, 64699], "best": True}
        assert [route.get("seen") for route in whole["routes"]][:2] == [[path], None]
        witness = {"name": PEER, "asn": 64496, "hearing": "whole", "reason": "", "families": [4, 6]}
        assert whole["witnesses"] == [witness]
        (why,) = status.explanations(site.reconciler, [V4])
        assert told.removeprefix("seen ") in [s.text for s in why.sentences if s.about == "seen"]
        (none,) = status.explanations(site.reconciler, [V6])
        assert [s.text for s in none.sentences if s.about == "seen"] == ["at none of 1 witnesses"]
        look = Look(site.reconciler)
        assert (WITNESS, [((PEER,), True)]) in [*of_look(look)]
        assert (SEEN, ("lyo1",), 1) in [*of_some(now.routes[0])]
        assert told.removeprefix("seen ") in page(look, (), 1).vips["vip-0"]
        bring(site, None)
        await asyncio.sleep(2.0)
        assert shown(site) == ()
        assert not Look(site.reconciler).is_as(look)

    play(tmp_path, scene)


def test_without_witnesses(tmp_path: Path) -> None:
    """Where no session brings routes nothing is seen, and nothing is said of it."""

    async def scene(site: Site) -> None:
        now = status.status(site.reconciler)
        assert (now.witnesses, shown(site)) == ((), ())
        assert "witness" not in status_table(now)
        assert "witnesses" not in json.loads(status_json(now))

    play(tmp_path, scene, other=lambda _: None)


def test_a_watchdog_that_starts_again(tmp_path: Path) -> None:
    """The session was up before: the peer is asked for its routes again, and until they came nothing is taken for absent."""

    def there(daemon: Daemon) -> None:
        hears(daemon)
        daemon.sessions[PEER].brings[V4] = by(LYO1, 64699)

    async def scene(site: Site) -> None:
        assert shown(site) == (f"seen at {PEER}: lyo1 64496 64699, best",)
        assert any("announce route-refresh ipv4 unicast" in line for line in site.exabgp.commands)
        (witness,) = status.status(site.reconciler).witnesses
        assert witness.is_whole

    play(tmp_path, scene, other=there)


def test_many_paths() -> None:
    """However many paths of others witnesses show, ours is told, and else one that may be: both are waited for."""
    dcs = (DataCentre("par1", ASN, mark=Community(64699, 1)), DataCentre("lyo1", ASN, mark=MARK))

    def path(*marks: Community) -> HeardPath:
        return HeardPath(Attributes(AsPath((Asn(64496), ASN)), communities=marks))

    for last, dc in ((path(Community(64699, 1)), "par1"), (path(), "")):
        shown = [path(MARK)] * MOST + [last]
        found = seen(Heard("par1", dcs, (whole("a", *shown), whole("b", *shown))), V4)
        assert len(found["seen"]) == MOST
        assert [each.dc for each in found["seen"][:3]] == [dc, dc, "lyo1"]


# --- the last one standing ------------------------------------------------------------------------


KEEP = '[policy]\nkeep_last = {}\nsettle = "10s"\n'


def test_last_is_kept(tmp_path: Path) -> None:
    """What no other data centre announces is not withdrawn for bad health: it is an alarm, and `explain` says why.

    Once a witness shows another data centre's path, it goes.
    """

    async def scene(site: Site) -> None:
        site.source.live[V4] = 0
        await asyncio.sleep(5.0)
        assert str(V4) in site.table()
        (said,) = alarms(site, "last")
        assert "1 prefix kept announced: no other data centre announces it" in said
        (why,) = status.explanations(site.reconciler, [V4])
        assert (why.decided_by, why.health, why.as_wanted) == ("last", "down", True)
        assert "it would be announced nowhere" in why.sentences[0].text
        bring(site, by(LYO1, 64699))
        await asyncio.sleep(3.0)
        assert str(V4) not in site.table()
        assert alarms(site, "last") == []
        bring(site, None)  # it stays withdrawn: what is gone is not the last one
        await asyncio.sleep(3.0)
        assert str(V4) not in site.table()

    play(tmp_path, scene, KEEP.format("true"))


class Answers:
    """Leave, as a test gives it."""

    def __init__(self) -> None:
        self.told = Standing(usual=LeaveVerdict.ASKING)
        self.kept: set[Prefix] = set()

    def standing(self) -> Standing:
        """See `Leave.standing`."""
        return self.told

    def decided(self, decisions: Mapping[Prefix, Decision]) -> None:
        """See `Leave.decided`."""
        self.kept = {p for p, d in decisions.items() if d.cause in (Cause.ASKING, Cause.LAST)}


def test_leave_is_asked_for(tmp_path: Path) -> None:
    """Where machines share etcd, it is withdrawn once leave is given: no alarm until it is known that it is the last one."""

    async def scene(site: Site) -> None:
        leave = Answers()
        site.reconciler.ask_leave(leave)
        site.source.live[V4] = 0
        await asyncio.sleep(5.0)
        assert str(V4) in site.table()
        assert leave.kept == {V4}
        assert alarms(site, "last") == []
        leave.told = Standing({V4: LeaveVerdict.LAST})
        await asyncio.sleep(3.0)
        assert str(V4) in site.table()
        (said,) = alarms(site, "last")
        assert "1 prefix kept announced: no other machine of the site announces it" in said
        leave.told = Standing({V4: LeaveVerdict.GRANTED})
        await asyncio.sleep(3.0)
        assert str(V4) not in site.table()
        assert (leave.kept, alarms(site, "last")) == (set(), [])

    play(tmp_path, scene, KEEP.format("true"))


@pytest.mark.parametrize(("rule", "kept"), [("true", False), ('"strict"', True), ("false", False)])
def test_nobody_to_ask(tmp_path: Path, rule: str, *, kept: bool) -> None:
    """Without a witness that is live, only `strict` keeps it."""

    async def scene(site: Site) -> None:
        site.source.live[V4] = 0
        await asyncio.sleep(5.0)
        assert (str(V4) in site.table()) is kept

    play(tmp_path, scene, KEEP.format(rule), other=lambda _: None)


@pytest.mark.parametrize("rule", ["true", '"strict"'])
def test_an_operator_is_asked(tmp_path: Path, rule: str) -> None:
    """A drain that would leave it nowhere is refused, and nothing is changed; `--last` does it; elsewhere nobody is asked."""

    async def scene(site: Site) -> None:
        def ask(*, last: bool) -> None:
            request = IntentRequest(mode=Mode.DRAINED, prefixes=(V4,), last=last)
            refuse_last(site.reconciler, request, request.prefixes)

        with pytest.raises(
            LastOneError, match="would be announced nowhere, so nothing was changed"
        ):
            ask(last=False)
        ask(last=True)
        bring(site, by(LYO1, 64699))
        await asyncio.sleep(2.0)
        ask(last=False)
        await apply_intent(site.reconciler, [V4], Intent(Mode.DRAINED, "alice", 0.0), dry_run=False)
        bring(site, None)
        await asyncio.sleep(2.0)
        assert str(V4) not in site.table()
        ask(last=False)  # it is not announced here: nothing would be lost

    play(tmp_path, scene, KEEP.format(rule))


def test_a_report_is_held(tmp_path: Path) -> None:
    """What would be announced nowhere is not drained for a report, for as long as that is so; what is not here is none of that."""

    async def scene(site: Site) -> None:
        async def held() -> list[Prefix]:
            return [*await held_from_draining(site.reconciler, [V4])]

        assert await held() == [V4]
        bring(site, by(LYO1, 64699))
        await asyncio.sleep(2.0)
        assert await held() == []
        await apply_intent(site.reconciler, [V4], Intent(Mode.DRAINED, "alice", 0.0), dry_run=False)
        bring(site, None)
        await asyncio.sleep(2.0)
        assert await held() == []

    play(tmp_path, scene, KEEP.format("true"))


# --- what is not as sent --------------------------------------------------------------------------


def test_not_as_sent(tmp_path: Path) -> None:
    """A witness that has something else than was sent for longer than `settle` is an alarm."""

    async def scene(site: Site) -> None:
        session = site.exabgp.daemon.sessions[PEER]
        session.bring(V6, by(PAR1, 64699, 64699))
        await asyncio.sleep(5.0)
        assert alarms(site, "witness") == []  # not yet
        await asyncio.sleep(10.0)
        assert f"192.0.2.1/32: sent to {PEER}, not seen at it" in alarms(site, "witness")[0]
        bring(site, by(PAR1, 64699))
        await asyncio.sleep(15.0)
        assert f"sent to {PEER}, seen at it as 64496 64699" in alarms(site, "witness")[0]
        for prefix in site.reconciler.assignments:
            (route,) = status.routes(site.reconciler, [prefix])
            session.bring(prefix, by(PAR1, *route.as_path))
        await asyncio.sleep(2.0)
        assert alarms(site, "witness") == []
        await apply_intent(site.reconciler, [V4], Intent(Mode.DRAINED, "alice", 0.0), dry_run=False)
        await asyncio.sleep(15.0)
        assert f"192.0.2.1/32: withdrawn, and still seen at {PEER}" in alarms(site, "witness")[0]

    play(tmp_path, scene, KEEP.format("false"))


def test_a_router_that_passes_nothing_back(tmp_path: Path) -> None:
    """One that shows no path of ours, or a better one of another data centre, has nothing else than was sent."""

    async def scene(site: Site) -> None:
        bring(site, by(LYO1, 64699))
        await asyncio.sleep(30.0)
        assert alarms(site, "witness") == []

    play(tmp_path, scene, KEEP.format("false"))


def test_named() -> None:
    """Those that are named count, and no others: one that is no neighbour is down, and not absent."""
    first, second = (
        Witness(name, Asn(64496), Asn(64699), Hearing.WHOLE, brings=brings)
        for name, brings in ((PEER, False), ("203.0.113.12 from 203.0.113.2", True))
    )
    assert counted((first, second), ()) == (second,)
    named = [ip_address(each) for each in (PEER, "203.0.113.99")]
    found, missing = counted((first, second), named)
    assert found is first
    assert (missing.name, missing.hearing) == ("203.0.113.99", Hearing.DOWN)
