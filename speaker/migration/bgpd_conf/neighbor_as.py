"""What a neighbour's lines do to AS_PATH: `local-as` and `remove-private-AS`, with all that goes with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speaker.migration.bgpd_conf.model import Dialect, LocalAs, Obstacle, RemovePrivate
from speaker.migration.bgpd_conf.statement import UNKNOWN, MigrationError
from speaker.migration.bgpd_conf.tokens import parse_as

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy.route import Asn
    from speaker.migration.bgpd_conf.neighbor_draft import NeighborDraft
    from speaker.migration.bgpd_conf.statement import Statement

REMOVE = "remove-private-AS"


def local_as(words: Sequence[str], statement: Statement) -> LocalAs:
    """Return what `local-as` says.

    Raises:
        MigrationError: it is not understood.
    """
    match words:
        case [asn] | [asn, "no-prepend"]:
            return LocalAs(parse_as(asn), replaces=False, statement=statement)
        case [asn, "no-prepend", "replace-as"]:
            return LocalAs(parse_as(asn), replaces=True, statement=statement)
        case [_, "no-prepend", "replace-as", "dual-as"]:
            raise MigrationError("by dual-as the router decides which AS it speaks to; write one")
    raise MigrationError(UNKNOWN)


def remove_private(
    draft: NeighborDraft, words: Sequence[str], statement: Statement, version: int
) -> None:
    """Take `remove-private-AS`, or the `no` of it.

    Raises:
        MigrationError: it is not understood, or another one was taken for the same.
    """
    said = RemovePrivate("all" in words, "replace-AS" in words, statement)
    if [*words] != [*said.words]:
        raise MigrationError(UNKNOWN)
    before = draft.settings.get((REMOVE, version))
    if isinstance(before, RemovePrivate) and before.words != said.words:
        raise MigrationError(
            f"{before.statement.where} says it otherwise, and what both come to depends on bgpd; keep one"
        )
    if statement.plain:
        draft.settings[REMOVE, version] = said
    else:
        draft.settings.pop((REMOVE, version), None)


def obstacles(draft: NeighborDraft, asn: Asn, own: Asn, dialect: Dialect) -> Iterator[Obstacle]:
    """Yield what of a neighbour's lines can't be told together.

    Args:
        draft: of the neighbour.
        asn: its AS.
        own: the router's.
        dialect: whose bgpd.
    """
    found = draft.value("local-as")
    if isinstance(found, LocalAs):
        if asn == own:
            yield Obstacle(
                found.statement, "is for eBGP neighbours, and this one is not; remove it"
            )
        elif found.asn in (asn, own):
            whose = "router's" if found.asn == own else "neighbour's"
            yield Obstacle(found.statement, f"is the {whose} AS, where bgpd refuses it; remove it")
        elif dialect is Dialect.QUAGGA and draft.group is not None:
            yield Obstacle(
                found.statement, "Quagga refuses it for a member; take it out of the group"
            )
    for version in draft.active:
        yield from _of_family(draft, version, dialect)


def _of_family(draft: NeighborDraft, version: int, dialect: Dialect) -> Iterator[Obstacle]:
    found = draft.value((REMOVE, version), None, version)
    if not isinstance(found, RemovePrivate):
        return
    if dialect is Dialect.QUAGGA and found.words:
        yield Obstacle(found.statement, "Quagga has neither all nor replace-AS; correct it")
    group = None if draft.group is None or version not in draft.bound else draft.group
    of_group = None if group is None else group.settings.get((REMOVE, version))
    if isinstance(of_group, RemovePrivate) and of_group.words != found.words:
        yield Obstacle(
            found.statement, f"{of_group.statement.where} says it otherwise of its group; keep one"
        )
