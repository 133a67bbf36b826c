"""All neighbours and peer-groups of `router bgp`: who is there, in which group, active in which family."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from policy.route import Asn
from speaker.migration.bgpd_conf import graceful_restart
from speaker.migration.bgpd_conf.answers import Answers
from speaker.migration.bgpd_conf.model import TRANSLATED, Dialect
from speaker.migration.bgpd_conf.neighbor_draft import BOTH, NeighborDraft, OfRouter, finish
from speaker.migration.bgpd_conf.neighbor_statements import (
    OF_THE_GROUP,
    OUT,
    refuse_policy,
    set_line,
)
from speaker.migration.bgpd_conf.statement import UNKNOWN, MigrationError, PassedOverError
from speaker.migration.bgpd_conf.tokens import canonical, is_address, parse_as

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speaker.migration.bgpd_conf.interfaces import Interfaces
    from speaker.migration.bgpd_conf.model import Neighbor
    from speaker.migration.bgpd_conf.statement import Statement
    from speaker.units import IpAddress


class NeighborsReader:
    """All neighbours and peer-groups of a `router bgp` while it is read, line by line.

    The order counts: `no bgp default ipv4-unicast` holds for the neighbours after it.
    """

    def __init__(self, dialect: Dialect, answers: Answers | None = None) -> None:
        self._dialect = dialect
        self._answers = answers or Answers()
        self._peers: dict[str, NeighborDraft] = {}
        self._groups: dict[str, NeighborDraft] = {}
        self.asn = Asn(0)
        """The router's own, by which a neighbour is internal or external."""
        self.default = {4: True, 6: False}
        """Whether a new neighbour is active in a family."""

    def add(self, statement: Statement, version: int) -> str:
        """Take a `neighbor` line, or the `no` of one; return why it has no effect, or nothing.

        Args:
            statement: the line.
            version: 4 or 6: the family of the mode in which it stands.

        Raises:
            MigrationError: it can't be translated.
        """
        plain = statement.plain
        name, rest = statement.said[1], statement.said[2:]
        match rest:
            case ("peer-group",) if plain:
                self._groups.setdefault(name, self._new(name, statement))
                return TRANSLATED
            case ("remote-as", value) if plain:
                self._remote_as(name, statement, value)
                return TRANSLATED
            case ("interface", *more) if plain and not is_address(name):
                return self._interface(name, statement, more, version)
        draft = self._groups.get(name) or self._peers.get(canonical(name))
        match rest:
            case ("peer-group", group) if plain:
                return self._bind(name, draft, statement, group, version)
            case () | ("peer-group" | "remote-as", *_) if not plain:
                raise MigrationError("takes a neighbour back; remove it, and what it takes back")
            case ():
                raise MigrationError("says nothing of the neighbour; complete it, or remove it")
        if draft is None:
            raise MigrationError(
                "names no neighbour that the lines before it made, or is abbreviated; put its remote-as "
                "before it, write it out, or remove it"
            )
        if rest == ("activate",):
            draft.active[version] = statement.line, plain
            return TRANSLATED
        self._refuse_by_daemon(draft, statement, version)
        return set_line(draft, statement, rest, version)

    def _refuse_by_daemon(self, draft: NeighborDraft, statement: Statement, version: int) -> None:
        """Refuse what counts, or not, because of a peer-group, or of whose bgpd it is."""
        rest = statement.said[2:]
        if self._dialect is Dialect.QUAGGA and version in draft.bound:
            refuse_policy(rest, plain=statement.plain)
        if self._dialect is Dialect.FRR and rest[0] == "password" and len(rest) > 2:
            raise MigrationError(
                "is several words, of which FRR takes one; write one, or remove it"
            )
        if draft.name in self._groups and rest[0] in graceful_restart.LINES and statement.plain:
            raise PassedOverError(graceful_restart.OF_A_GROUP)

    def _new(self, name: str, statement: Statement) -> NeighborDraft:
        active = {version: (statement.line, said) for version, said in self.default.items()}
        return NeighborDraft(name, statement, active=active)

    def _remote_as(self, name: str, statement: Statement, value: str) -> None:
        """Take a remote-as, as peer_group_remote_as() and peer_remote_as() in bgpd.c do."""
        if value not in ("internal", "external"):
            parse_as(value)
        if name in self._groups:
            self._remote_as_of_a_group(self._groups[name], value)
            return
        draft = self._peers.get(canonical(name))
        if draft is None and not is_address(name):
            raise MigrationError(_NO_ADDRESS)
        if draft is None:
            draft = self._peers[canonical(name)] = self._new(name, statement)
        elif draft.group is not None and "remote-as" in draft.group.settings:
            raise MigrationError(
                f"is in the peer-group {draft.group.name}, which has a remote-as: FRR takes this one "
                "from 10.7 and refuses it before, as Quagga does; keep one of them"
            )
        elif draft.group is not None:
            first = self._sort(draft.group.members[0])
            if first not in (None, self._sort_of(value)):
                raise MigrationError(_SORTS)
        draft.settings["remote-as"] = value
        if draft.group is not None:
            draft.group.with_as.append(draft)

    def _remote_as_of_a_group(self, group: NeighborDraft, value: str) -> None:
        """Take a group's remote-as, where bgpd's versions agree on what it makes of members with their own."""
        for member in group.with_as:
            own = str(member.settings["remote-as"])
            if self._dialect is Dialect.FRR and self._number(own) != self._number(value):
                raise MigrationError(
                    f"its member {member.name} has the remote-as {own}, which counts from FRR 10.7, and "
                    "this one before; keep one of them"
                )
        for member in group.with_as:
            member.settings.pop("remote-as")
        group.with_as.clear()
        group.settings["remote-as"] = value

    def _number(self, value: str) -> Asn | str:
        """Return the AS of a remote-as, where the file tells it."""
        if value == "internal":
            return self.asn
        return value if value == "external" else parse_as(value)

    def _interface(self, name: str, statement: Statement, more: Sequence[str], version: int) -> str:
        """Take a neighbour by its interface, as peer_conf_interface_get() in bgp_vty.c does."""
        draft = self._peers.get(name)
        if draft is None:
            draft = self._peers[name] = self._new(name, statement)
            draft.interface = True
        match [word for word in more if word != "v6only"]:
            case []:
                return TRANSLATED
            case ["remote-as", value]:
                self._remote_as(name, statement, value)
                return TRANSLATED
            case ["peer-group", group]:
                return self._bind(name, draft, statement, group, version)
        raise MigrationError(UNKNOWN)

    def _bind(
        self,
        name: str,
        draft: NeighborDraft | None,
        statement: Statement,
        group_name: str,
        version: int,
    ) -> str:
        """Make a neighbour a member, as peer_group_bind() in bgpd.c does."""
        group = self._groups.get(group_name)
        if group is None:
            raise MigrationError(f"there is no peer-group {group_name} before it; correct it")
        if name in self._groups:
            raise MigrationError("is a peer-group itself, where bgpd refuses it: remove it")
        if draft is None and not is_address(name):
            raise MigrationError(_NO_ADDRESS)
        if draft is not None and draft.group not in (None, group):
            raise MigrationError("is in another peer-group already; keep one")
        if self._dialect is Dialect.QUAGGA:
            _refuse_member(draft, group, version)
        elif draft is not None and draft.group is group:
            return "is set already"
        if draft is not None and self._clashes(draft, group):
            raise MigrationError(_SORTS)
        if draft is None:
            draft = self._peers[canonical(name)] = self._new(name, statement)
        self._join(draft, group, version, statement.line)
        return TRANSLATED

    def _join(self, draft: NeighborDraft, group: NeighborDraft, version: int, line: int) -> None:
        if "remote-as" in group.settings:
            draft.settings.pop("remote-as", None)
        elif "remote-as" in draft.settings:
            group.with_as.append(draft)
        if draft.group is None:
            draft.group = group
            group.members.append(draft)
        for family in BOTH if self._dialect is Dialect.FRR else (version,):
            draft.bound.add(family)
            draft.active[family] = line, group.is_active(family)

    def _clashes(self, draft: NeighborDraft, group: NeighborDraft) -> bool:
        """Return whether a neighbour is internal, and its group or the first member external; or the reverse."""
        sort = self._sort(draft)
        of_group = group.settings.get("remote-as")
        if sort is None:
            return False
        if of_group is not None:
            return of_group in ("internal", "external") and sort != of_group
        return bool(group.members) and sort != self._sort(group.members[0])

    def _sort(self, draft: NeighborDraft) -> str | None:
        """Return whether a neighbour is `internal` or `external`, None while it has no AS."""
        value = draft.value("remote-as")
        return None if value is None else self._sort_of(str(value))

    def _sort_of(self, value: str) -> str:
        if value in ("internal", "external"):
            return value
        return "internal" if parse_as(value) == self.asn else "external"

    def finish(
        self, router: OfRouter, interfaces: Interfaces
    ) -> tuple[tuple[Neighbor, ...], dict[str, tuple[NeighborDraft, str]]]:
        """Return the neighbours, and what is wrong with those that can't be one, by name."""
        made: list[Neighbor] = []
        wrong: dict[str, tuple[NeighborDraft, str]] = {}
        for draft in self._peers.values():
            found = self._identity(draft, router.asn)
            if isinstance(found, str):
                wrong[draft.name] = draft, found
                continue
            made.append(finish(draft, *found, router, interfaces))
        return tuple(made), wrong

    def _identity(self, draft: NeighborDraft, asn: Asn) -> tuple[IpAddress, Asn] | str:
        """Return a neighbour's address and AS, or what is missing."""
        name = draft.name
        address = self._answers.address(name) if draft.interface else ip_address(name)
        lacks = [] if address else [f"an address: use --peer {name}=ADDRESS, the router's there"]
        value = draft.value("remote-as")
        remote: Asn | None = None
        if value == "external":
            group = () if draft.group is None else (draft.group.name,)
            remote = self._answers.asn(str(address), name, *group)
            if remote is None:
                lacks.append(f"its AS: write its number, or use --peer-as {name}=ASN")
        elif value is None:
            lacks.append("its AS: write its remote-as")
        else:
            remote = asn if value == "internal" else parse_as(str(value))
        if address is not None and remote is not None:
            return address, remote
        what = "is by interface" if draft.interface and not address else "is `external`"
        if value is None:
            what = "has no remote-as"
        return f"{what}; ExaBGP needs {' and '.join(lacks)}"


def _refuse_member(draft: NeighborDraft | None, group: NeighborDraft, version: int) -> None:
    """Refuse what Quagga refuses to make a member, or makes one that is sent something else."""
    if not group.is_active(version):
        raise MigrationError(
            f"the peer-group {group.name} is not activated for IPv{version} before it, where Quagga "
            "refuses it: put that before it, or remove it"
        )
    if draft is None and "remote-as" not in group.settings:
        raise MigrationError(
            "has no remote-as before it, nor has its group, where Quagga refuses it: put one before it"
        )
    settings = () if draft is None else draft.settings
    if any(isinstance(key, tuple) and key[0] in OUT and key[-1] == version for key in settings):
        raise MigrationError(OF_THE_GROUP)


_SORTS = (
    "before FRR 10.7 bgpd refuses internal and external neighbours in one peer-group, and which of them "
    "depends on their order; make a group of each"
)
_NO_ADDRESS = (
    "is neither an address nor the name of a peer-group or an interface that a line before it makes, where "
    "bgpd refuses it: correct it, or remove it"
)
