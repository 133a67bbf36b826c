"""Owns the recorded lines: what ExaBGP really printed, kept for the tests of the driver.

`./dev goldens tests/daemons` records them anew. Lines that begin
with `#` are ours and tell the neighbours; all others are ExaBGP's.
"""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.support.lab.exabgp import Flavour
from tests.support.lab.session import Session

FOLDER = Path(__file__).parents[1] / "golden" / "exabgp"

# What differs from run to run is recorded as these.
_STEADY = {
    r'"time": [\d.]+': '"time": 1700000000.25',
    r'"host" : "[^"]*"': '"host" : "lb1"',
    r'"pid" : \d+': '"pid" : 4242',
    r'"ppid" : \d+': '"ppid" : 1',
    r'"counter": \d+': '"counter": 7',
    r"^(  host-name) (?!None).*": r"\1 lb1;",
    r"^(  domain-name) (?!None).*": r"\1 example.net;",
    r"^   (?:down for  |up for    )( +)[\d:]+": r"   up for    \g<1>0:00:01",
    r"^(   (?:open|notification|keepalive|update|refresh|total): +)\d+( +)\d+": r"\g<1>1\g<2>1",
}
# A newer patch release may say its number.
_PATCH_LEVEL = re.compile(r"(?<=exabgp \d\.\d\.)\d+")


def compare(flavour: Flavour, name: str, sessions: Sequence[Session], lines: Iterable[str]) -> None:
    """Check lines against what is recorded, or record them.

    Args:
        flavour: which ExaBGP said them.
        name: of the recording.
        sessions: its neighbours, as its own side sees them.
        lines: as the helper got them.
    """
    steady = [*map(_neighbour, sessions), *map(_steady, lines)]
    path = FOLDER / flavour / f"{name}.txt"
    if os.environ.get("VIP_REFRESH_GOLDENS") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(steady) + "\n", encoding="ascii")
    recorded = path.read_text(encoding="ascii").splitlines()
    assert list(map(_unpatched, steady)) == list(map(_unpatched, recorded))


def _neighbour(session: Session) -> str:
    here, there = (
        f"{a} AS {n}"
        for a, n in ((session.local, session.local_asn), (session.remote, session.remote_asn))
    )
    return f"# neighbour {there}, from {here}, {' and '.join(session.families)}"


def _steady(line: str) -> str:
    for pattern, replacement in _STEADY.items():
        line = re.sub(pattern, replacement, line)
    return line


def _unpatched(line: str) -> str:
    return _PATCH_LEVEL.sub("x", line)
