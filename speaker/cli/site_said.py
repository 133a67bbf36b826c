"""What became of an order for several machines, in lines: each that has confirmed it, each that has not, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.intent import Mode
from policy.wording import span
from speaker.cli.messages import tell_operator
from speaker.exit_status import ExitStatus

if TYPE_CHECKING:
    from speaker.cli.arguments import Call
    from speaker.site_values import SiteReport

_SOFTLY = {
    Mode.DRAINING: "confirmed: drains softly; vip_mgmt status --site shows how far it is",
    Mode.RETURNING: "confirmed: comes back softly",
}


def report_site(report: SiteReport, call: Call) -> ExitStatus:
    """Say what became of an order at the machines for which it is; return 0 where each live one of them has confirmed it."""
    if call.dry_run:
        names = ", ".join(each.machine for each in report.machines) or "no live machine is known"
        tell_operator(f"would be: ordered for {report.extent}: {names}")
        _say_of_others(report)
        return ExitStatus.DONE
    if not report.committed:
        _say_queued(report)
        return ExitStatus.NOT_AS_WANTED
    for each in report.machines:
        if each.obeys:
            tell_operator(f"{each.machine}: {_SOFTLY.get(call.mode, 'confirmed')}")
    lacking = [each for each in report.machines if not each.obeys]
    for each in lacking:
        why = f": {each.why}" if each.why else ""
        tell_operator(f"{each.machine}: not confirmed within {span(report.within)}{why}")
    _say_of_others(report)
    if not report.machines:
        tell_operator(
            f"{report.extent}: etcd has it, and no machine of {report.extent} is live: nobody has confirmed it"
        )
    return ExitStatus.NOT_AS_WANTED if lacking or not report.machines else ExitStatus.DONE


def _say_of_others(report: SiteReport) -> None:
    for text in report.silent:
        tell_operator(f"{text}; what it announces is not known, and it obeys this once it is back")
    for text in report.still:
        tell_operator(text)


def _say_queued(report: SiteReport) -> None:
    """Say that etcd is not known to have it."""
    of = "the others" if report.extent == "everywhere" else f"the others of {report.extent}"
    done = f"recorded on {report.here}"
    if not report.is_here:
        of = report.extent
        done = f"recorded on {report.here}, which is not of {report.extent}"
    tell_operator(
        f"site: {report.trouble or 'etcd does not answer'}: {done}, and queued for {of}, who get it once it can be handed on: "
        "until then, what they announce is as before, or not known"
    )
    for each in report.machines:
        if not each.obeys:
            why = f": {each.why}" if each.why else ""
            tell_operator(f"{each.machine}: has not confirmed it{why}")
    for text in (*report.silent, *report.still):
        tell_operator(text)
