"""What applications and operators report, and what is shown of that: values, with their JSON. See `speaker.api`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Protocol, Self

from pydantic import BeforeValidator, ConfigDict, Field, Strict

from policy.report import AppReport, ReportState
from policy.sources import LONGEST
from speaker import units
from speaker.json_value import Value
from speaker.printable import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

_Text = Annotated[str, Strict()]
_Truth = Annotated[bool, Strict()]
_Time = Annotated[float, Strict()]
_Form = Annotated[str, Field(pattern=f"^(?:{units.DURATION})$")]


def _ttl(written: object) -> float:
    """Parse a time to live. Its bounds are looked at here: then what was written is told, by every pydantic."""
    seconds = units.duration(written)
    if seconds <= 0:
        raise ValueError(f"{shown(str(written))} is too little; write more than 0")
    if seconds > LONGEST:
        raise ValueError(
            f'{shown(str(written))} is too much; write "{units.duration_text(LONGEST)}" at most'
        )
    return seconds


Ttl = Annotated[
    float,
    BeforeValidator(_ttl, json_schema_input_type=_Form),
    Field(description='For how long this holds, like "30s" or "5m". Report again before it ends.'),
]
Weight = Annotated[
    float, Strict(), Field(ge=0, le=1, description="What can be taken, from 0 to 1. It is shown.")
]
Reason = Annotated[
    str, Strict(), Field(max_length=200, description="Why, for status and history: printable text.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRequest(Value):
    """What an application says of itself, and for how long that holds, in seconds."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    state: ReportState
    ttl: Ttl
    reason: Reason = ""
    weight: Weight = 1.0

    def __post_init__(self) -> None:
        """Refuse a reason that no report can have."""
        self.report("", 0.0)

    def report(self, by: str, now: float) -> AppReport:
        """Return the report that it comes to.

        Args:
            by: who says it.
            now: seconds since the epoch.

        Raises:
            PolicyError: the reason is too long, or not printable.
        """
        return AppReport(self.state, by, now, self.ttl, self.reason, self.weight)

    def to_json(self) -> dict[str, object]:
        """Return it as JSON values, its time as it is written."""
        return {**self.values(), "ttl": units.duration_text(self.ttl)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportStatus(Value):
    """The last report of a name. All but `name` and `expired` are null where there was none.

    `at` and `until` are seconds since the epoch, `expired`: whether it holds no more. `not_drained`: which VIPs' prefixes are not drained, though it says
    `drain`, and why, in words; told only to who reports.
    """

    name: _Text
    state: _Text | None = None
    by: _Text | None = None
    at: _Time | None = None
    until: _Time | None = None
    reason: _Text | None = None
    weight: Annotated[float, Strict()] | None = None
    expired: _Truth = False
    not_drained: _Text | None = None

    @classmethod
    def of(cls, name: str, report: AppReport | None, now: float) -> Self:
        """Return what there is to say of one. `now` is seconds since the epoch."""
        if report is None:
            return cls(name=name)
        return cls(
            name=name,
            state=str(report.state),
            by=report.by,
            at=report.at,
            until=report.until,
            reason=report.reason,
            weight=report.weight,
            expired=report.left(now) == 0,
        )


class Reporter(Protocol):
    """Who takes reports: the watchdog that runs, or the state file where none does."""

    def report(self, name: str, request: ReportRequest) -> ReportStatus:
        """Record a report durably. Raises SpeakerError where that can't be done."""
        ...

    def reports(self) -> Sequence[ReportStatus]:
        """Return the last report of each name that vip.toml has."""
        ...


def unknown_report(name: str, known: Sequence[str]) -> str:
    """Return what is said where there is no report of a name."""
    some = ", ".join(sorted(known)[:5])
    there = f"vip.toml has {some}" if some else "vip.toml has no [report]"
    return f"report: {name[:64]!r}: unknown; {there}"
