"""Report: the faults that were found, and what could not be checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policy.lint.finding import Finding


@dataclass(frozen=True, slots=True)
class Report:
    """Faults, and what could not be checked, each with the reason."""

    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    def __add__(self, other: Report) -> Report:
        return Report((*self.findings, *other.findings), (*self.notes, *other.notes))
