"""What the names of a call mean; history is asked about VIPs, and what their rules name (`report/shop`, `check/shop`, `vip/vip-1.tld`)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from policy.sources import CHECK, REPORT, VIP
from policy.wording import named
from speaker.cli import targets
from speaker.cli.targets import TargetError, Targets
from speaker.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from speaker.cli.arguments import Call
    from speaker.cli.targets import Lookup
    from speaker.config.settings import Config

NAMED = 3
"""How many VIPs of a check are named."""


def meant(call: Call, loaded: Config, lookup: Lookup) -> Targets:
    """Return what the names of a call mean: to history those of sources, too. See `find`, and `targets.find`."""
    if call.command == "history":
        return find(call.words, loaded, lookup, dns=call.dns)
    return targets.find(call.words, loaded.topology, lookup, dns=call.dns)


def find(names: Sequence[str], loaded: Config, lookup: Lookup, *, dns: bool = False) -> Targets:
    """Return what names mean to history: those of `targets.find`, and sources of rules.

    A report has lines of its own. A check has none: those of the VIPs whose rule asks it are meant, which is said.

    Args:
        names: what was typed.
        loaded: the configuration.
        lookup: see `targets.find`.
        dns: see `targets.find`.

    Raises:
        TargetError: one of the names is of nothing.
    """
    sources = _Sources(loaded)
    words = [word for name in names for word in sources.instead(name)]
    found = targets.find(words, loaded.topology, lookup, dns=dns)
    notes = (*sources.notes, *found.notes)
    return replace(found, notes=notes, reports=tuple(dict.fromkeys(sources.reports)))


@dataclass
class _Sources:
    """The sources among names, of which the reports and the notes are gathered."""

    loaded: Config
    reports: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def instead(self, name: str) -> Sequence[str]:
        """Return the names of VIPs that a name stands for; itself where it is no source's."""
        settings, topology = self.loaded.settings, self.loaded.topology
        if targets.vip(name, topology) is not None:
            return [name]
        if name.startswith(REPORT):
            self._known(name, REPORT, settings.api.reports)
            self.reports.append(name)
            return []
        if name.startswith(CHECK):
            self._known(name, CHECK, settings.checks)
            return self._asking(name)
        if name.startswith(VIP):
            self._known(name.lower(), VIP, [vip.name for vip in topology.vips])
            return [name.removeprefix(VIP)]
        return [name]

    def _known(self, name: str, kind: str, known: Collection[str]) -> None:
        if name.removeprefix(kind) not in known:
            near = nearest(name, (f"{kind}{each}" for each in known))
            raise TargetError(f"{name}: not in vip.toml{near}")

    def _asking(self, name: str) -> Sequence[str]:
        check = name.removeprefix(CHECK)
        vips = [
            vip
            for vip, health in self.loaded.settings.health.items()
            if any(each.name == check for each in health.checks)
        ]
        if not vips:
            raise TargetError(
                f"{name}: no VIP's rule asks it, and a check has no history of its own"
            )
        self.notes.append(
            f"{name}: a check has no history of its own; this is that of {named(vips, NAMED)}, whose rule asks it"
        )
        return vips
