"""At a start, what checks were not asked yet is no alarm: they will be, in a moment."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from policy.assess import Assessment, Memory
from policy.health import AddressHealth, Health, Observation
from speaker.reconcile.alarms import Alarms


@pytest.mark.parametrize(
    ("settling", "troubles"),
    [(True, []), (False, ["health: 1 prefix unknown, held as it is: why (192.0.2.1/32)"])],
)
def test_unknown(troubles: list[str], *, settling: bool) -> None:
    """A VIP that is unknown is an alarm, but while its checks only have to be asked."""
    health = AddressHealth(Health.UNKNOWN, None, "why", settling=settling)
    assessment = Assessment({}, {}, {ip_network("192.0.2.1/32"): health}, Memory(), None)
    alarms = Alarms()
    alarms.assessed(assessment, Observation({}))
    assert list(alarms.texts) == troubles
