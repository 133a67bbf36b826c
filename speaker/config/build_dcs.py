"""[dc.NAME] of vip.toml, and witnesses: the data centres, and what tells the routes of each from those of the others."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from policy.keep_last import KeepLast
from policy.route import Asn
from policy.topology import DataCentre
from speaker.config.settings import WitnessSettings
from speaker.config.toml_text import toml_path

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from speaker.config.fault import Faults, KeyPath
    from speaker.config.schema import Document
    from speaker.config.validate import Form


def data_centres(form: Form, faults: Faults) -> tuple[DataCentre, ...]:
    """Return all data centres. What is to tell one from the others must not be another one's, too."""
    found = tuple(
        DataCentre(
            name,
            Asn(dc.asn),
            dc.weight,
            dc.mark,
            frozenset(dc.next_hops),
            frozenset(dc.originators),
        )
        for name, dc in form.document.dc.items()
    )
    _check_apart(found, faults)
    _check_marks(form.document, found, faults)
    if form.document.policy.keep_last and form.document.site is None:
        _check_told(found, faults)
    return found


def witnesses(document: Document) -> WitnessSettings:
    """Return what is done with what witnesses tell."""
    given = document.policy.keep_last
    keep_last = (
        KeepLast.STRICT if given == "strict" else KeepLast.KNOWN if given else KeepLast.NEVER
    )
    return WitnessSettings(keep_last, document.policy.settle, tuple(document.node.witnesses))


def _check_apart(dcs: Iterable[DataCentre], faults: Faults) -> None:
    """Refuse a mark, a next hop or an originator that two data centres have."""
    places: dict[Hashable, KeyPath] = {}
    for dc in dcs:
        marks = () if dc.mark is None else (dc.mark,)
        for key, values in (
            ("mark", marks),
            ("next_hops", dc.next_hops),
            ("originators", dc.originators),
        ):
            for value in values:
                path = ("dc", dc.name, key)
                other = places.setdefault((key, value), path)
                if other != path:
                    faults.add(path, f"{value} is also {toml_path(other)}; give each its own")


def _check_told(dcs: Sequence[DataCentre], faults: Faults) -> None:
    """Refuse to keep the last one where no path tells whose it is: every one would be the last, for ever."""
    asns = Counter(dc.asn for dc in dcs)
    untold = [
        dc.name
        for dc in dcs
        if not (dc.mark or dc.next_hops or dc.originators) and asns[dc.asn] > 1
    ]
    if untold:
        what = f"nothing tells the routes of {', '.join(untold)} from others'; give each data centre a mark"
        faults.add(("policy", "keep_last"), what)


def _check_marks(document: Document, dcs: Iterable[DataCentre], faults: Faults) -> None:
    """Refuse a mark that a route may have for another reason: of whichever data centre it would be then."""
    used = {
        each: f"profile.{name}"
        for name, table in document.profile.items()
        for each in table.communities
    }
    used |= dict.fromkeys(document.drain.communities, "drain")
    used |= {
        each: f"vip.{name}.drain"
        for name, vip in document.vip.items()
        for each in vip.drain.communities
        if "communities" in vip.drain.model_fields_set
    }
    for dc in dcs:
        if dc.mark is not None and dc.mark in used:
            what = f"{dc.mark} is also a community of {used[dc.mark]}; give it one that nothing else has"
            faults.add(("dc", dc.name, "mark"), what)
