"""What bgpd has sent in place of what its configuration was read as, attribute by attribute of its tables. Pure.

`advertised-routes` shows AS_PATH, ORIGIN and MED. AS_PATH is without the AS that eBGP puts in front. The
rest (communities, LOCAL_PREF, the next hop) is as the configuration has it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from policy.asn import parse_asn
from policy.errors import PolicyError
from policy.route import AsPath, Attributes, Origin
from speaker.migration.updates.as_path import is_ebgp
from speaker.migration.updates.evaluate import Hop, Update

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from policy.route import Prefix
    from speaker.backends.quagga.table import TableRow
    from speaker.migration.bgpd_conf.model import Configuration, Neighbor
    from speaker.migration.updates.compare import Pair

_ORIGINS = {"i": Origin.IGP, "e": Origin.EGP, "?": Origin.INCOMPLETE}
NO_SESSION = "bgpd has no session with it now, so this is what its configuration says"
OF_A_VRF = "what bgpd has sent in a VRF is not asked, so this is what its configuration says"
NOT_SHOWN = "bgpd's table does not show its AS_PATH as the neighbor gets it"


@dataclass(frozen=True, slots=True)
class Tables:
    """What sessions that are up were sent, by the neighbour's address and the family; `unseen` is why others lack."""

    rows: Mapping[tuple[str, int], Sequence[TableRow]] = field(default_factory=dict)
    unseen: str = NO_SESSION


def as_sent(
    pairs: Iterable[Pair], configuration: Configuration, tables: Tables
) -> tuple[tuple[Pair, ...], tuple[str, ...]]:
    """Return pairs with what bgpd has sent, those that differ first; and where that is not what its configuration says.

    Args:
        pairs: what its configuration says, beside the new speaker's.
        configuration: it.
        tables: what bgpd shows.
    """
    neighbors = {each.address: each for each in configuration.neighbors}
    by_prefix: dict[tuple[str, int], Mapping[Prefix, TableRow]] = {
        key: {row.prefix: row for row in rows if row.prefix is not None}
        for key, rows in tables.rows.items()
    }
    found: list[Pair] = []
    told: list[str] = []
    for pair in pairs:
        table = by_prefix.get((str(pair.neighbor), pair.prefix.version))
        if table is None:
            found.append(replace(pair, unseen=tables.unseen))
            continue
        neighbor = neighbors[pair.neighbor]
        row = table.get(pair.prefix)
        made = _with(pair, row, configuration, neighbor)
        if made.old != pair.old:
            told.append(
                f"{pair.neighbor}: {pair.prefix}: bgpd has sent {_text(made.old)}; its configuration says {_text(pair.old)}"
            )
        if made.old is not None or made.new is not None:
            found.append(made)
    return (*(p for p in found if p.differences), *(p for p in found if not p.differences)), tuple(
        told
    )


def _text(update: Update | None) -> str:
    return "nothing" if update is None else str(update)


def _with(
    pair: Pair, row: TableRow | None, configuration: Configuration, neighbor: Neighbor
) -> Pair:
    """Return a pair with what bgpd's table has of it."""
    if row is None:
        if pair.old is None:
            return pair
        return replace(pair, old=None, silence=pair.silence or "bgpd has not sent it")
    try:
        shown = tuple(map(parse_asn, row.as_path))
    except PolicyError:
        return replace(pair, unseen=NOT_SHOWN)
    ebgp = is_ebgp(configuration, neighbor)
    path = AsPath((configuration.asn, *shown) if ebgp else shown)
    med = int(row.med) if row.med.isascii() and row.med.isdigit() else None
    if pair.old is None:
        attributes = Attributes(path, med=med, origin=_ORIGINS[row.origin])
        return replace(pair, old=Update(attributes, Hop.SELF), unseen="")
    own = pair.old.attributes
    unseen = ""
    if neighbor.local_as is not None or neighbor.families[pair.prefix.version].remove_private:
        path, unseen = own.as_path, NOT_SHOWN
    attributes = replace(
        own, as_path=path, origin=_ORIGINS[row.origin], med=own.med if med is None else med
    )
    return replace(pair, old=replace(pair.old, attributes=attributes), unseen=unseen)
