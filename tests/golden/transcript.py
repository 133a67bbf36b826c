"""Owns the form of a recorded vtysh session: each command with its stdout, stderr and exit status."""

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from speaker.backends.quagga.vtysh import Output

FOLDER = Path(__file__).parent / "vtysh"
DIALECTS = ("quagga-0.99.22.4", "quagga-1.2.4", "frr-8.4.4", "frr-10.3", "frr-10.7.1")
_ENTRY = re.compile(
    r"\$ (?P<line>.*)\n--- stdout\n(?P<stdout>(?:.*\n)*?)"
    r"--- stderr\n(?P<stderr>(?:.*\n)*?)--- exit status: (?P<status>\d+)\n"
)
# What differs from run to run is compared, and recorded, as these.
_STEADY = {
    r"^hostname .*": "hostname lvs",
    r"^frr version .*": "frr version 0",
    r"table version (?:is )?\d+": "table version is 0",
    r"^(\S+ +4 +\d+) +.* \d\d:\d\d:\d\d +": r"\1 5 5 0 0 0 00:00:01 ",
    r"using \d+ (?:KiB|bytes) of memory": "using 1 KiB of memory",
    r"^RIB entries \d+": "RIB entries 1",
    r"Last update: .*": "Last update: Sun Nov 22 10:20:38 2026",
    r", version \d+$": ", version 0",
    r"fe80::[0-9a-f:]+": "fe80::1234:56ff:fe78:9abc",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One run: the command line as a person would type it, and what came of it."""

    line: str
    output: Output

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands of the line, each of which had its own `-c`."""
        words = shlex.split(self.line)
        return tuple(after for word, after in pairwise(words) if word == "-c")

    def __str__(self) -> str:
        output = self.output
        return (
            f"$ {self.line}\n--- stdout\n{output.stdout}--- stderr\n{output.stderr}"
            f"--- exit status: {output.status}\n"
        )


def line(commands: Iterable[str]) -> str:
    """Return the command line of some commands."""
    words = (word for command in commands for word in ("-c", command))
    return shlex.join(["vtysh", "-d", "bgpd", *words])


class Transcript:
    """The runs of one file, in their order."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)

    @classmethod
    def load(cls, dialect: str, name: str) -> "Transcript":
        """Read a file."""
        (path,) = (FOLDER / dialect).glob(f"{name}*.txt")
        entries = [
            Entry(found["line"], Output(int(found["status"]), found["stdout"], found["stderr"]))
            for found in _ENTRY.finditer(path.read_text())
        ]
        assert path.read_text().count("\n$ ") + 1 == len(entries) or path.read_text()[0] == "#"
        return cls(entries)

    def said(self, *commands: str, time: int = 0) -> Output:
        """Return what came of some commands.

        Args:
            commands: those of one run.
            time: which of several runs of them, the first is 0.

        Raises:
            LookupError: they were not run so often.
        """
        found = [entry.output for entry in self.entries if entry.commands == commands]
        try:
            return found[time]
        except IndexError:
            message = f"{commands}: recorded {len(found)} times"
            raise LookupError(message) from None

    def __str__(self) -> str:
        return "".join(map(str, self.entries))


def steady(text: str) -> str:
    """Return a text without what differs from run to run."""
    for pattern, replacement in _STEADY.items():
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return text
