"""vip_mgmt status, explain, history, plan: asks, and prints what was answered."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from speaker.cli.arguments import ALL
from speaker.cli.messages import tell_operator
from speaker.cli.tables import plan_table, status_json, status_table
from speaker.exit_status import ExitStatus
from speaker.terminal import has_colours, show, tell, width

IPVS = Path("/proc/net/ip_vs")
"""Where it is not, there is nothing to be counted: what counts is slow to import."""

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from policy.route import Prefix
    from speaker.api import Operations, Status
    from speaker.cli.arguments import Call
    from speaker.cli.connections import ConnectionsSeen


def query(
    call: Call,
    operations: Operations,
    prefixes: Sequence[Prefix],
    connections: Callable[[], ConnectionsSeen] | None = None,
    reports: Sequence[str] = (),
) -> ExitStatus:
    """Ask what the call does, and print the answer.

    Args:
        call: what was asked for.
        operations: who is asked.
        prefixes: what its names mean.
        connections: counts the connections of each prefix; None where that is not done.
        reports: what history is asked about besides, as `report/NAME`.

    Raises:
        SpeakerError: there is no answer.
    """
    is_live = call.watch or (call.as_json and call.command == "status" and IPVS.exists())
    seen = connections() if connections is not None and is_live else None
    named = () if ALL in call.words else prefixes  # without any, all
    match call.command:
        case "status" if call.watch:
            from speaker.cli.watch import watch

            return watch(call, operations, {*map(str, named)}, connections=seen)
        case "status":
            return show_status(call, operations.status(), map(str, prefixes), seen)
        case "explain":
            from speaker.cli.explanation import explanation, explanation_json

            answer = operations.explain(named)
            tell(explanation_json(answer) if call.as_json else explanation(answer, width()))
        case "history":
            from speaker.cli.history import history

            return history(call, operations, () if ALL in call.words else (*prefixes, *reports))
        case "plan":
            return _plan(call, operations)
    return ExitStatus.DONE


def _plan(call: Call, operations: Operations) -> ExitStatus:
    changes = operations.plan()
    if call.as_json:
        tell(json.dumps([change.to_json() for change in changes], indent=2))
    else:
        tell(plan_table(changes))
    return ExitStatus.DIFFERENT if changes else ExitStatus.DONE


def show_status(
    call: Call, status: Status, prefixes: Iterable[str], seen: ConnectionsSeen | None = None
) -> ExitStatus:
    """Print a status, or what it has of some prefixes where the call names some."""
    missing: list[str] = []
    if call.words:
        wanted = {*prefixes}
        status = replace(
            status, routes=tuple(route for route in status.routes if route.prefix in wanted)
        )
        missing = sorted(wanted - {route.prefix for route in status.routes})
        for prefix in missing:
            tell_operator(
                f"{prefix}: in vip.toml, but vip_watchdog has not loaded it yet; load it by vip_mgmt reload"
            )
    columns = None if call.as_json else width()
    if columns is None:
        counted = seen.look() if seen is not None else {}
        tell(status_json(status, counted) if call.as_json else status_table(status))
    else:
        from speaker.cli.status_screen import text

        unfold = call.unfold or bool(call.words)
        show(text(status, columns, unfold=unfold, colour=has_colours()))
    done = not missing and all(route.as_wanted for route in status.routes)
    return ExitStatus.DONE if done else ExitStatus.NOT_AS_WANTED
