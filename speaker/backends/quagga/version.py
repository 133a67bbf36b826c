"""Which bgpd this is, as `show version` says, and which ones this program is tested with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SHOW = "show version"
TESTED = {"FRR": ("8.4", "10.3", "10.7"), "Quagga": ("0.99", "1.2")}
"""Quagga by what it was recorded to say."""
_NAMES = {"FRRouting": "FRR", "Quagga": "Quagga"}
_NUMBER = r"(?P<number>(?:[0-9]{1,9}(?:\.[0-9]{1,9})?)?)"  # a build of one's own may have any text
_LINE = re.compile(rf"(?P<name>FRRouting|Quagga) (?=\S){_NUMBER}(?P<rest>\S*)(?: .*)?")
_RUNNING = re.compile(rf"frr version (?=\S){_NUMBER}(?P<rest>.*)")


@dataclass(frozen=True, slots=True)
class Version:
    """A version of bgpd. `str()` is `FRR 10.3.1`. `number` is empty where the version begins with none."""

    name: str
    number: str
    rest: str = ""

    @property
    def is_tested(self) -> bool:
        """Whether this program is tested with it. What follows the second number does not count."""
        return self.number in TESTED[self.name]

    @property
    def major(self) -> int | None:
        """The first number, None where there is none."""
        return int(self.number.partition(".")[0]) if self.number else None

    def __str__(self) -> str:
        return f"{self.name} {self.number}{self.rest}"


def parse_version(lines: Iterable[str]) -> Version | None:
    """Parse `show version`: None for what is neither FRR nor Quagga."""
    for line in lines:
        if match := _LINE.fullmatch(line.strip()):
            return Version(_NAMES[match["name"]], match["number"], match["rest"])
    return None


def parse_running_version(line: str) -> Version | None:
    """Parse the line of running-config in which FRR names its version: None for any other."""
    match = _RUNNING.fullmatch(line)
    return None if match is None else Version("FRR", match["number"], match["rest"])


def untested() -> str:
    """Return what to do about a version that this program is not tested with."""
    return f"tested are {tested()}: try it beside the others with vip_watchdog --shadow first"


def tested() -> str:
    """Return the versions that this program is tested with, in words."""
    return ", ".join(f"{name} {' and '.join(numbers)}" for name, numbers in TESTED.items())
