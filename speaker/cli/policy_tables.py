"""What vip_mgmt prints of the policy of all data centres: findings, and who takes over what."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from policy.wording import count, named
from speaker.terminal import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from policy.best_path import Choice
    from policy.failover import Load, Takeover
    from policy.lint.finding import Finding
    from policy.topology import Topology
    from speaker.check.report import Report

    Loads = Mapping[str, Load]

_NAMED = 3


def check_text(path: Path, prefixes: int, findings: Sequence[Finding]) -> str:
    """Return `vip_mgmt check`: what is wrong at many places in the same way is said once."""
    alike: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        alike.setdefault((finding.code, finding.found, finding.remedy), []).append(finding)
    lines = []
    for group in alike.values():
        shown = named([finding.subject for finding in group], _NAMED)
        lines.append(str(replace(group[0], subject=shown)))
    said = count(len(findings), "finding") if findings else "no findings"
    return "\n".join([*lines, f"{path}: {count(prefixes, 'prefix')}, {said}"])


def check_json(path: Path, prefixes: int, report: Report) -> str:
    """Return `vip_mgmt check --json`."""
    return json.dumps(
        {
            "file": str(path),
            "prefixes": prefixes,
            "findings": [finding.as_json() for finding in report.findings],
            "notes": [*report.notes],
        },
        indent=2,
    )


def takeover_table(
    topology: Topology,
    without: Sequence[str],
    moves: Sequence[Takeover],
    loads: tuple[Loads, Loads],
) -> str:
    """Return `vip_mgmt plan --without DC`: who takes over what, and what each then has."""
    moving = [move for move in moves if move.before != move.after]
    rows = [("PREFIX", "VIP", "BEFORE", "AFTER")]
    rows += [
        (str(move.prefix), move.vip, _holders(move, move.before), _holders(move, move.after))
        for move in moving
    ]
    failed = ", ".join(without)
    head = f"without {failed}: {len(moving)} of {count(len(moves), 'address')} {'moves' if len(moving) == 1 else 'move'}"
    before, after = loads
    shares = [("DC", "WEIGHT", "BEFORE", "AFTER")]
    shares += [
        (dc.name, f"{dc.weight:g}", _part(before[dc.name]), _part(after[dc.name]))
        for dc in topology.dcs
    ]
    parts = [head, *([table(rows)] if moving else []), table(shares)]
    return "\n\n".join(parts)


def takeover_json(
    topology: Topology,
    without: Sequence[str],
    moves: Sequence[Takeover],
    loads: tuple[Loads, Loads],
) -> str:
    """Return `vip_mgmt plan --without DC --json`. No data centre is an empty list."""
    before, after = loads
    return json.dumps(
        {
            "without": [*without],
            "addresses": [
                {
                    "vip": move.vip,
                    "prefix": str(move.prefix),
                    "before": sorted(move.before),
                    "after": sorted(move.after),
                    "equal": move.equal,
                }
                for move in moves
            ],
            "shares": [
                {
                    "dc": dc.name,
                    "weight": dc.weight,
                    "before": asdict(before[dc.name]),
                    "after": asdict(after[dc.name]),
                }
                for dc in topology.dcs
            ],
        },
        indent=2,
    )


def _holders(move: Takeover, names: Choice) -> str:
    shown = ", ".join(sorted(names)) or "NONE"
    return f"equal: {shown}" if move.equal and len(names) > 1 else shown


def _part(load: Load) -> str:
    return f"{load.addresses} ({load.share:.0%})"
