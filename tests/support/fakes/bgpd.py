"""A bgpd behind vtysh, as Quagga 0.99 and 1.2 and FRR were recorded: the words of each, and the habits."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from policy.errors import PolicyError
from policy.route import parse_prefix
from speaker.backends.quagga.vtysh import NotRunningError, Output
from tests.support.fakes.bgpd_table import FORMS, Form, Row, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from policy.route import Prefix

Dialect = Literal["quagga-0.99.22.4", "quagga-1.2.4", "frr-8.4.4", "frr-10.3", "frr-10.7.1"]
Clauses = dict[str, list[str]]
_ABSENT = "% Can't find specified static route configuration."
_REPLACED = (
    "as-path",
    "metric",
    "local-preference",
    "origin",
    "community",
    "large-community",
    "extcommunity",
)


class _RefusalError(Exception):
    """What a command is answered with, and whether the batch goes on."""

    def __init__(self, text: str, *, goes_on: bool = False) -> None:
        super().__init__(text)
        self.goes_on = goes_on


@dataclass
class Path:
    """A path of our own: what its route-map set when it was entered."""

    sets: list[str]
    valid: bool = True
    best: bool = False

    def value(self, kind: str) -> str:
        """Return what was set of a kind, empty for nothing."""
        start = f"set {kind} "
        return next((line[len(start) :] for line in self.sets if line.startswith(start)), "")


@dataclass
class Bgpd:
    """The daemon: its configuration, its paths, and vtysh as a driver calls it."""

    dialect: Dialect
    asn: int | None = 64699
    networks: dict[Prefix, str] = field(default_factory=dict)
    maps: dict[str, Clauses] = field(default_factory=dict)
    paths: dict[Prefix, Path] = field(default_factory=dict)
    learned: dict[Prefix, str] = field(default_factory=dict)
    peer: tuple[str, int] = ("203.0.113.1", 64500)
    established: bool = True
    """Whether the peer's session is up."""
    families: tuple[int, ...] = (4, 6)
    """Those that the peer's session negotiated."""
    policy: bool = True
    """Whether there is a policy for what the peer is sent."""
    advertised: set[Prefix] = field(default_factory=set)
    """What the peer was sent, which is what bgpd has a moment ago."""
    filtered: bool = False
    """Whether the peer's filter keeps everything from it."""
    mute: bool = False
    """Whether it does not know who was sent what."""
    import_check: bool = False
    up: bool = True
    locked: int = 0
    """So many configurations are refused for the lock."""
    faults: list[bool] = field(default_factory=list)
    """For each command to come, whether it is not understood."""
    runs: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def frr(self) -> bool:
        """Whether it is an FRR."""
        return self.dialect.startswith("frr")

    @property
    def _form(self) -> Form:
        return FORMS[self.dialect]

    async def __call__(self, commands: Sequence[str]) -> Output:
        """Run commands like vtysh. Given up half-way, half of them are done."""
        self.runs.append(tuple(commands))
        if not self.up:
            down = Output(1, "", "Exiting: failed to connect to any daemons.\n")
            raise NotRunningError("quagga/bgpd not running", commands, down)
        self._node = ""
        said: list[str] = []
        status = 0
        for number, command in enumerate(commands):
            if number % 50 == 0:
                await asyncio.sleep(0)
            try:
                if self.faults and self.faults.pop(0):
                    raise self._unknown(command)
                said += self._do(command)
            except _RefusalError as refusal:
                said.append(str(refusal))
                if not refusal.goes_on:
                    status = 1
                    break
        return Output(status, "".join(f"{line}\n" for line in said), "")

    def _unknown(self, command: str) -> _RefusalError:
        return _RefusalError(f"% Unknown command: {command}" if self.frr else "% Unknown command.")

    def _do(self, command: str) -> list[str]:
        match command.split():
            case ["show", *_]:
                return self._show(command)
            case ["configure", "terminal"]:
                if self.locked:
                    self.locked -= 1
                    raise _RefusalError("VTY configuration is locked by other VTY")
                self._node = "config"
            case ["exit"] if self._node:
                self._node = "config"
            case ["router", "bgp", asn] if self._node:
                self._router(int(asn))
            case ["route-map", name, kind, number] if self._node:
                self._enter(name, kind, number)
            case ["no", "route-map", name, *clause] if self._node:
                self._remove_map(name, " ".join(["route-map", name, *clause]) if clause else "")
            case _:
                if self._node == "map":
                    self._set(command)
                else:
                    self._network_line(command)
        return []

    def _set(self, command: str) -> None:
        match command.split():
            case ["set", kind, *_] if kind in _REPLACED:
                self._clause[:] = [old for old in self._clause if _kind(old) != _kind(command)]
                self._clause.append(command)
            case ["no", "set", "as-path", "prepend", _, *_] if self.frr:
                raise self._unknown(command)
            case ["no", *rest] if rest[0] == "set" and rest[1] in _REPLACED:
                gone = _kind(" ".join(rest))
                self._clause[:] = [old for old in self._clause if _kind(old) != gone]
            case ["no", *rest] if " ".join(rest) in self._clause:
                self._clause.remove(" ".join(rest))
            case _:
                raise self._unknown(command)
        self._changed()

    def _network_line(self, command: str) -> None:
        match command.split():
            case ["address-family", "ipv6", *rest] if self._node == "ipv4":
                if rest and self.dialect == "quagga-0.99.22.4":
                    raise _RefusalError("% Ambiguous command.")
                self._node = "ipv6"
            case ["address-family", "ipv4", "unicast"] if self._node == "ipv4":
                pass
            case ["exit-address-family"] if self._node in {"ipv4", "ipv6"}:
                self._node = "ipv4"
            case ["network", _, "route-map"] if self._node in {"ipv4", "ipv6"}:
                text = "% Command incomplete"
                raise _RefusalError(f"{text}: {command}" if self.frr else f"{text}.")
            case ["network", text] if self._node in {"ipv4", "ipv6"}:
                self._network(self._prefix(text, command), "")
            case ["network", text, "route-map", name] if self._node in {"ipv4", "ipv6"}:
                self._network(self._prefix(text, command), name)
            case ["no", "network", text, *rest] if self._node in {"ipv4", "ipv6"}:
                prefix = self._prefix(text, command)
                if self.frr and rest and self.networks.get(prefix) != rest[1]:
                    raise _RefusalError("% route-map name doesn't match static route")
                self._remove(prefix)
            case _:
                raise self._unknown(command)

    # --- configuration -------------------------------------------------------------------------

    def _router(self, asn: int) -> None:
        if self.asn is None:
            self.asn = asn  # an instance is made
        if asn != self.asn:
            text = f"BGP is already running; AS is {self.asn}"
            if self._form.rpki == "column":
                text = "BGP instance name and AS number mismatch\n"
                text += f"BGP instance is already running; AS is {self.asn}"
            raise _RefusalError(text, goes_on=not self.frr)
        self._node = "ipv4"

    def _enter(self, name: str, kind: str, number: str) -> None:
        clauses = self.maps.setdefault(name, {})
        for head in [head for head in clauses if head.split()[-1] == number]:
            if head.split()[2] != kind:
                del clauses[head]
        self._clause = clauses.setdefault(f"route-map {name} {kind} {number}", [])
        self._node = "map"
        self._changed()

    def _remove_map(self, name: str, clause: str) -> None:
        if clause:
            self.maps[name].pop(clause)
        if not clause or not self.maps[name]:
            del self.maps[name]
            if self.dialect == "quagga-0.99.22.4":
                for prefix in [p for p, used in self.networks.items() if used == name]:
                    self.paths.pop(prefix, None)
        self._changed()

    def _changed(self) -> None:
        """A route-map changed: FRR looks at its network lines again, Quagga when they are entered."""
        if self.frr:
            for prefix in self.networks:
                self._originate(prefix)

    def _prefix(self, text: str, command: str) -> Prefix:
        try:
            prefix = parse_prefix(text)
        except PolicyError:
            raise self._unknown(command) from None
        if (prefix.version == 6) != (self._node == "ipv6"):
            raise self._unknown(command)
        if prefix.is_link_local and self.frr:
            raise _RefusalError("% Malformed prefix (link-local address)")
        return prefix

    def _network(self, prefix: Prefix, name: str) -> None:
        self.networks[prefix] = name
        self._originate(prefix)

    def _originate(self, prefix: Prefix) -> None:
        name = self.networks[prefix]
        clauses = self.maps.get(name, {}) if name else {"route-map permit": []}
        first = (
            min(clauses, key=lambda head: int(head.split()[-1]), default="") if name else "permit"
        )
        if not name or " permit " in first:
            sets = list(clauses[first]) if name else []
            before = self.paths.get(prefix)
            if before is None or before.sets != sets:
                self.paths[prefix] = Path(sets, valid=not self.import_check)
        else:
            self.paths.pop(prefix, None)

    def _remove(self, prefix: Prefix) -> None:
        if prefix not in self.networks:
            if self.frr:
                raise _RefusalError("% Can't find static route specified")
            raise _RefusalError(_ABSENT, goes_on=True)
        del self.networks[prefix]  # its path goes a moment later

    # --- questions -----------------------------------------------------------------------------

    def _show(self, command: str) -> list[str]:
        match command.split():
            case ["show", "running-config"]:
                return self._running()
            case ["show", "bgp", "ipv4", "unicast"]:
                return self._table(4)
            case ["show", "bgp", "ipv6", "unicast"]:
                return self._table(6)
            case ["show", "ip", "bgp", "summary"]:
                return self._summary(4)
            case ["show", "bgp", "ipv4", "unicast", "255.255.255.255/32"]:
                return ["% Network not in table"]
            case ["show", "ip", "bgp", "neighbors", address, "advertised-routes"]:
                return self._advertised(address, 4)
            case ["show", "bgp", "neighbors", address, "advertised-routes"]:
                return self._advertised(address, 6)
            case ["show", "bgp", "vrf", "all", "summary", "json"] if self.frr and self.asn:
                peers = {self.peer[0]: {"remoteAs": self.peer[1], "softwareVersion": "n/a"}}
                document = {"default": {"ipv4Unicast": {"peers": peers}}}
                return [*json.dumps(document, indent=1).splitlines(), ""]
            case ["show", "bgp", "summary"]:
                return self._summary(*((6,) if self.dialect == "quagga-0.99.22.4" else (4, 6)))
            case _:
                raise self._unknown(command)

    def _running(self) -> list[str]:
        lines = [
            "Building configuration...",
            "",
            "Current configuration:",
            "!",
            "hostname lvs",
            "!",
        ]
        networks: dict[int, list[str]] = {4: [], 6: []}
        for prefix, name in sorted(self.networks.items(), key=str):
            also = f" route-map {name}" if name else ""
            networks[prefix.version].append(f" network {prefix}{also}")
        if self.frr:
            lines.insert(4, f"frr version {self.dialect.removeprefix('frr-')}")
        if self.asn is not None and self.frr:
            lines += [f"router bgp {self.asn}", " no bgp network import-check", " !"]
            for family, version in (("ipv4", 4), ("ipv6", 6)):
                inside = [f" {line}" for line in networks[version] + self._neighbor_lines(version)]
                lines += [
                    f" address-family {family} unicast",
                    *inside,
                    " exit-address-family",
                    " !",
                ]
            lines += ["exit", "!"]
        elif self.asn is not None:
            lines += [f"router bgp {self.asn}", " bgp router-id 203.0.113.2", *networks[4]]
            lines += [*self._neighbor_lines(4), "!", " address-family ipv6", *networks[6]]
            lines += [*self._neighbor_lines(6), " exit-address-family"]
            lines += [" exit", "!"] if self.dialect == "quagga-1.2.4" else ["!"]
        for clauses in self.maps.values():
            for head, inside in clauses.items():
                lines += [head, *(f" {line}" for line in inside), *(["exit"] * self.frr), "!"]
        lines += self._list_lines()
        return [*lines, "line vty", "!", "end"] if not self.frr else [*lines, "end"]

    def _neighbor_lines(self, version: int) -> list[str]:
        """Return the lines of neighbours in a family."""
        del version
        return []

    def _list_lines(self) -> list[str]:
        """Return the lines of prefix-lists."""
        return []

    def _sessions(self) -> list[tuple[str, int, bool]]:
        """Return the neighbours: address, AS, whether the session is up."""
        return [(*self.peer, self.established)]

    def _table(self, version: int) -> list[str]:
        if self.asn is None:
            return ["Default BGP instance not found"]
        rows: list[Row] = []
        for prefix in sorted({*self.paths, *self.learned}, key=str):
            if prefix.version == version:
                rows += self._rows(prefix)
        for prefix in [p for p in self.paths if p.version == version]:
            if prefix not in self.networks:
                del self.paths[prefix]
            else:
                self.paths[prefix].best = self.paths[prefix].valid
        return list(table(self._form, rows))

    def _rows(self, prefix: Prefix) -> Iterator[Row]:
        if prefix in self.learned:
            codes = "*  " if prefix in self.paths else "*> "
            path = [int(asn) for asn in self.learned[prefix].split()]
            yield Row(prefix, codes, "203.0.113.1", 0, None, 0, path)
        if prefix in self.paths:
            ours = self.paths[prefix]
            codes = ("*" if ours.valid else " ") + ("> " if ours.best else "  ")
            if self._form.rpki == "column" and prefix not in self.networks:
                codes = "Ru "  # removed, and not sorted out yet
            prepended = ours.value("as-path").removeprefix("prepend ")
            yield Row(
                prefix,
                codes,
                "0.0.0.0" if prefix.version == 4 else "::",
                int(ours.value("metric") or 0),
                None,
                32768,
                [int(asn) for asn in prepended.split()],
                {"egp": "e", "incomplete": "?"}.get(ours.value("origin"), "i"),
            )

    def _advertised(self, address: str, version: int) -> list[str]:
        """Return what the peer was sent: what was the best when it was asked for the last time."""
        if self.mute:
            raise self._unknown("advertised-routes")
        assert address == self.peer[0]
        rows: list[Row] = []
        for prefix in sorted(self.advertised, key=str):
            if prefix.version == version:
                rows += self._sent_row(prefix)
        for prefix, path in self.learned.items():
            if prefix.version == version and prefix not in self.advertised:
                rows.append(Row(prefix, "*> ", "0.0.0.0", 0, None, 0, [*map(int, path.split())]))
        self.advertised = {p for p in self.advertised if p.version != version} | {
            p
            for p, path in self.paths.items()
            if path.best and p.version == version and not self.filtered
        }
        return list(table(self._form, rows)) if rows else []

    def _sent_row(self, prefix: Prefix) -> Iterator[Row]:
        hop = "0.0.0.0" if prefix.version == 4 else "::"
        if not self.frr:
            hop = "203.0.113.2" if prefix.version == 4 else "2001:db8:ffff:1::2"
        weight = 0 if self.dialect == "frr-10.7.1" else 32768
        yield Row(prefix, "*> ", hop, 0, None, weight, [])

    def _summary(self, *versions: int) -> list[str]:
        """Return a summary. A neighbour has both families; see `parse_summary` for the titles."""
        if self.asn is None:
            return ["% BGP instance not found"]
        head = "Neighbor V AS MsgRcvd MsgSent TblVer InQ OutQ Up/Down State/PfxRcd"
        lines: list[str] = []
        for version in versions:
            sent = f" {0 if self.policy else '(Policy)'} N/A" if self.frr else ""
            if self.frr or (self.dialect == "quagga-1.2.4" and len(versions) > 1):
                lines += ["", f"IPv{version} Unicast Summary:"]
            lines += [
                f"BGP router identifier 203.0.113.2, local AS number {self.asn}",
                "",
                head + " PfxSnt Desc" * self.frr,
            ]
            for address, asn, up in self._sessions():
                state: int | str = 0 if up else "Active"
                if up and version not in self.families:
                    state = "NoNeg"
                lines.append(f"{address:<15} 4 {asn:>5} 5 5 0 0 0 00:00:01 {state}{sent}")
            lines += ["", f"Total number of neighbors {len(self._sessions())}"]
        return lines


def _kind(line: str) -> list[str]:
    """Return what a line sets: one kind of extended communities, or any other attribute."""
    words = line.split()
    return words[1 : 3 if words[1] == "extcommunity" else 2]


def extended(sets: Iterable[str]) -> Iterator[str]:
    """Yield the extended communities that the lines of a clause set, as `rt:64500:1`."""
    for line in sets:
        match line.split():
            case ["set", "extcommunity", kind, *values]:
                yield from (f"{kind}:{value}" for value in values)


def communities(text: str) -> list[str]:
    """Return the communities of a `set`, as numbers."""
    return re.findall(r"[0-9:]+", text)
