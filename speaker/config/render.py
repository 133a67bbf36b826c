"""A Config -> the text of vip.toml that means it: `config.load` of the text gives it back.

For a program that makes a vip.toml of something else:

    config = plain(topology, "par1")                   # settings as a file has them that says nothing
    config = Config(topology, replace(config.settings, quagga=…))                     # or other ones
    text = render(config, Comments(head="…", vips={"vip-1.tld": "…"}, addresses={prefix: "…"}))

What is as by default is left out. A comment may have any number of lines, and stands above what it
is about. A Vip's `health` should be render_tables.DEFAULT_RULE where nothing is known of it. Orders of
preference are written out, except the ones that `spread` gives.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from policy.order import Order
from speaker.config import render_api, render_checks, render_peers, render_site, render_tables
from speaker.config.build import FaultsError, build
from speaker.config.build_aggregates import NO_HEALTH
from speaker.config.schema import Document
from speaker.config.settings import Config, HealthSettings
from speaker.config.toml_text import TomlText
from speaker.config.validate import Form
from speaker.errors import SpeakerError
from speaker.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.route import Prefix
    from policy.topology import DataCentre, Topology
    from speaker.config.render_tables import Keys
    from speaker.config.settings import Backend, NextHop, Settings


@dataclass(frozen=True, slots=True)
class Comments:
    """What is said above parts of the file, by the parts' names; `head` begins the file."""

    head: str = ""
    dcs: Mapping[str, str] = field(default_factory=dict)
    profiles: Mapping[str, str] = field(default_factory=dict)
    vips: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[Prefix, str] = field(default_factory=dict)
    aggregates: Mapping[str, str] = field(default_factory=dict)
    peers: Mapping[str, str] = field(default_factory=dict)
    """By `str()` of a rule."""
    node: str = ""
    policy: str = ""


def plain(topology: Topology, dc: str, backend: Backend = "exabgp") -> Config:
    """Return a configuration with the default for every setting, for one data centre.

    Raises:
        SpeakerError: the data centre is unknown.
    """
    document: Keys = {
        "node": {"dc": dc, "backend": backend},
        "dc": {each.name: {"asn": each.asn, "weight": each.weight} for each in topology.dcs},
    }
    try:
        config = build(Form(Document.model_validate(document)))
    except FaultsError as error:
        raise SpeakerError(str(error)) from error
    health = {
        vip.name: HealthSettings("ipvs", frozenset(), dict.fromkeys(vip.health.required, ()))
        for vip in topology.vips
    }
    health |= {each.name: NO_HEALTH for each in topology.aggregates}
    return Config(topology, replace(config.settings, dc=topology.dc(dc), health=health))


def render(
    config: Config,
    comments: Comments | None = None,
    next_hops: Mapping[str, NextHop] | None = None,
) -> str:
    """Return the text of a vip.toml.

    Args:
        config: what it means.
        comments: what it says beside that.
        next_hops: those of data centres, by name; they beat the one of the settings.

    Raises:
        SpeakerError: two profiles have the same name, which no file can say.
    """
    comments = Comments() if comments is None else comments
    hops = next_hops or {}
    topology, settings = config.topology, config.settings
    default = plain(topology, settings.dc.name).settings
    ranks = render_tables.most_common([vip.ranks for vip in topology.vips]) or ()
    order = render_tables.most_common([vip.order for vip in topology.vips]) or Order.PREPENDS
    healths = {
        vip.name: render_tables.health(vip.health, settings.health[vip.name])
        for vip in topology.vips
    }
    health = render_tables.most_common(list(healths.values())) or render_tables.DEFAULT_HEALTH
    text = TomlText()
    text.comment(comments.head)
    text.table(["node"], render_tables.node(settings, default), comments.node)
    _data_centres(text, topology, hops, comments)
    text.table(["policy"], render_tables.policy(ranks, order, settings, default), comments.policy)
    for profile in render_tables.profiles(topology, ranks):
        comment = comments.profiles.get(profile.name, "")
        text.table(["profile", profile.name], render_tables.profile(profile), comment)
    _health(text, settings, default, health)
    drains = {each.name: render_tables.drain(each.drain) for each in topology.everything}
    drain = _of_site(topology, drains)
    text.table(["drain"], render_tables.differing(drain, render_tables.DEFAULT_DRAIN))
    for check in settings.checks.values():
        text.table(["check", check.name], render_checks.check(check))
    for name, report in settings.api.reports.items():
        text.table(["report", name], render_api.report(report))
    for vip in topology.vips:
        keys: Keys = {
            **render_tables.addresses(vip, [dc.name for dc in topology.dcs], comments.addresses),
            "order": render_tables.unless(order, vip.order),
            "ranks": render_tables.unless([p.name for p in ranks], [p.name for p in vip.ranks]),
            "health": render_tables.differing(healths[vip.name], health) or None,
            "services": render_tables.services(vip.health, settings.health[vip.name]) or None,
            "drain": render_tables.differing(drains[vip.name], drain) or None,
            "rule": render_checks.rule(vip.health.rule),
        }
        text.table(["vip", vip.name], keys, comments.vips.get(vip.name, ""))
    for each in topology.aggregates:
        keys = render_tables.aggregate(each, ranks, order, [dc.name for dc in topology.dcs])
        text.table(["aggregate", each.name], keys, comments.aggregates.get(each.name, ""))
    for rule in topology.peers.rules:
        text.table(*render_peers.rule(rule), comments.peers.get(str(rule), ""))
    _programs(text, settings, default)
    return str(text)


def _programs(text: TomlText, settings: Settings, default: Settings) -> None:
    """Write what is of the daemon, of monitoring, and of who is told."""
    text.table(["backend", "exabgp"], render_tables.exabgp(settings))
    text.table(["backend", "quagga"], render_tables.quagga(settings, default))
    text.table(["metrics"], render_tables.metrics(settings))
    text.table(["events"], render_tables.events(settings))
    text.table(["api"], render_api.api(settings.api))
    for name, rights in settings.api.tokens.items():
        text.table(["api", "tokens", name], render_api.token(rights))
    text.table(["site"], render_site.site(settings.site))


def _of_site(topology: Topology, drains: Mapping[str, Keys]) -> Keys:
    """Return `[drain]`: what aggregates have, which have none of their own; else what most VIPs have."""
    those = topology.aggregates or topology.vips
    found = render_tables.most_common([drains[each.name] for each in those])
    return found or render_tables.DEFAULT_DRAIN


def _data_centres(
    text: TomlText, topology: Topology, hops: Mapping[str, NextHop], comments: Comments
) -> None:
    for dc in topology.dcs:
        hop = hops.get(dc.name)
        keys: Keys = {
            "asn": dc.asn,
            "weight": render_tables.unless(1, dc.weight),
            "next_hop": None if hop is None else render_tables.next_hop(hop),
            **_told_by(dc),
        }
        text.table(["dc", dc.name], keys, comments.dcs.get(dc.name, ""))


def _told_by(dc: DataCentre) -> Keys:
    """Return the keys that tell its routes from others'."""
    return {
        "mark": None if dc.mark is None else str(dc.mark),
        "next_hops": sorted(map(str, dc.next_hops)) or None,
        "originators": sorted(map(str, dc.originators)) or None,
    }


def _health(text: TomlText, settings: Settings, default: Settings, health: Keys) -> None:
    """Write `[health]`: what most VIPs have."""
    text.table(
        ["health"],
        {
            **render_tables.differing(health, render_tables.DEFAULT_HEALTH),
            "interval": render_tables.unless(
                duration_text(default.interval), duration_text(settings.interval)
            ),
            "keepalived_fifo": settings.keepalived_fifo if settings.keepalived_fifo_named else None,
            "keepalived_conf": settings.keepalived_conf,
        },
    )
