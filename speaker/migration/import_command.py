"""The command `vip_mgmt import`: each data centre's bgpd.conf -> vip.toml and exabgp-DC.conf.

Exit status: 0 all is translated; 2 written, and something should be looked at; 255 nothing written.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from speaker.backends.quagga.vtysh import Shell
from speaker.errors import SpeakerError
from speaker.exit_status import ExitStatus
from speaker.files import bounded
from speaker.migration import summary
from speaker.migration.bgpd_conf.answers import Answers, unused
from speaker.migration.bgpd_conf.model import Treatment
from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.healthcheck import command as healthcheck
from speaker.migration.options import parse
from speaker.migration.proof import prove
from speaker.migration.summary import Refused
from speaker.migration.target import (
    exabgp_conf,
    exabgp_site,
    files,
    inferred_policy,
    vip_names,
    vip_toml,
)
from speaker.migration.target.proposed_health import NOTHING_PROPOSED, ProposedHealth, propose
from speaker.migration.this_machine import MachineAsked, read_it
from speaker.migration.updates.as_vip_toml import evaluated
from speaker.migration.updates.verdicts import account
from speaker.resolver.resolver import Resolver
from speaker.terminal import OutputError, say, tell, waiting

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from policy.route import Prefix
    from speaker.migration.bgpd_conf.model import LineVerdict
    from speaker.migration.options import Import
    from speaker.migration.target.site import Site
    from speaker.migration.this_machine import MachineSeen
    from speaker.migration.updates.evaluate import Evaluation

VIP_TOML = "vip.toml"
CONFIG = "/etc/vip-speaker/vip.toml"
_NOTHING = "nothing is written"
"""How each refusal ends: all files are put in place at the end, or none is."""


def main(arguments: Sequence[str], asked: MachineAsked | None = None) -> int:
    """Run the command and return its exit status.

    Args:
        arguments: the words after `import`.
        asked: what of this machine is asked; None for the real one.
    """
    try:
        call = parse(arguments)
        if call.healthcheck:
            return healthcheck.run(call)
        with waiting("import: evaluating the configurations"):
            return _run(call, asked or MachineAsked(vtysh=_vtysh))
    except SpeakerError as error:
        said = str(error)
        say(said if _NOTHING in said else f"{said}\n{_NOTHING}")
        if isinstance(error, _NothingWrittenError):
            _tell(error.summary)
        return ExitStatus.USAGE


def _tell(text: str) -> None:
    """Say what became of something on stdout; a fault of that stops no import."""
    try:
        tell(text)
    except OutputError as error:
        say(str(error))


class _NothingWrittenError(MigrationError):
    """An import is refused, and `summary` says how far it came."""

    def __init__(self, call: Import, done: _Read, faults: Sequence[str]) -> None:
        several = [*dict.fromkeys(faults)]
        super().__init__("\n".join([*several, "nothing is written"]))
        self.summary = summary.of_refused(call, done.sites, len(several), done.refused)


@dataclass(slots=True)
class _Read:
    """What the files say, and what was said of them."""

    sites: list[Site] = field(default_factory=list)
    evaluations: dict[str, Evaluation] = field(default_factory=dict)
    refused: Refused = field(default_factory=Refused)
    faults: list[str] = field(default_factory=list)
    machine: MachineSeen | None = None
    """This machine, where it was asked in place of a file."""


def _vtysh(path: Path) -> Shell:
    return Shell(path, max_output=bounded.MAX_SIZE, named="--vtysh")


def _read_all(call: Import, asked: MachineAsked) -> _Read:
    """Read and evaluate each file, and say what became of its lines."""
    done = _Read()
    for dc, file in call.files.items():
        answers = call.answers.get(dc) or Answers()
        found, seen = read_it(file, call.dialects.get(dc), answers, asked, call.vtysh)
        done.machine = seen or done.machine
        say(str(found.read_as))
        found, evaluation = evaluated(found)
        done.evaluations[dc] = evaluation
        verdicts = account(found, evaluation)
        obstacles = [str(obstacle) for obstacle in evaluation.obstacles]
        _report(verdicts, {*obstacles})
        done.refused.add(verdicts)
        done.faults += obstacles
        source = asked.source if call.here == dc else None
        done.sites.append(exabgp_site.make(dc, found, evaluation, call.own.get(dc), source))
        for line in done.sites[-1].told:
            say(line)
    return done


def _run(call: Import, asked: MachineAsked) -> int:
    done = _read_all(call, asked)
    sites = done.sites
    faults = [*done.faults, *(fault for each in sites for fault in each.faults)]
    notes = [note for each in sites for note in each.notes]
    named = _names(call, sites)
    layout = inferred_policy.fit(sites, named.names)
    faults += layout.faults
    for line in layout.told:
        say(line)
    proposed = _proposed(call, done, layout)
    notes += (*layout.notes, *proposed.notes)
    faults += [f"{word}: no file needs it; correct it" for word in unused(call.answers.values())]
    if done.refused and call.strict:
        faults.append("--strict: lines are refused, see above")
    if not faults and not layout.vips:
        faults.append("no VIP is announced anywhere; are these the right files?")
    for note in (*notes, *named.notes):
        say(f"note: {note}")
    if faults:
        raise _NothingWrittenError(call, done, faults)
    findings = _write(call, done, layout, proposed)
    for line in findings:
        say(line)
    _tell(summary.of_written(call, sites, len(layout.vips), done.refused))
    is_clean = not (done.refused or notes or named.notes or findings)
    return ExitStatus.DONE if is_clean else ExitStatus.DIFFERENT


def _names(call: Import, sites: Sequence[Site]) -> vip_names.Named:
    prefixes: tuple[Prefix, ...] = tuple(dict.fromkeys(p for each in sites for p in each.routes))
    covering = inferred_policy.aggregates(sites)
    resolver = Resolver(call.resolver)
    reverse = resolver.reverse_all if call.dns else None
    prefixes = tuple(prefix for prefix in prefixes if prefix not in covering)
    named = vip_names.name_all(prefixes, call.names, resolver.lookup_all, reverse)
    return replace(named, names={**named.names, **{each: str(each) for each in covering}})


def _report(verdicts: Sequence[LineVerdict], errors: Collection[str]) -> None:
    """Say what became of the lines of a file; those that are errors too are said with these."""
    for verdict in verdicts:
        if verdict.treatment is Treatment.REFUSED:
            if str(verdict) not in errors:
                say(f"refused: {verdict}")
        elif verdict.treatment is Treatment.HARMLESS:
            _tell(f"harmless: {verdict}")


def _proposed(call: Import, done: _Read, layout: inferred_policy.Layout) -> ProposedHealth:
    """Return what IPVS of this machine says of the VIPs' health, where that was asked."""
    if call.running is None or done.machine is None:
        return NOTHING_PROPOSED
    if done.machine.table is None:
        return ProposedHealth(notes=(f"no health is proposed: {done.machine.trouble}",))
    return propose(call.running, done.machine.table, layout.vips)


def _write(
    call: Import, done: _Read, layout: inferred_policy.Layout, proposed: ProposedHealth
) -> tuple[str, ...]:
    """Write all files if the whole is valid; return what should be looked at."""
    sites = done.sites
    reconciler = f"{_installed('vip_watchdog')} --config {CONFIG}"
    names = {each.name: f"exabgp-{each.name}.conf" for each in sites}
    contents = {VIP_TOML: vip_toml.render(sites, layout, proposed)}
    contents |= {names[each.name]: exabgp_conf.render(each, reconciler) for each in sites}
    if not call.force:
        files.check_free(call.out, list(contents))
    modes = dict.fromkeys(names.values(), files.PRIVATE)
    with files.beside(call.out, contents, modes) as folder:
        findings = prove(folder / VIP_TOML, sites, done.evaluations)
        program = call.exabgp or files.exabgp()
        if program is None:
            findings += ("ExaBGP is not installed here: its files are not validated",)
        else:
            for name in names.values():
                said = files.validate(program, folder / name, _installed("vip_watchdog"))
                if said:
                    raise MigrationError(f"ExaBGP refuses {name}: {said}\nnothing is written")
        files.put(folder, call.out, list(contents))
    for name in contents:
        _tell(f"written: {call.out / name}")
    return findings


def _installed(program: str) -> str:
    """Return the path of one of our programs: beside this one, or where the documentation puts it."""
    here = Path(sys.executable).with_name(program)
    return str(here if here.exists() else Path("/opt/vip-speaker/bin") / program)
