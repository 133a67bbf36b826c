"""vip.toml for all data centres, each part with the file and line that it comes from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from policy.topology import Address, AggregateRule, DataCentre, Topology, Vip
from speaker.config.render import Comments, plain
from speaker.config.render import render as render_config
from speaker.config.render_tables import DEFAULT_RULE
from speaker.config.settings import Config, HealthSettings, NextHop
from speaker.migration.target.proposed_health import NOTHING_PROPOSED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.order import Order
    from policy.rule import Rule
    from speaker.config.settings_checks import CheckSettings
    from speaker.migration.target.inferred_policy import Layout, Placed
    from speaker.migration.target.proposed_health import ProposedHealth
    from speaker.migration.target.site import Site


@dataclass(frozen=True, slots=True)
class CheckedVips:
    """How VIPs are judged where something did before: checks, each VIP's rule by its name, and what the file begins with.

    A VIP without a rule is the operator's to decide on.
    """

    checks: Mapping[str, CheckSettings] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    head: str = ""


def render(
    sites: Sequence[Site],
    layout: Layout,
    proposed: ProposedHealth = NOTHING_PROPOSED,
    judged: CheckedVips | None = None,
) -> str:
    """Return the text of vip.toml. `[node]` is the first data centre's.

    Args:
        sites: the data centres.
        layout: what they announce.
        proposed: what IPVS says of health.
        judged: how VIPs are judged, where something did before.
    """
    dcs = tuple(DataCentre(site.name, site.configuration.asn) for site in sites)
    rules = judged.rules if judged else {}
    vips = tuple(
        _vip(name, each, layout.orders[name], rules.get(name)) for name, each in layout.vips.items()
    )
    covering = tuple(
        replace(
            _vip(name, (placed,), layout.orders[name]), aggregate=AggregateRule(1, summary_only)
        )
        for name, (placed, summary_only) in layout.aggregates.items()
    )
    config = plain(Topology(dcs, vips, covering, layout.peers.peers), sites[0].name)
    unchecked = {
        vip.name: HealthSettings("none", frozenset(), {})
        for vip in vips
        if vip.name not in rules
        and (
            judged is not None
            or vip.name in proposed.unchecked
            or any(_is_wide(placed) for placed in layout.vips[vip.name])
        )
    }
    settings = config.settings
    settings = replace(
        settings,
        health=settings.health | unchecked,
        checks=dict(judged.checks) if judged else {},
    )
    hops = {site.name: site.hops for site in sites if site.hops != NextHop()}
    comments = replace(
        _comments(sites, layout),
        vips=dict.fromkeys(
            unchecked,
            "nothing checks it: only the operator decides"
            if judged
            else "a prefix: only the operator decides",
        )
        | {**proposed.comments},
    )
    if judged is not None:
        comments = replace(comments, head=judged.head)
    return render_config(Config(config.topology, settings), comments, hops)


def _vip(name: str, addresses: Sequence[Placed], order: Order, rule: Rule | None = None) -> Vip:
    usual = Counter(placed.ranks for placed in addresses).most_common(1)[0][0]
    return Vip(
        name,
        tuple(
            Address(
                placed.prefix,
                placed.prefer,
                () if placed.ranks == usual else placed.ranks,
                placed.equal,
            )
            for placed in addresses
        ),
        usual,
        DEFAULT_RULE if rule is None else replace(DEFAULT_RULE, rule=rule),
        order,
    )


def _is_wide(placed: Placed) -> bool:
    return placed.prefix.prefixlen < placed.prefix.max_prefixlen


def _comments(sites: Sequence[Site], layout: Layout) -> Comments:
    first, *others = sites
    read = "\n".join(
        f"  {site.name}: {site.configuration.file}, by the rules of {site.configuration.read_as.dialect.brand}"
        for site in sites
    )
    made_by = {profile.name: wheres for profile, wheres in layout.profiles.items() if wheres}
    return Comments(
        head=f"What bgpd announced, made by vip_mgmt import of\n{read}\n"
        "One file for every data centre, except [node].\n\n"
        'bgpd checked nothing. By the default of [health], source = "ipvs", a VIP is withdrawn where no\n'
        "realserver of it lives.",
        node=f"On machines of {', '.join(s.name for s in others)}: their own dc." if others else "",
        policy="\n".join(f"{name}: {', '.join(wheres)}" for name, wheres in made_by.items()),
        dcs={
            site.name: f"{site.configuration.statement.where}, router-id {site.router_id}"
            for site in (first, *others)
        },
        profiles={name: ", ".join(wheres) for name, wheres in made_by.items()},
        addresses={
            placed.prefix: ", ".join(placed.origins)
            for addresses in layout.vips.values()
            for placed in addresses
        },
        peers=layout.peers.comments,
        aggregates={
            name: ", ".join(placed.origins) for name, (placed, _) in layout.aggregates.items()
        },
    )
