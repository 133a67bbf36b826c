"""SeenPath and WitnessStatus: what witnesses tell, as a watchdog answers with it, with its JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Strict

from speaker.json_value import Value

Text = Annotated[str, Strict()]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPath(Value):
    """A path of a prefix at a witness. `dc`: whose it is, empty where that can't be told. `best`: by the model."""

    at: Text
    dc: Text = ""
    as_path: tuple[Annotated[int, Strict()], ...] = ()
    best: Annotated[bool, Strict()] = False

    def __str__(self) -> str:
        path = " ".join(map(str, self.as_path)) or "local"
        return f"seen at {self.at}: {self.dc or 'unknown'} {path}{', best' if self.best else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessStatus(Value):
    """A witness. `hearing`: how much of its table is known (`policy.witness.Hearing`), and why not all, in words. `families`: those of its session."""

    name: Text
    asn: Annotated[int, Strict()]
    hearing: Text
    reason: Text = ""
    families: tuple[Annotated[int, Strict()], ...] = (4, 6)

    @property
    def is_whole(self) -> bool:
        """Whether all that it has is known."""
        return self.hearing == "whole"

    def __str__(self) -> str:
        return f"{self.name}: {self.reason or self.hearing}"
