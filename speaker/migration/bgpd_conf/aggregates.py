"""`aggregate-address` lines: covering prefixes that bgpd announces while it has a more specific one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.covering import Covering
from speaker.migration.bgpd_conf.model import TRANSLATED, Network, Obstacle
from speaker.migration.bgpd_conf.networks import PrefixLines, masked
from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.bgpd_conf.tokens import network

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from policy.route import Prefix
    from speaker.migration.bgpd_conf.statement import Statement


class AggregateLines(PrefixLines):
    """All aggregates of a `router bgp` while it is read."""

    def add(self, statement: Statement, rest: Sequence[str], version: int) -> str:
        """Take an `aggregate-address` line, or the `no` of one; return why it has no effect, or nothing.

        Args:
            statement: the line.
            rest: its words after `aggregate-address`.
            version: 4 or 6: the family of the mode in which it stands.

        Raises:
            MigrationError: it can't be translated.
        """
        prefix, options = _prefix(rest, version)
        if not statement.plain:
            self.forget(prefix)
            return TRANSLATED
        route_map: str | None = None
        summary_only = False
        words = iter(options)
        for word in words:
            match word:
                case "summary-only":
                    summary_only = True
                case "route-map":
                    route_map = next(words, None)
                    if route_map is None:
                        raise MigrationError("names no route-map; complete it, or remove it")
                case _:
                    raise MigrationError(
                        _REFUSED.get(word, f"{word!r} is not translated; remove it")
                    )
        self.put(Network(prefix, route_map, statement, summary_only=summary_only))
        if prefix.prefixlen == prefix.max_prefixlen:
            self.forget(prefix)
            return "covers nothing but itself, so bgpd never announces it"
        return TRANSLATED

    def obstacles(self, networks: Mapping[Prefix, Network]) -> Iterator[Obstacle]:
        """Yield the aggregates that can't be taken beside the networks of the file."""
        within = by_aggregate(self.found, networks)
        for prefix, found in self.found.items():
            if prefix in networks:
                where = networks[prefix].statement.where
                yield Obstacle(found.statement, f"{where} announces it too; keep one of them")
            elif not within[prefix]:
                yield Obstacle(found.statement, _EMPTY)


def by_aggregate(
    aggregates: Iterable[Prefix], prefixes: Iterable[Prefix]
) -> dict[Prefix, list[Prefix]]:
    """Return for each aggregate those prefixes that are more specific, and in it, in their order."""
    found: dict[Prefix, list[Prefix]] = {prefix: [] for prefix in aggregates}
    for prefix, around in by_member(found, prefixes).items():
        for aggregate in around:
            found[aggregate].append(prefix)
    return found


def by_member(
    aggregates: Iterable[Prefix], prefixes: Iterable[Prefix]
) -> dict[Prefix, list[Prefix]]:
    """Return for each prefix the aggregates that it is more specific than, and in."""
    covering = Covering(aggregates)
    return {
        prefix: [
            each
            for each in covering.of(prefix.network_address)
            if each.prefixlen < prefix.prefixlen
        ]
        for prefix in prefixes
    }


def _prefix(rest: Sequence[str], version: int) -> tuple[Prefix, list[str]]:
    match rest:
        case [text, *options] if "/" in text:
            prefix = network(text)
        case [text, mask, *options] if version == 4:
            prefix = masked(text, mask)
        case _:
            raise MigrationError("names no prefix; complete it, or remove it")
    if prefix.version != version:
        raise MigrationError(
            f"is of IPv{prefix.version}, and stands where IPv{version} is meant; bgpd refuses it as well: "
            f"move it into address-family ipv{prefix.version}"
        )
    return prefix, options


_EMPTY = (
    "no network of the file lies in it, so bgpd announces it for routes received, of which ExaBGP knows nothing; "
    "remove it from a copy of the file, or announce it at the router"
)
_REFUSED = {
    "as-set": (
        "its AS_PATH depends on the routes received; leave as-set out in a copy of the file, or keep bgpd for it"
    ),
    "suppress-map": (
        "vip.toml keeps back all VIPs in an aggregate, or none; write summary-only, or leave it out, in a copy of "
        "the file"
    ),
    "origin": "bgpd makes its ORIGIN; leave it out in a copy of the file, or set it by its route-map",
    "matching-MED-only": "it depends on the MED of each path; leave it out in a copy of the file",
}
