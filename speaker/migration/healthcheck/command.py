"""`vip_mgmt import --healthcheck`: exabgp.conf of each data centre -> one vip.toml, and what is announced before and after."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from policy.wording import named
from speaker.exit_status import ExitStatus
from speaker.files import bounded
from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.healthcheck import checks, exabgp_file, program
from speaker.migration.healthcheck.announced import HealthcheckState, announced, chosen, states
from speaker.migration.healthcheck.evaluation import evaluate
from speaker.migration.proof import prove
from speaker.migration.target import exabgp_site, files, inferred_policy, vip_toml
from speaker.terminal import say, table, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from policy.route import Prefix
    from policy.rule import Rule
    from speaker.config.settings_checks import CheckSettings
    from speaker.migration.healthcheck.checks import Checked
    from speaker.migration.healthcheck.exabgp_file import ExabgpFile
    from speaker.migration.healthcheck.program import Healthcheck
    from speaker.migration.options import Import
    from speaker.migration.target.site import Site
    from speaker.migration.updates.evaluate import Evaluation

VIP_TOML = "vip.toml"
_NAMED = 5
"""How many programs that can't be run here the summary names."""
_HEAD = """\
What ExaBGP's healthcheck programs announced, made by vip_mgmt import --healthcheck of
{files}
One file for every data centre, except [node]."""


@dataclass(frozen=True, slots=True)
class HealthchecksRead:
    """The healthchecks of one data centre, what they announce, and what they become."""

    site: Site
    evaluation: Evaluation
    file: ExabgpFile
    made: Mapping[str, tuple[Healthcheck, Checked]]
    """By the names of their VIPs."""


@dataclass(slots=True)
class Names:
    """The VIP of each prefix, how each is judged, and what is wrong or to be said of that, over all data centres."""

    names: dict[Prefix, str] = field(default_factory=dict)
    checks: dict[str, CheckSettings] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _judged: dict[str, tuple[str, Checked]] = field(default_factory=dict)

    def add(self, found: HealthchecksRead) -> None:
        """Take the healthchecks of one more data centre."""
        for name, (check, checked) in found.made.items():
            for prefix in check.prefixes():
                other = self.names.setdefault(prefix, name)
                if other != name:
                    self.notes.append(
                        f"{check.where}: {check}: {prefix} is of {other} in another data centre, and stays there"
                    )
                self._judge(other, check, checked)

    def _judge(self, name: str, check: Healthcheck, checked: Checked) -> None:
        where, before = self._judged.setdefault(name, (check.where, checked))
        if before is not checked and _asks(before) != _asks(checked):
            self.faults.append(
                f"{check.where}: {check}: its check is another one than that of {where}; vip.toml has one rule for {name} in "
                "every data centre: make them alike in copies of the files"
            )
        elif before is checked:
            self.checks |= {each.name: each for each in checked.checks}
            if checked.rule is not None:
                self.rules[name] = checked.rule


def _asks(checked: Checked) -> tuple[CheckSettings, ...]:
    return tuple(replace(each, name="") for each in checked.checks)


def run(call: Import, which: Callable[[str], str | None] = shutil.which) -> int:
    """Run the command and return its exit status.

    Args:
        call: what was asked for.
        which: finds a program that can be run here, by its name or its path.

    Raises:
        SpeakerError: nothing is written.
    """
    found = [_read(call, dc, path, which) for dc, path in call.files.items()]
    names = Names()
    for each in found:
        names.add(each)
    sites = [each.site for each in found]
    faults = [*(fault for site in sites for fault in site.faults), *names.faults]
    layout = inferred_policy.fit(sites, names.names)
    faults += layout.faults
    refused = [line for each in found for line in _refused(each)]
    if refused and call.strict:
        faults.append("--strict: lines are refused, see above")
    for line in (line for site in sites for line in site.told):
        say(line)
    for line in (
        *layout.told,
        *(text for each in found for _, made in each.made.values() for text in made.told),
    ):
        say(line)
    for line in refused:
        say(f"refused: {line}")
    notes = [*(note for site in sites for note in site.notes), *layout.notes, *names.notes]
    notes += [
        f"{check.where}: {check}: this user can't run {program} on this machine; see that vip_watchdog can, where it runs"
        for each in found
        for check, made in each.made.values()
        for program in made.lacking
    ]
    for note in dict.fromkeys(notes):
        say(f"note: {note}")
    if faults:
        raise MigrationError("\n".join([*dict.fromkeys(faults), "nothing is written"]))
    findings = _write(call, found, vip_toml.render(sites, layout, judged=_judged(call, names)))
    for line in findings:
        say(line)
    differing = _compare(found)
    _next(call, found, differing)
    return ExitStatus.DIFFERENT if refused or notes or findings or differing else ExitStatus.DONE


def _read(
    call: Import, dc: str, path: Path, which: Callable[[str], str | None]
) -> HealthchecksRead:
    file, text = _open(path)
    read = exabgp_file.read(file, text)
    given = [program.read(each, lambda name: _beside(path, name)) for each in read.healthchecks]
    configuration, evaluation = evaluate(file, read, given)
    site = exabgp_site.make(dc, configuration, evaluation, call.own.get(dc))
    made: dict[str, tuple[Healthcheck, Checked]] = {}
    for each in given:
        made[_name(each, made)] = each, checks.convert(each, which)
    return HealthchecksRead(site, evaluation, read, made)


def _name(check: Healthcheck, taken: Collection[str]) -> str:
    """Return the name of a healthcheck's VIP: its own, else its process's."""
    for text in (check.text("name") or "", check.process):
        name = text.lower().strip(" .")
        if name not in taken and name not in ("", "all") and name.isprintable():
            return name
    return f"healthcheck-{len(taken) + 1}"


def _open(path: Path) -> tuple[str, str]:
    try:
        return str(path), bounded.read(path).decode("utf-8", errors="backslashreplace")
    except OSError as error:
        raise MigrationError(f"{path}: {error.strerror}; name an exabgp.conf") from error


def _beside(conf: Path, name: str) -> tuple[str, str]:
    """Return the file that a healthcheck names by --config: where it says, else beside exabgp.conf."""
    for path in (conf.parent / name, conf.parent / Path(name).name):
        # No operator named it: it may be a pipe, or no name of a file at all (NUL, no UTF-8).
        with suppress(OSError, ValueError), bounded.regular(path) as descriptor:
            return str(path), bounded.read(descriptor).decode("utf-8", errors="backslashreplace")
    raise MigrationError(f"{conf}: --config {name}: can't be read; copy it beside {conf.name}")


def _refused(found: HealthchecksRead) -> Iterator[str]:
    for _, checked in found.made.values():
        yield from checked.refused
    for session in found.file.sessions:
        if session.address not in found.evaluation.updates and session.processes & {
            check.process for check, _ in found.made.values()
        }:
            yield (
                f"{session.where}: neighbor {session.address}: --neighbor keeps everything from it; list vip-speaker's process in the other "
                "neighbors alone"
            )
    for name in found.file.others:
        yield f"{found.site.configuration.file}: process {name}: is not ExaBGP's healthcheck; what it announces is not taken over"


def _judged(call: Import, names: Names) -> vip_toml.CheckedVips:
    listed = "\n".join(f"  {dc}: {path}" for dc, path in call.files.items())
    return vip_toml.CheckedVips(names.checks, names.rules, _HEAD.format(files=listed))


def _write(call: Import, found: Sequence[HealthchecksRead], text: str) -> tuple[str, ...]:
    """Write vip.toml if it is valid and sends the same; return what should be looked at."""
    if not call.force:
        files.check_free(call.out, [VIP_TOML])
    evaluations = {each.site.name: each.evaluation for each in found}
    with files.beside(call.out, {VIP_TOML: text}, {}) as folder:
        findings = prove(
            folder / VIP_TOML, [each.site for each in found], evaluations, "healthcheck"
        )
        files.put(folder, call.out, [VIP_TOML])
    tell(f"written: {call.out / VIP_TOML}")
    return findings


def _compare(found: Sequence[HealthchecksRead]) -> int:
    """Show what is announced in each state, before and after; return in how many rows it differs."""
    rows: list[tuple[str, ...]] = [("DC", "PREFIX", "STATE", "HEALTHCHECK", "VIP-SPEAKER")]
    for each in found:
        for check, _ in each.made.values():
            session = chosen(check, each.file.sessions)[0]
            for state in states(check):
                for prefix, old in announced(check, state, session).items():
                    before = "withdrawn" if old is None else str(old)
                    after = (
                        "the same" if state is HealthcheckState.UP or old is None else "withdrawn"
                    )
                    rows.append((each.site.name, str(prefix), str(state), before, after))
    tell(table(rows))
    return sum(1 for row in rows[1:] if row[-1] != "the same")


def _next(call: Import, found: Sequence[HealthchecksRead], differing: int) -> None:
    vips = len({name for each in found for name in each.made})
    processes = ", ".join(check.process for each in found for check, _ in each.made.values())
    how = (
        "the UPDATEs are equal in every state"
        if not differing
        else "the UPDATEs are equal while up, see above"
    )
    programs = dict.fromkeys(
        program for each in found for _, made in each.made.values() for program in made.lacking
    )
    lacking = (
        f"  can't be run by this user: {named(programs, _NAMED)}; see above\n" if programs else ""
    )
    tell(
        f"summary:\n  imported: {vips} VIP{'s' * (vips != 1)} of {len(found)} data centre{'s' * (len(found) != 1)}; {how}\n{lacking}"
        f"  next: read {call.out / VIP_TOML}; in exabgp.conf put the process of exabgp.conf.example in the place of {processes}, with its api "
        "section in each neighbor; then vip_mgmt check"
    )
