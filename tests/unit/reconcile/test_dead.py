"""Proves which VIPs are told to be dead."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from policy.intent import Intent, Mode
from speaker.api import PrefixStatus
from speaker.reconcile.dead import NAMED, dead
from speaker.reconcile.intents import apply_intent
from tests.support.fakes.site import SECOND, V4, V6, running
from tests.support.fakes.virtual_time import VirtualClock, run

if TYPE_CHECKING:
    from pathlib import Path


def shown(vip: str, prefix: str, **more: object) -> PrefixStatus:
    values: dict[str, object] = {
        "announced": False, "as_path": (), "rank": 0, "prepends": 1, "realservers": 0, "health": "down",
        "intent": "auto", "reason": "down: 0 realservers", "wanted": False, "as_wanted": True,
    }  # fmt: skip
    return PrefixStatus.from_json({"vip": vip, "prefix": prefix, **values, **more})


def test_by_vip() -> None:
    """A VIP is told of once, with its first prefix, why, and what to do."""
    routes = [shown("a.tld", "192.0.2.1/32"), shown("a.tld", "2001:db8::1/128")]
    assert dead(routes) == [
        (
            "a.tld 192.0.2.1/32 and 1 more: down: 0 realservers; withdrawn here: see its realservers, and what "
            'checks them (keepalived\'s log; with source = "tcp" vip_watchdog connects by itself); vip_mgmt explain a.tld'
        )
    ]


EITHER = 'see its realservers, and what checks them (keepalived\'s log; with source = "tcp" vip_watchdog connects by itself)'
CONNECTED = "see its realservers: vip_watchdog connects to each by itself, without keepalived"
REALSERVERS = "see its realservers, and what checks them (keepalived's log)"


@pytest.mark.parametrize(
    ("sources", "reason", "advice"),
    [
        (
            {"ipvs": "up", "check/shop": "down"},
            "down: check/shop is down (HTTP 404)",
            "see the application that check/shop asks",
        ),
        ({"ipvs": "down", "check/shop": "up"}, "down: ipvs is down (0 realservers)", REALSERVERS),
        (
            {"report/shop": "down"},
            "down: report/shop is down (disk full)",
            "vip_mgmt report shows who reported shop",
        ),
        (
            {"tcp": "down", "check/a": "down"},
            "down: tcp is down (0 realservers) and check/a is down (no answer)",
            f"{CONNECTED}; see the application that check/a asks",
        ),
        ({"vip/b.tld": "down"}, "down: vip/b.tld is down", "see vip/b.tld"),
        (
            {"check/a": "down", "check/ab": "up"},
            "down: check/ab is up, which must not be",
            "see the application that check/ab asks",
        ),
        ({"check/a": "down"}, "down: 0 realservers", EITHER),
    ],
)
def test_advice(sources: dict[str, str], reason: str, advice: str) -> None:
    """What to see is that of the sources which the reason names: realservers may be well."""
    (found,) = dead([shown("a.tld", "192.0.2.1/32", reason=reason, sources=sources)])
    assert (
        found == f"a.tld 192.0.2.1/32: {reason}; withdrawn here: {advice}; vip_mgmt explain a.tld"
    )


@pytest.mark.parametrize(
    "more",
    [{"health": "up"}, {"health": "unknown"}, {"wanted": True}, {"wanted": None}, {"intent": "drained"}],
)  # fmt: skip
def test_others(more: dict[str, object]) -> None:
    """What is held, not known, well, or as an operator wants it is not told of."""
    assert dead([shown("a.tld", "192.0.2.1/32", **more)]) == []


@pytest.mark.parametrize("intent", ["draining", "returning"])
def test_softly(intent: str) -> None:
    """Health decides of what drains softly, or returns, too."""
    (found,) = dead([shown("a.tld", "192.0.2.1/32", intent=intent)])
    assert found.startswith("a.tld 192.0.2.1/32: down: 0 realservers; withdrawn here")


def test_many() -> None:
    """Of many, some are named, and the others counted."""
    found = dead([shown(f"v{number}.tld", f"192.0.2.{number}/32") for number in range(9)])
    assert (len(found), found[-1]) == (NAMED + 1, "4 more VIPs are down")


def test_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What dies is said once in the log, with what to do, each time that it does; what an operator drains has not died."""

    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(tmp_path, clock=clock) as site:
            for live in (0, 2, 0):
                site.source.live |= dict.fromkeys((V4, V6), live)
                await asyncio.sleep(60)
            drained = Intent(Mode.DRAINED, "alice", clock.wall())
            await apply_intent(site.reconciler, [SECOND], drained, dry_run=False)
            await asyncio.sleep(60)

    run(main())
    said = [each.message for each in caplog.records if each.message.startswith("DOWN: ")]
    assert said == [f"DOWN: vip-1.tld {V4} and 1 more: down: 0 realservers: tcp/80 down with 0; withdrawn here: {EITHER}; vip_mgmt explain vip-1.tld"] * 2  # fmt: skip
