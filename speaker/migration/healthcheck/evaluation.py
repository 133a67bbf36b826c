"""Healthchecks as a configuration and what it sends, in the terms of bgpd's: the rest of an import goes on with that."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from policy.route import Origin
from speaker.migration.bgpd_conf.model import (
    Configuration,
    Dialect,
    FamilySettings,
    Neighbor,
    Network,
    Taken,
)
from speaker.migration.bgpd_conf.statement import CommandMode, MigrationError, Statement
from speaker.migration.healthcheck.announced import (
    HealthcheckState,
    announced,
    chosen,
    next_hop,
    own_as,
)
from speaker.migration.updates.compare import LOCAL_PREF
from speaker.migration.updates.doubts import Doubts
from speaker.migration.updates.evaluate import Evaluation, Hop, Update

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.route import Prefix
    from speaker.migration.healthcheck.exabgp_file import ExabgpFile, ExabgpSession
    from speaker.migration.healthcheck.program import Healthcheck
    from speaker.units import IpAddress


def evaluate(
    file: str, found: ExabgpFile, checks: Sequence[Healthcheck]
) -> tuple[Configuration, Evaluation]:
    """Return what healthchecks announce when all of them are up.

    Args:
        file: the name of the exabgp.conf.
        found: what is in it.
        checks: the healthchecks that it runs.

    Raises:
        MigrationError: it makes no sense, or two of them announce one prefix.
    """
    owner: dict[Prefix, Healthcheck] = {}
    updates: dict[IpAddress, dict[Prefix, Update]] = {}
    for check in checks:
        for prefix in dict.fromkeys(check.prefixes()):
            if (other := owner.setdefault(prefix, check)) is not check:
                raise MigrationError(
                    f"{check.where}: {check}: {prefix} is announced by {other.process} too; the last one that "
                    "speaks is heard: take it out of one of them"
                )
        for session in chosen(check, found.sessions):
            updates.setdefault(session.address, {}).update(_updates(check, session))
    fed = [each for each in found.sessions if each.address in updates]
    asn = own_as(fed)
    networks = {
        prefix: Network(prefix, None, _statement(check.where, check.process), Origin.IGP)
        for prefix, check in owner.items()
    }
    silent = {
        each.address: {
            prefix: _why_not(check, each)
            for prefix, check in owner.items()
            if prefix not in updates[each.address]
        }
        for each in fed
    }
    configuration = Configuration(
        file,
        Taken(file, Dialect.FRR, "it is ExaBGP's"),
        asn,
        _statement(fed[0].where, "local-as"),
        fed[0].router_id,
        networks,
        tuple(map(_neighbor, fed)),
        {},
        {},
        ebgp_requires_policy=False,
        default_local_pref=LOCAL_PREF,
        obstacles=(),
        verdicts=(),
    )
    return configuration, Evaluation(
        updates, silent, (), Doubts(()), {}, {key: {} for key in updates}
    )


def _updates(check: Healthcheck, session: ExabgpSession) -> Mapping[Prefix, Update]:
    hop = next_hop(check)
    preference = None
    if session.peer_as == session.local_as:
        said = int(check.number("local-preference", -1))
        preference = said if said >= 0 else LOCAL_PREF
    found: dict[Prefix, Update] = {}
    for prefix, attributes in announced(check, HealthcheckState.UP, session).items():
        if attributes is None or prefix.version not in session.families:
            continue
        if hop is None and prefix.version != session.address.version:
            raise MigrationError(
                f"{check.where}: {check}: ExaBGP refuses {prefix} with the session's own address as next hop at {session.address}; "
                f"use --next-hop, or take IPv{prefix.version} out of that neighbor's family, in a copy of the file"
            )
        found[prefix] = Update(attributes, hop or Hop.SELF, preference)
    return found


def _why_not(check: Healthcheck, session: ExabgpSession) -> str:
    if check.process not in session.processes:
        return f"neighbor {session.address} does not list {check.process}"
    return f"--neighbor or the family keeps it from {session.address}"


def _neighbor(session: ExabgpSession) -> Neighbor:
    return Neighbor(
        session.address,
        session.peer_as,
        _statement(session.where, "neighbor"),
        {version: FamilySettings(version in session.families) for version in (4, 6)},
        local=session.local,
        next_hops={}
        if session.local is None
        else {(4 if isinstance(session.local, IPv4Address) else 6): session.local},
    )


def _statement(where: str, word: str) -> Statement:
    file, _, line = where.rpartition(":")
    return Statement(file, int(line), (word,), CommandMode.OTHER)
