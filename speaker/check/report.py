"""Report: the faults that were found, and what could not be checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policy.lint.finding import Finding


@dataclass(frozen=True, slots=True)
class Report:
    """Faults, and what could not be checked, each with the reason; and whether other commands refuse the file."""

    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    is_refused: bool = False

    def __add__(self, other: Report) -> Report:
        return Report(
            (*self.findings, *other.findings),
            (*self.notes, *other.notes),
            self.is_refused or other.is_refused,
        )
