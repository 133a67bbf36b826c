"""The answer of `vip_mgmt compare`: two files are read, and their UPDATEs shown side by side."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from speaker.migration.compare import Pair, compare, fields
from speaker.migration.evaluate import evaluate
from speaker.migration.read import read
from speaker.migration.statement import MigrationError
from speaker.show import table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from speaker.settings import Config


def pairs(path: Path, config: Config) -> tuple[Pair, ...]:
    """Return what bgpd sends with a file, and what ExaBGP will with a configuration.

    Raises:
        MigrationError: the file can't be read, or has lines of which it is not known what they do.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MigrationError(f"{path}: {error.strerror}; name a bgpd.conf or frr.conf") from error
    configuration = read(str(path), content)
    evaluation = evaluate(configuration)
    if evaluation.obstacles:
        lines = "\n".join(map(str, evaluation.obstacles))
        raise MigrationError(f"{path}: can't be compared: what it sends is not known\n{lines}")
    settings = config.settings
    return compare(
        configuration, evaluation, config.topology, settings.dc, settings.exabgp.next_hop
    )


_WORDS = {
    "as_path": "AS_PATH",
    "origin": "ORIGIN",
    "med": "MED",
    "communities": "COMMUNITIES",
    "large_communities": "LARGE_COMMUNITIES",
    "local_pref": "LOCAL_PREF",
    "next_hop": "NEXT_HOP",
}


def as_table(path: Path, dc: str, found: Sequence[Pair]) -> str:
    """Return the differences, one attribute a line, and below them what is equal."""
    differ = [pair for pair in found if pair.differences]
    equal = [pair for pair in found if not pair.differences]
    text = []
    if differ:
        rows: list[tuple[str, ...]] = [("PREFIX", "NEIGHBOR", "AS", "DIFFERS IN", "BGPD", "EXABGP")]
        rows += [row for pair in differ for row in _differences(pair)]
        text += [table(rows), ""]
    if equal:
        head = ("PREFIX", "NEIGHBOR", "AS", "EQUAL")
        text += [table([head, *((*_head(pair), _equal(pair)) for pair in equal)]), ""]
    count = f"{len(differ)} of {len(found)} UPDATEs differ" if found else "neither sends anything"
    if found and not differ:
        count = f"all {len(found)} UPDATEs are equal"
    return "\n".join([*text, f"{path} and ExaBGP in {dc}: {count}"])


def _head(pair: Pair) -> tuple[str, str, str]:
    return str(pair.prefix), str(pair.neighbor), str(pair.asn)


def _differences(pair: Pair) -> list[tuple[str, ...]]:
    if pair.old is None or pair.new is None:
        sides = (str(side or f"not sent: {pair.silence}") for side in (pair.old, pair.new))
        return [(*_head(pair), "announced", *sides)]
    old, new = fields(pair.old), fields(pair.new)
    return [
        (*_head(pair), _WORDS[name], _say(old[name]), _say(new[name])) for name in pair.differences
    ]


def _say(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)


def _equal(pair: Pair) -> str:
    unproven = ", if that is bgpd's next hop, which its file does not say" if pair.unproven else ""
    return f"{pair.new}{unproven}"


def as_json(path: Path, dc: str, found: Sequence[Pair]) -> str:
    """Return the same for programs."""
    return json.dumps(
        {
            "file": str(path),
            "dc": dc,
            "differences": [_json(pair) for pair in found if pair.differences],
            "equal": [_json(pair) for pair in found if not pair.differences],
        },
        indent=2,
    )


def _json(pair: Pair) -> dict[str, Any]:
    return {
        "prefix": str(pair.prefix),
        "neighbor": str(pair.neighbor),
        "asn": pair.asn,
        "differs_in": [*pair.differences],
        "unproven": [*pair.unproven],
        "old": None if pair.old is None else fields(pair.old),
        "new": None if pair.new is None else fields(pair.new),
        "reason": pair.silence,
    }
