"""[peer] and [peer_group] of vip.toml: what single neighbours get, or what in it makes no sense."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.peers import PeerPolicy, PeerRule, Peers, RuledNeighbor
from policy.route import MAX_PREPENDS
from speaker import units

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from policy.topology import Vip
    from speaker.config.fault import Faults, KeyPath
    from speaker.config.schema_peers import PeerTable
    from speaker.config.validate import Form

_NAMED = 10
"""How many names are listed of those that are known."""


class PeersBuilder:
    """Makes the rules, and notes every fault on the way."""

    def __init__(self, form: Form, faults: Faults) -> None:
        self._form = form
        self._faults = faults
        document = form.document
        self._names = {name.lower() for name in (*document.vip, *document.aggregate)}
        self._dcs = [*document.dc]

    def peers(self, vips: Iterable[Vip]) -> Peers:
        """Return all rules, none of them where anything of the file makes no sense.

        Args:
            vips: those of the site and its aggregates, of which each must be left a path that can be
                sent.
        """
        document = self._form.document
        made = [*self._groups(), *self._single()]
        rules = [rule for rule in made if rule.policy != PeerPolicy()]
        is_bgpd = document.node.backend == "quagga"
        if rules and is_bgpd and not document.backend.quagga.outbound:
            fault = (
                "bgpd sends all neighbors the same, but for route-maps out at single ones; "
                "let vip-speaker make these by outbound = true in [backend.quagga], or remove the table"
            )
            self._faults.add(("peer",) if document.peer else ("peer_group",), fault)
        try:
            peers = Peers(tuple(rules))
        except PolicyError as error:
            self._faults.add(("peer_group",), str(error))
            return Peers()
        self._check_paths(peers, vips)
        return peers

    def _groups(self) -> Iterator[PeerRule]:
        for name, table in self._form.document.peer_group.items():
            path: KeyPath = ("peer_group", name)
            neighbors: tuple[RuledNeighbor, ...] = table.neighbors
            if not neighbors:
                self._faults.add((*path, "neighbors"), "names no neighbor; name one, or remove it")
                continue
            addresses = [(neighbor.address, neighbor.dc) for neighbor in neighbors]
            if len({*addresses}) < len(addresses):
                self._faults.add((*path, "neighbors"), "names a neighbor twice; keep one")
            for dc in dict.fromkeys(neighbor.dc for neighbor in neighbors):
                self._check_dc((*path, "neighbors"), dc)
            yield PeerRule(neighbors, self._policy(path, table), name)

    def _single(self) -> Iterator[PeerRule]:
        known: dict[object, str] = {}
        for text, table in self._form.document.peer.items():
            path: KeyPath = ("peer", text)
            try:
                address = units.address(text)
            except ValueError as error:
                self._faults.add(path, str(error))
                continue
            if address in known:
                self._faults.add(path, f"{address} is also peer.{known[address]!r}; keep one")
            known[address] = text
            self._check_dc((*path, "dc"), table.dc or "")
            yield PeerRule((RuledNeighbor(address, table.dc or ""),), self._policy(path, table))

    def _check_dc(self, path: KeyPath, dc: str) -> None:
        if dc and dc not in self._dcs and not self._form.lacks("dc"):
            near = self._faults.near([dc], self._dcs)
            self._faults.add(path, f"{dc!r} is unknown; name one of {', '.join(self._dcs)}{near}")

    def _policy(self, path: KeyPath, table: PeerTable) -> PeerPolicy:
        if table.announce is not None and table.except_:
            self._faults.add(path, "announce and except are both set; keep one")
        for key, names in (("announce", table.announce or ()), ("except", table.except_)):
            unknown = [name for name in names if name.lower() not in self._names]
            if unknown:
                known = ", ".join(sorted(self._names)[:_NAMED])
                near = self._faults.near(unknown, self._names)
                fault = f"{unknown[:_NAMED]} are no VIPs or aggregates; name some of {known}{near}"
                self._faults.add((*path, key), fault)
        only = table.announce
        return PeerPolicy(
            None if only is None else frozenset(name.lower() for name in only),
            frozenset(name.lower() for name in table.except_),
            frozenset(table.communities),
            frozenset(table.large_communities),
            table.prepends,
            table.med,
            table.local_preference,
            frozenset(table.extended_communities),
        )

    def _check_paths(self, peers: Peers, vips: Iterable[Vip]) -> None:
        """Refuse prepends that make some AS_PATH longer than any may be."""
        ranks = {id(r): r for vip in vips for r in (vip.ranks, *(a.ranks for a in vip.addresses))}
        longest = max((p.prepends for of in ranks.values() for p in of), default=0)
        for rule in peers.rules:
            kind = ("peer_group", rule.group) if rule.group else None
            path = kind or ("peer", str(rule.neighbors[0].address))
            more = rule.policy.prepends or 0
            if longest + more > MAX_PREPENDS:
                self._faults.add(
                    (*path, "prepends"),
                    f"{more} more than the {longest} of the last rank are more than {MAX_PREPENDS}",
                )
