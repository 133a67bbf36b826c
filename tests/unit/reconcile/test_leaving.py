"""Proves what is told of soft drains above the table: stage, connections, and until when."""

from __future__ import annotations

from dataclasses import replace

from speaker.api import PrefixStatus, Status
from speaker.cli.status_rows import Attention, head
from speaker.cli.tables import status_table
from speaker.drain_status import DrainStatus
from speaker.reconcile.leaving import NAMED, leaving
from tests.unit.reconcile.test_dead import shown


def soft(vip: str, prefix: str = "192.0.2.1/32", **drain: object) -> PrefixStatus:
    """A prefix in a stage."""
    values = {"stage": "draining", "began": 1700000000.0, "ends": 1700000900.0, **drain}
    more = {"intent": values["stage"], "announced": True, "wanted": True, "health": "up"}
    return shown(vip, prefix, **more, drain=DrainStatus.from_json(values).to_json())


def test_by_vip() -> None:
    """A VIP is told of once, with the connections of all of its prefixes; what is not known is not none."""
    two = [soft("a.tld", connections=41), soft("a.tld", "192.0.2.2/32", connections=1)]
    (text,) = leaving(two)
    assert text == (
        "DRAINING: a.tld (2 prefixes): 42 active connections; waits until no connection is left, withdrawn at "
        "2023-11-14T22:28:20Z at the latest"
    )
    (text,) = leaving([two[0], soft("a.tld", "192.0.2.2/32", connections=None)])
    assert "(2 prefixes): connections not known; waits" in text
    (text,) = leaving([soft("a.tld", connections=0, began=None, ends=None)])
    assert (
        text
        == "DRAINING: a.tld (1 prefix): begins once the routing daemon is seen to announce it so"
    )
    (text,) = leaving([soft("a.tld", connections=3, stays=True, few=2)])
    assert text.endswith(
        "waits until 2 connections or fewer are left; time limit 2023-11-14T22:28:20Z, then it stays announced softly"
    )


def test_for_less_than_it_may_wait() -> None:
    """What comes back before its time limit is not said to be withdrawn at that."""
    for stays in (False, True):
        (text,) = leaving([soft("a.tld", connections=3, returns=True, stays=stays)])
        assert text.endswith(
            "waits until no connection is left; comes back softly at 2023-11-14T22:28:20Z, when its time is over"
        )


def test_what_is_not_announced() -> None:
    """What is withdrawn already, as for its health, is not said to be so at the end of its drain."""
    gone = replace(soft("a.tld", connections=0), announced=False, wanted=False, health="down")
    assert leaving([gone]) == [
        "DRAINING: a.tld (1 prefix): not announced, whatever its stage: vip_mgmt explain a.tld"
    ]
    kept_back = replace(gone, kept_back=True)
    assert "waits until no connection is left" in leaving([kept_back])[0]


def test_who_insists() -> None:
    """It is said where all of a VIP's prefixes drain on whatever becomes of who takes over, and not for one of them."""
    two = [soft("a.tld", connections=1, force=True), soft("a.tld", "192.0.2.2/32", connections=1)]
    (text,) = leaving(two[:1])
    assert text.endswith(" at the latest, even if who takes over dies (--force)")
    (text,) = leaving(two)
    assert text.endswith(" at the latest")


def test_other_stages() -> None:
    """What returns is told of; what is withdrawn, or never drained, is not."""
    (text,) = leaving([soft("a.tld", stage="returning")])
    assert text == (
        "RETURNING: a.tld (1 prefix): announced softly until 2023-11-14T22:28:20Z, then as its rank"
    )
    assert leaving([soft("a.tld", stage="drained", left=0), shown("b.tld", "192.0.2.2/32")]) == []


def test_many() -> None:
    """The first are named, and the others counted."""
    found = leaving([soft(f"{n}.tld", connections=2) for n in range(NAMED + 3)])
    assert len(found) == NAMED + 1
    assert found[-1] == "3 VIPs more: 6 active connections"


def test_where_it_stands() -> None:
    """Both forms of status have it above the table, and on a terminal it is no fault."""
    status = Status(
        dc="par1", backend="exabgp", peers=(), trouble=(), routes=(soft("a.tld", connections=41),)
    )
    (text,) = leaving(status.routes)
    assert text in status_table(status).splitlines()
    assert (Attention.INTENT, text) in head(status)
