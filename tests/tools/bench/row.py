"""One line of what is measured: values against a budget."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One budget: what was measured against what it may be."""

    what: str
    values: tuple[float, ...]
    budget: float
    unit: str
    note: str = ""

    @property
    def median(self) -> float:
        """What counts."""
        return statistics.median(self.values)

    @property
    def holds(self) -> bool:
        """Whether the budget holds."""
        return self.median <= self.budget

    def __str__(self) -> str:
        spread = f"{min(self.values):.3g}..{max(self.values):.3g}"
        return (
            f"{'ok  ' if self.holds else 'OVER'} {self.what}: {self.median:.3g} {self.unit} "
            f"({spread}, n={len(self.values)}), budget {self.budget:g} {self.unit}, "
            f"ratio {self.median / self.budget:.2f}{'; ' + self.note if self.note else ''}"
        )
