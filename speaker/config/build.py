"""A document of vip.toml -> the values that it means, or what in it makes no sense."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from policy.guard import GuardRule
from policy.topology import Topology
from speaker.config import build_observe
from speaker.config.build_aggregates import NO_HEALTH, AggregateBuilder
from speaker.config.build_dcs import data_centres, witnesses
from speaker.config.build_drain import DrainBuilder
from speaker.config.build_health import HealthBuilder
from speaker.config.build_peers import PeersBuilder
from speaker.config.build_ranks import Ranks
from speaker.config.build_vip import VipBuilder
from speaker.config.fault import Faults
from speaker.config.settings import (
    Config,
    EventsSettings,
    ExabgpSettings,
    HealthSettings,
    LintSettings,
    MetricsSettings,
    NextHop,
    QuaggaSettings,
    ReadSocket,
    Settings,
)
from speaker.config.settings_api import ApiSettings
from speaker.config.toml_text import toml_path
from speaker.files.vip_toml import DEFAULT_READ

if TYPE_CHECKING:
    from policy.rule import Rule
    from speaker.config.fault import Fault, KeyPath
    from speaker.config.schema import Document
    from speaker.config.settings_checks import CheckSettings
    from speaker.config.settings_site import SiteSettings
    from speaker.config.validate import Form


class FaultsError(Exception):
    """The document makes no sense."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        super().__init__("\n".join(map(str, faults)))


def build(form: Form, *, allow_ties: bool = False) -> Config:
    """Return the configuration.

    Raises:
        FaultsError: its form has faults, or it makes no sense: all faults at once.
    """
    document, faults = form.document, Faults(form.faults)
    dcs = data_centres(form, faults)
    _check_node(form, faults)
    ranks = Ranks(form, faults, allow_ties=allow_ties)
    of_site = ranks.of_site()
    health = HealthBuilder(document.health, faults)
    drains = DrainBuilder(document.drain, len(dcs), faults)
    ruled = _Ruled(form, faults)
    builder = VipBuilder(form, faults, dcs, ranks, health, drains)
    vips = [
        builder.vip(name, vip, of_site, ruled.rules.get(name)) for name, vip in document.vip.items()
    ]
    aggregates = AggregateBuilder(form, faults, builder, ranks, drains).aggregates(of_site)
    looked_at = {
        name.lower(): health.settings(
            ("vip", name), vip, ruled.rules.get(name), ruled.checks_of(name)
        )
        for name, vip in document.vip.items()
    }
    ranks.check_site(of_site)
    peers = PeersBuilder(form, faults).peers((*filter(None, vips), *aggregates))
    health.check_base()
    read = _read_socket(document, faults)
    outlets = build_observe.metrics(document, faults), build_observe.events(document, faults)
    api = _api(document, faults)
    site = _site(document, faults)
    _check_unique(form, faults)
    if faults:
        raise FaultsError((*faults,))
    looked_at |= {each.name: NO_HEALTH for each in aggregates}
    topology = Topology(dcs, tuple(vip for vip in vips if vip is not None), aggregates, peers)
    settings = _settings(document, topology, looked_at, read, outlets)
    settings = replace(settings, checks=ruled.checks, unused_rules=ruled.unused, api=api, site=site)
    return Config(topology, settings)


class _Ruled:
    """`[check]`, and the rules of VIPs by their names: few sites have them, and what reads them is slow to import."""

    def __init__(self, form: Form, faults: Faults) -> None:
        self.checks: dict[str, CheckSettings] = {}
        self.rules: dict[str, Rule] = {}
        self.unused: tuple[str, ...] = ()
        document = form.document
        if document.check:
            from speaker.config.build_checks import CheckBuilder

            self.checks = CheckBuilder(form, faults).checks()
        if document.rule or any(vip.rule is not None for vip in document.vip.values()):
            from speaker.config.build_rules import rules_of_vips, unused

            self.rules = rules_of_vips(form, faults, self.checks)
            self.unused = unused(document)

    def checks_of(self, name: str) -> tuple[CheckSettings, ...]:
        """Return the checks that the rule of a VIP names."""
        if name not in self.rules:
            return ()
        from speaker.config.build_rules import checks_of

        return checks_of(self.rules[name], self.checks)


def _api(document: Document, faults: Faults) -> ApiSettings:
    if document.model_fields_set.isdisjoint(("api", "report")):
        return ApiSettings()
    from speaker.config.build_api import api

    return api(document, faults)


def _site(document: Document, faults: Faults) -> SiteSettings | None:
    if document.site is None:
        return None
    from speaker.config.build_site import site

    return site(document, faults)


def _check_node(form: Form, faults: Faults) -> None:
    dc, names = form.document.node.dc, [*form.document.dc]
    if dc not in names and not (form.lacks("node", "dc") or form.lacks("dc")):
        faults.add(
            ("node", "dc"),
            f"{dc!r} is unknown; name one of {', '.join(names)}{faults.near([dc], names)}",
        )


def _read_socket(document: Document, faults: Faults) -> ReadSocket:
    node = document.node
    path = node.control.with_name(DEFAULT_READ) if node.read is None else node.read
    if path == node.control:
        faults.add(("node", "read"), f"{path} is also node.control; give each a path of its own")
    return ReadSocket(path, node.read_group, node.read_mode)


def _check_unique(form: Form, faults: Faults) -> None:
    """Refuse an address that is in two places, and two names that differ only in case."""
    places: dict[object, KeyPath] = {}
    for name, vip in form.document.vip.items():
        entries: list[tuple[object, KeyPath]] = [(name.lower(), ("vip", name))]
        for index, address in enumerate(vip.addresses):
            path = ("vip", name, "addresses", index)
            if not form.lacks(*path):
                entries.append((address.ip, path))
        for value, where in entries:
            if value in places:
                faults.add(where, f"{value} is also {toml_path(places[value])}; keep one")
            places[value] = where


def _settings(
    document: Document,
    topology: Topology,
    health: dict[str, HealthSettings],
    read: ReadSocket,
    outlets: tuple[MetricsSettings, EventsSettings],
) -> Settings:
    node, backend = document.node, document.backend
    next_hop = node.next_hop or document.dc[node.dc].next_hop or backend.exabgp.next_hop
    return Settings(
        dc=topology.dc(node.dc),
        backend=node.backend,
        state=node.state,
        control=node.control,
        read=read,
        resolver=node.resolver,
        history=node.history,
        log=node.log,
        guard=GuardRule(document.policy.max_withdraw, document.policy.confirm),
        lint=LintSettings(document.policy.max_path, document.policy.load_tolerance),
        interval=_interval(document),
        keepalived_fifo=document.health.keepalived_fifo,
        keepalived_fifo_named="keepalived_fifo" in document.health.model_fields_set,
        keepalived_conf=document.health.keepalived_conf,
        health=health,
        exabgp=ExabgpSettings(
            NextHop(next_hop.ipv4, next_hop.ipv6),
            backend.exabgp.withdraw_on_exit,
            backend.exabgp.process,
        ),
        quagga=QuaggaSettings(
            backend.quagga.vtysh,
            backend.quagga.route_map,
            tuple(backend.quagga.start_files),
            backend.quagga.outbound,
        ),
        metrics=outlets[0],
        events=outlets[1],
        witness=witnesses(document),
    )


def _interval(document: Document) -> float:
    """Return the shortest interval that anything asks for, in seconds."""
    own = (vip.health for vip in document.vip.values())
    intervals = [health.interval for health in own if "interval" in health.model_fields_set]
    return min([document.health.interval, *intervals])
