"""What witnesses tell, as the reconciler uses it: which of them count, and where they have something else for too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.disagreement import disagreements
from policy.route import Asn, Route
from policy.witness import NOTHING_HEARD, Heard, Hearing, Witness
from speaker.supervision.steps import in_steps, paced

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from policy.route import Attributes, IpAddress, Prefix
    from speaker.backends.base import Informed
    from speaker.clock import Clock
    from speaker.reconcile.alarms import Alarms
    from speaker.reconcile.daemon_state import DaemonState
    from speaker.reconcile.scope import Scope

NO_AS = Asn(0)
NAMED = 3
"""How many disagreements an alarm names."""
EVERY = 1.0
"""How often to look, in seconds."""
AT_ONCE = 100
"""How many prefixes are compared in a step: some thousandths of a second."""
NO_SESSION = "the routing daemon has no such neighbor"


class Witnesses:
    """The witnesses of one reconciler.

    Args:
        backend: the daemon's driver.
        alarms: where to note that a witness has something else than what was sent.
        clock: the time.
    """

    def __init__(self, backend: Informed, alarms: Alarms, clock: Clock) -> None:
        self._backend, self._alarms, self._clock = backend, alarms, clock
        self._heard: tuple[object, Heard] = None, NOTHING_HEARD
        self._looked: tuple[Heard, int] = NOTHING_HEARD, -1
        self._since: dict[tuple[str, Prefix, str], float] = {}

    def take(self, scope: Scope) -> None:
        """Take a configuration."""
        self._scope = scope
        self._heard = None, NOTHING_HEARD
        self._since.clear()

    def heard(self) -> Heard:
        """Return what those that count tell: the same object while nothing changes."""
        told = self._backend.heard()
        if self._heard[0] is not told:
            settings, topology = self._scope.config.settings, self._scope.config.topology
            found = counted(told, settings.witness.named)
            self._heard = told, Heard(settings.dc.name, topology.dcs, found)
        return self._heard[1]

    async def look(self, view: DaemonState) -> None:
        """Note where witnesses have something else than what was sent, if it stays so for `settle`.

        In steps, and beside the cycles: a withdrawal does not wait for it.
        """
        heard, now = self.heard(), self._clock.steady()
        if not heard.witnesses:
            self._alarms.note("witness", "")
            return
        if self._looked[0] is not heard or self._looked[1] != view.version:
            self._looked, scope = (heard, view.version), self._scope
            names = view.sent
            found = disagreements(
                heard,
                scope.config.topology,
                await self._sent(view),
                lambda prefix, name: names.get(prefix, {}).get(name) is True,
            )
            seen = [each for each in await in_steps(found, AT_ONCE) if each is not None]
            if scope is not self._scope:
                return  # it is looked at again under the configuration that was taken meanwhile
            self._since = {each: self._since.get(each, now) for each in seen}
        settle = self._scope.config.settings.witness.settle
        old = [each for each, since in self._since.items() if now - since >= settle]
        texts = [f"{prefix}: {what}" for _, prefix, what in old[:NAMED]]
        more = [f"and {len(old) - NAMED} more"] if len(old) > NAMED else []
        self._alarms.note("witness", "; ".join([*texts, *more]), wording_moves=True)

    async def _sent(self, view: DaemonState) -> Mapping[Prefix, Collection[Attributes]]:
        """Return in which forms each prefix was sent, where that is known."""
        found: dict[Prefix, Collection[Attributes]] = {}
        async for prefix in paced(self._scope.assignments):
            seen, was_sent = view.confirmed.get(prefix), view.sent.get(prefix, {})
            if not view.proven(prefix) or None in was_sent.values():
                continue
            if seen is None:
                found[prefix] = ()
            elif isinstance(seen, Route) and any(was_sent.values()):
                others = [what for _, what in seen.overrides if what is not None]
                found[prefix] = (seen.attributes, *others)
        return found


def counted(told: Sequence[Witness], named: Sequence[IpAddress]) -> tuple[Witness, ...]:
    """Return the witnesses that count: those named, else all that bring routes.

    One that is named and is no neighbour is down: what was to ask it has no one to ask.
    """
    if not named:
        return tuple(each for each in told if each.brings)
    addresses = {str(address) for address in named}
    found = [each for each in told if each.name.split(" ")[0] in addresses]
    missing = addresses - {each.name.split(" ")[0] for each in found}
    return (*found, *(_absent(name) for name in sorted(missing)))


def _absent(name: str) -> Witness:
    return Witness(name, NO_AS, NO_AS, Hearing.DOWN, {}, NO_SESSION)
