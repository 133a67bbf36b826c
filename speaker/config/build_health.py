"""How a VIP's health is judged, and where it is looked at: `[health]` under what the VIP says itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.damping import DampingRule
from policy.errors import PolicyError
from policy.health import CheckerRule, HealthRule, Service, Thresholds, so_many
from speaker.config.settings import HealthSettings

if TYPE_CHECKING:
    from policy.rule import Rule
    from speaker.config.fault import Faults, KeyPath
    from speaker.config.schema import HealthTable, ServiceTable, VipTable
    from speaker.config.settings_checks import CheckSettings
    from speaker.units import Endpoint

_BOUNDS = {"drop_at", "restore_at"}


class HealthBuilder:
    """Makes the rules of VIPs. Thousands of VIPs with the same rule share one object.

    Args:
        base: `[health]`.
        faults: where to note what makes no sense.
    """

    def __init__(self, base: HealthTable, faults: Faults) -> None:
        self._base = base
        self._faults = faults
        self._rules: dict[HealthRule, HealthRule] = {}
        self._usual: HealthRule | None = None
        """The rule of a VIP that says nothing of its own."""

    def check_base(self) -> None:
        """Judge `[health]` by itself: no VIP may have what it says."""
        health = self._base
        if health.model_fields_set >= _BOUNDS:
            self._thresholds(
                ("health",), health.drop_at, health.restore_at, health.fall, health.rise
            )
        self._damping(("health", "damping"), health)

    def rule(self, path: KeyPath, vip: VipTable, rule: Rule | None = None) -> HealthRule | None:
        """Return how a VIP at a path is judged, None where that makes no sense.

        Args:
            path: where it stands.
            vip: its table.
            rule: what its rule means, where it has one.
        """
        is_usual = not vip.services and not vip.health.model_fields_set and rule is None
        if is_usual and self._usual is not None:
            return self._usual
        health = self._looked_at(vip, rule)
        # What is inherited is at fault where it stands, once, and not in each VIP.
        inherited = not _BOUNDS & vip.health.model_fields_set
        thresholds = self._thresholds(
            ("health",) if inherited else (*path, "health"),
            health.drop_at,
            health.restore_at,
            health.fall,
            health.rise,
        )
        required = self._required(path, vip, health, thresholds)
        # Services of the other sources are kept by nothing: they exist, or not, as vip.toml says.
        checker = (
            CheckerRule(health.require_keepalived, health.restart_grace, health.warm_up)
            if health.source == "ipvs"
            else CheckerRule()
        )
        own_damping = "damping" in vip.health.model_fields_set
        of_damping = (*path, "health", "damping") if own_damping else ("health", "damping")
        damping = self._damping(of_damping, health)
        if thresholds is None:
            return None
        found = HealthRule(
            thresholds, health.services, required, checker, health.require_address, damping, rule
        )
        found = self._rules.setdefault(found, found)
        if is_usual:
            self._usual = found
        return found

    def _looked_at(self, vip: VipTable, rule: Rule | None) -> HealthTable:
        """Return `[health]` as it is for a VIP. Services that its rule does not ask for are not looked at."""
        health = _over(self._base, vip.health)
        if rule is None or _asks_services(rule):
            return health
        return health.model_copy(update={"source": "none"})

    def _required(
        self, path: KeyPath, vip: VipTable, health: HealthTable, inherited: Thresholds | None
    ) -> dict[Service, Thresholds]:
        required: dict[Service, Thresholds] = {}
        for text, table in vip.services.items():
            where = (*path, "services", text)
            service = self._service(where, text)
            if inherited is None and not table.model_fields_set >= _BOUNDS:
                continue  # at fault is what it inherits
            drop_at, restore_at = self._bounds(where, table, health)
            own = self._thresholds(
                where,
                drop_at,
                restore_at,
                health.fall if table.fall is None else table.fall,
                health.rise if table.rise is None else table.rise,
            )
            if service in required:
                self._faults.add(where, f'is also "{service}"; keep one')
            elif service is not None and own is not None:
                required[service] = own
        return required

    def _bounds(self, where: KeyPath, table: ServiceTable, health: HealthTable) -> tuple[int, int]:
        """Return at how many live realservers a service goes down, and comes back."""
        if table.share_up is None:
            return (
                health.drop_at if table.drop_at is None else table.drop_at,
                health.restore_at if table.restore_at is None else table.restore_at,
            )
        for key in sorted(_BOUNDS & table.model_fields_set):
            self._faults.add((*where, key), "is what share_up says; keep one")
        sorry = {*health.ignore_realservers}
        counted = {each for each in table.realservers if not {each, (each[0], None)} & sorry}
        if not counted:
            found = "is of realservers, and there are none that count; name them as realservers"
            self._faults.add((*where, "share_up"), found)
        needed = so_many(table.share_up, len(counted))
        return needed - 1, needed

    def _damping(self, path: KeyPath, health: HealthTable) -> DampingRule | None:
        table = health.damping
        if table is None:
            return None
        try:
            return DampingRule(table.half_life, table.suppress, table.reuse, table.max_suppress)
        except PolicyError as error:
            self._faults.add(path, error.message)
            return None

    def _thresholds(
        self, path: KeyPath, drop_at: int, restore_at: int, fall: float, rise: float
    ) -> Thresholds | None:
        try:
            return Thresholds(drop_at, restore_at, fall, rise)
        except PolicyError as error:
            self._faults.add(path, error.message)
            return None

    def _service(self, path: KeyPath, text: str) -> Service | None:
        try:
            return Service.parse(text)
        except PolicyError as error:
            self._faults.add(path, str(error))
            return None

    def settings(
        self,
        path: KeyPath,
        vip: VipTable,
        rule: Rule | None = None,
        checks: tuple[CheckSettings, ...] = (),
    ) -> HealthSettings:
        """Return where the health of a VIP at a path is looked at.

        Args:
            path: where it stands.
            vip: its table.
            rule: what its rule means, where it has one.
            checks: those that the rule names.
        """
        if vip.rule is not None and rule is None:
            return HealthSettings("none", frozenset(), {})  # the rule is at fault, and is named
        health = self._looked_at(vip, rule)
        are_asked = any(check.by_realserver for check in checks)
        realservers: dict[Service, tuple[Endpoint, ...]] = {}
        for text, table in vip.services.items():
            where = (*path, "services", text, "realservers")
            if health.source == "tcp" and not table.realservers:
                self._faults.add(where, 'missing; source = "tcp" connects to these')
            is_asked = health.source == "tcp" or are_asked
            is_counted = table.share_up is not None and health.source != "none"
            if table.realservers and not is_asked and not is_counted:
                self._faults.add(where, f"{_why_unused(health.source, rule)}; leave them out")
            try:
                realservers[Service.parse(text)] = tuple(table.realservers) if is_asked else ()
            except PolicyError:
                continue  # the rule has reported it
        if health.source == "tcp" and not vip.services:
            missing = 'missing; source = "tcp" needs services with realservers'
            self._faults.add((*path, "services"), missing)
        ignored = frozenset(health.ignore_realservers)
        return HealthSettings(health.source, ignored, realservers, checks)


def _asks_services(rule: Rule) -> bool:
    from policy.rule import asks_services  # imported where there are rules

    return asks_services(rule)


def _why_unused(source: str, rule: Rule | None) -> str:
    """Return why nothing connects to the realservers that vip.toml has."""
    if rule is not None and not _asks_services(rule):
        return 'the rule names neither "ipvs" nor "tcp", so nothing looks at these'
    return f'source = "{source}" {"looks at none" if source == "none" else "finds them itself"}'


def _over(base: HealthTable, own: HealthTable) -> HealthTable:
    """Return `[health]` with what a VIP sets for itself."""
    if not own.model_fields_set:
        return base
    return base.model_copy(update={key: getattr(own, key) for key in own.model_fields_set})
