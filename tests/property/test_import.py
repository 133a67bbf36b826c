"""Rules of importing sites that nobody wrote: what ExaBGP will send is what bgpd sent."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from policy.lint import lint
from policy.lint.finding import Code
from policy.route import Asn, AsPath
from speaker import config
from speaker.migration.bgpd_conf.aggregates import by_member
from speaker.migration.target import exabgp_conf, local, vip_toml
from speaker.migration.target import exabgp_site as site
from speaker.migration.target import inferred_policy as fit
from speaker.migration.target.vip_names import name_all
from speaker.migration.updates.as_vip_toml import evaluated
from speaker.migration.updates.compare import compare
from speaker.migration.updates.evaluate import evaluate
from tests.migration.reading import understand
from tests.support.strategies.bgpd_conf import sites, wider_sites

if TYPE_CHECKING:
    from policy.route import Attributes
    from speaker.config.settings import Config

LOCAL = {
    "par1": ("203.0.113.10/24", "2001:db8:ffff:1::10/64"),
    "lyo1": ("198.51.100.10/24", "2001:db8:ffff:2::10/64"),
}
OWN = local.parse([f"{dc}={each}" for dc, mine in LOCAL.items() for each in mine], LOCAL)


def loaded(text: str, dc: str) -> Config:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vip.toml"
        path.write_text(text)
        return config.load(path, {"VIP_DC": dc})


@given(contents=sites() | wider_sites(), one_name=st.booleans())
def test_the_same_updates(contents: dict[str, bytes], *, one_name: bool) -> None:
    """Each neighbour is sent by vip.toml what bgpd's file sent it: every attribute, and no more."""
    configurations = {dc: understand(text, f"{dc}.conf") for dc, text in contents.items()}
    meant = {dc: evaluated(found) for dc, found in configurations.items()}
    for dc, (sayable, evaluation) in meant.items():
        assert evaluation.updates == evaluate(configurations[dc]).updates
        configurations[dc] = sayable
    evaluations = {dc: evaluation for dc, (_, evaluation) in meant.items()}
    assert not any(evaluation.obstacles for evaluation in evaluations.values())
    made = [site.make(dc, found, evaluations[dc], OWN[dc]) for dc, found in configurations.items()]
    assert [fault for each in made for fault in each.faults] == []
    prefixes = tuple(dict.fromkeys(prefix for each in made for prefix in each.routes))
    covering = fit.aggregates(made)
    # [peer] names whole VIPs, and what one neighbor is not sent is an address.
    one_name = one_name and not any(rule.withheld for each in made for rule in each.rules)
    names = (
        dict.fromkeys(prefixes, "www.tld")
        if one_name
        else {**name_all(prefixes, [], lambda _: {}, None).names}
    ) | {each: str(each) for each in covering}
    layout = fit.fit(made, names)
    assert layout.faults == ()
    text = vip_toml.render(made, layout)
    for each in made:
        found = loaded(text, each.name)
        pairs = compare(
            replace(each.configuration, neighbors=each.neighbors),
            evaluations[each.name],
            found.topology,
            found.settings.dc,
            found.settings.exabgp.next_hop,
        )
        assert [pair for pair in pairs if pair.differences] == []
        sent = {pair.prefix for pair in pairs if pair.old is not None}
        here = {address.prefix for _, address in found.topology if each.name in address.prefer}
        keeping = [cover for cover, summary_only in covering.items() if summary_only]
        here -= {p for p, around in by_member(keeping, here - {*covering}).items() if around}
        assert sent == here, "nothing is missing, and nothing more"
        conf = exabgp_conf.render(each, "/opt/vip-speaker/bin/vip_watchdog")
        assert conf.isascii(), "whatever encoding ExaBGP runs with"
        assert conf.count("\nneighbor ") == len(each.sessions)
    codes = {finding.code for finding in lint(found.topology)}
    if not found.topology.peers:  # what single upstreams get may tie there, as it did
        assert codes.isdisjoint({Code.TIE, Code.FOREIGN_ASN, Code.NOT_FIRST, Code.NOT_EQUAL})
    assert (Code.NO_BACKUP in codes) == any(len(a.prefer) == 1 for _, a in found.topology)
    for prefix in prefixes:
        routes = {each.name: each.routes[prefix] for each in made if prefix in each.routes}
        _, address = found.topology.find(prefix) or (None, None)
        assert address is not None
        assert {*address.prefer} == routes.keys()
        same = len({_alike(route.attributes) for route in routes.values()}) == 1
        assert address.equal == (len(routes) > 1 and same)


def _alike(attributes: Attributes) -> Attributes:
    """A route's attributes but for whose AS it is."""
    return replace(attributes, as_path=AsPath.originated(Asn(1), len(attributes.as_path) - 1))
