"""Which ExaBGP it is: by its answer to `version`, or by how it refuses to answer. No I/O."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from speaker.backends.base import Daemon
from speaker.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

# The first release of each that is tested. 5.0.13 closed a hole by which a peer could write commands.
_TESTED = {(4, 2): 21, (5, 0): 15}
_APIS = ("4.", "5.")
_ANSWER = re.compile(r"exabgp +(\S.*)")
# What follows does not count: rc1, or what a build of one's own adds.
_NUMBERS = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})(?:\.([0-9]{1,9}))?(?![0-9])")
_SHOWN = 40
"""Characters of a version that is none of these."""
UNTESTED = (
    "this program is tested with ExaBGP 4.2 (from 4.2.21) and 5.0 (from 5.0.15); "
    "install exabgp>=5.0.15,<6"
)


def parse_version(lines: Iterable[str]) -> Daemon:
    """Parse the answer to `version`. What tells none, or one that can't be read, is not known."""
    for line in lines:
        if (answer := _ANSWER.fullmatch(line)) is None:
            continue
        numbers = _NUMBERS.match(answer[1])
        if numbers is None:
            return Daemon(f"ExaBGP {printable(answer[1][:_SHOWN])}", UNTESTED, known=False)
        name = f"ExaBGP {numbers[0]}"
        first = _TESTED.get((int(numbers[1]), int(numbers[2])))
        if first is None:
            return Daemon(name, UNTESTED, known=False)
        return Daemon(name, "" if int(numbers[3] or 0) >= first else UNTESTED)
    return Daemon("ExaBGP that does not tell its version", UNTESTED, known=False)


def of_silence(api: str, *, refuses: bool) -> Daemon | None:
    """Return which ExaBGP it may be that has not answered yet; None where it may well be one that is known.

    Args:
        api: the version that it gives its JSON, nothing where there was no JSON yet.
        refuses: whether it has answered `error`, and nothing else.
    """
    if api and not api.startswith(_APIS):
        return Daemon(f"ExaBGP with an API {api}", UNTESTED, known=False)
    if refuses:
        return Daemon("ExaBGP that answers nothing but error", UNTESTED, known=False)
    return None
