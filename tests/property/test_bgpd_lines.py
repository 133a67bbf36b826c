"""Rules of reading bgpd's configuration, whatever is in the file."""

from __future__ import annotations

from hypothesis import example, given

from policy.route import AsPath
from speaker.migration.bgpd_conf.model import Configuration, Treatment
from speaker.migration.bgpd_conf.placing import decode
from speaker.migration.bgpd_conf.reader import read
from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.target import exabgp_site as site
from speaker.migration.updates.evaluate import NO_ADVERTISE, evaluate
from speaker.migration.updates.verdicts import account
from tests.migration.reading import understand
from tests.support.strategies.bgpd_lines import CONTENTS, TEXTS


def understood(content: bytes) -> Configuration | None:
    try:
        return understand(content)
    except MigrationError as error:
        if not str(error).startswith("bgpd.conf:"):
            raise
        return None


@given(CONTENTS)
@example(b"router bgp 64699\nno")
@example(b"router bgp 64699\nroute-map")
@example(b"router bgp 64699\nneighbor\n no neighbor\nno neighbor x\n")
@example(b"route-map M permit 10\nmatch\nset\nroute-map M permit 99999\nset x\nrouter bgp 1\n")
@example(b"route-map M permit x\nset metric 5\nrouter bgp 1\n")
@example("route-map M permit 10\nmatch metric \u00b2\nrouter bgp 1\n".encode())
@example(b"router bgp 1\nnetwork 192.0.2.1 mask ffff:ffff:ffff::\n")
def test_every_line_is_accounted_for(content: bytes) -> None:
    """Any bytes are read or refused by file and line; no line but blank ones and comments is lost."""
    found = understood(content)
    if found is None:
        return
    lines = {
        number
        for number, line in enumerate(decode(content).split("\n"), start=1)
        if line.strip(" \t\r\v\f") and line.strip(" \t\r\v\f")[0] not in "!#"
    }
    verdicts = account(found, evaluate(found))
    assert [verdict.statement.line for verdict in verdicts] == sorted(lines)
    for verdict in verdicts:
        assert verdict.reason or verdict.treatment is Treatment.TRANSLATED, (
            "says why, and what to do"
        )


@given(TEXTS)
def test_every_network_is_sent_or_not_for_a_reason(content: bytes) -> None:
    """Each neighbour is sent each network, or it is said why not."""
    found = understood(content)
    if found is None:
        return
    evaluation = evaluate(found)
    for neighbor in found.neighbors:
        sent, silent = (
            evaluation.updates[neighbor.address],
            evaluation.silent[neighbor.address],
        )
        assert sent.keys() | silent.keys() == found.networks.keys()
        assert not sent.keys() & silent.keys()
        assert all(silent.values())
        for update in sent.values():
            ebgp = neighbor.asn != found.asn
            path = update.attributes.as_path
            assert not ebgp or path.asns[0] == found.asn, "eBGP adds its AS (RFC 4271 §5.1.2)"
            assert (update.local_pref is None) is ebgp, "LOCAL_PREF is for iBGP (§5.1.5)"
            given_out = {*update.attributes.communities}
            out = neighbor.families[4].route_map or neighbor.families[6].route_map
            assert out or NO_ADVERTISE not in given_out


@given(TEXTS)
@example(b"router bgp 64699\nrouter\nneighbor 203.0.113.1 remote-as 64500\n")
def test_a_refused_line_is_an_obstacle_or_changes_nothing(content: bytes) -> None:
    """What stays when the refused lines are taken out sends the same, unless an obstacle stops all."""
    found = understood(content)
    if found is None or evaluate(found).obstacles:
        return
    refused = {v.statement.line for v in found.verdicts if v.treatment is Treatment.REFUSED}
    lines = decode(content).split("\n")
    kept = [line for number, line in enumerate(lines, start=1) if number not in refused]
    again = read(
        "bgpd.conf", "\n".join([*kept, ""]).encode("utf-8", "replace"), found.read_as.dialect
    )
    assert evaluate(again).updates == evaluate(found).updates


@given(TEXTS)
def test_any_configuration_makes_a_site_or_faults(content: bytes) -> None:
    """What can't be had of ExaBGP is said in words; what can, has the own AS in front."""
    found = understood(content)
    if found is None:
        return
    evaluation = evaluate(found)
    made = site.make("par1", found, evaluation)
    for route in made.routes.values():
        assert route.attributes.as_path != AsPath()
    assert made.sessions or made.faults or evaluation.obstacles, "an obstacle is said by itself"
