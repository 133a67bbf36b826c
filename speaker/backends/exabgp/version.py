"""Which ExaBGP it is: by its answer to `version`, or by how it refuses to answer. No I/O."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from speaker.backends.base import Daemon

if TYPE_CHECKING:
    from collections.abc import Iterable

# The first release of each that is tested. 5.0.13 closed a hole by which a peer could write commands.
_TESTED = {(4, 2): 21, (5, 0): 15}
_APIS = ("4.", "5.")
_VERSION = re.compile(r"exabgp ([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})\b")
UNTESTED = (
    "this program is tested with ExaBGP 4.2 (from 4.2.21) and 5.0 (from 5.0.15); "
    "install exabgp>=5.0.15,<6"
)


def parse_version(lines: Iterable[str]) -> Daemon | None:
    """Parse the answer to `version`; None where it is none."""
    for line in lines:
        if match := _VERSION.match(line):
            major, minor, patch = map(int, match.groups())
            name = f"ExaBGP {major}.{minor}.{patch}"
            first = _TESTED.get((major, minor))
            if first is None:
                return Daemon(name, UNTESTED, known=False)
            return Daemon(name, "" if patch >= first else UNTESTED)
    return None


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
