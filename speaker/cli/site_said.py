"""What became of an order for several machines, in lines: each that has confirmed it, each that has not, and why."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from policy.intent import Mode
from policy.wording import named, span
from speaker.cli.messages import tell_operator
from speaker.exit_status import ExitStatus

if TYPE_CHECKING:
    from speaker.cli.arguments import Call
    from speaker.site_values import MachineReport, SiteReport

WIDE = 190
"""Characters of a line at most, but for a word that is longer."""
NAMED = 5
"""How many machines are named on a line."""
_SOFTLY = {
    Mode.DRAINING: "confirmed: drains softly; vip_mgmt status --site shows how far it is",
    Mode.RETURNING: "confirmed: comes back softly",
}


def report_site(report: SiteReport, call: Call) -> ExitStatus:
    """Say what became of an order at the machines for which it is; return 0 where each live one of them has confirmed it, and can send it."""
    if call.dry_run:
        names = ", ".join(each.machine for each in report.machines) or "no live machine is known"
        _say(f"would be: ordered for {report.extent}: {names}")
        _say_of_others(report)
        return ExitStatus.DONE
    if not report.committed:
        _say_queued(report, call)
        return ExitStatus.NOT_AS_WANTED
    lacking = [each for each in report.machines if not each.obeys or each.unsent]
    for each in sorted(report.machines, key=lambda each: (not each.obeys, bool(each.unsent))):
        _say_of(each, report, call)
    _say_of_others(report)
    if not report.machines:
        _say(
            f"{report.extent}: etcd has it, and no machine of {report.extent} is live: nobody has confirmed it"
        )
    return ExitStatus.NOT_AS_WANTED if lacking or not report.machines else ExitStatus.DONE


def _say_of_others(report: SiteReport) -> None:
    for text in report.silent:
        _say(f"{text}; what it announces is not known, and it obeys this once it is back")
    for text in report.still:
        _say(text)


def _say_of(machine: MachineReport, report: SiteReport, call: Call) -> None:
    if machine.obeys and machine.unsent:
        _say(f"{machine.machine}: recorded; {machine.unsent}")
    elif machine.obeys:
        _say(f"{machine.machine}: {_SOFTLY.get(call.mode, 'confirmed')}")
    else:
        why = f": {machine.why}" if machine.why else ""
        _say(f"{machine.machine}: not confirmed within {span(report.within)}{why}")


def _say_queued(report: SiteReport, call: Call) -> None:
    """Say that etcd is not known to have it: first what is so here, then who does not have it, and why."""
    others = [each.machine for each in report.machines if each.machine != report.here]
    for each in report.machines:
        if each.machine == report.here:
            _say_of(each, report, call)
    of = "the others" if report.extent == "everywhere" else f"the others of {report.extent}"
    done = f"recorded on {report.here}"
    if not report.is_here:
        of = report.extent
        done = f"recorded on {report.here}, which is not of {report.extent}"
    names = f" ({named(others, NAMED)})" if others else ""
    _say(
        f"{done}, and queued for {of}{names}, who get it once it can be handed on: until then, what they announce is as before, "
        "or not known"
    )
    _say(report.trouble or "etcd does not answer")
    for text in (*report.silent, *report.still):
        _say(text)
    if report.machines:
        _say("how it stands at all machines: vip_mgmt status --site")


def _say(text: str) -> None:
    """Say a text on lines that are not too long."""
    for line in textwrap.wrap(text, WIDE, break_long_words=False, break_on_hyphens=False):
        tell_operator(line)
