"""The answer of `vip_mgmt compare`: the UPDATEs of a bgpd's configuration, or of the bgpd that runs, beside ExaBGP's."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from policy.wording import count
from speaker.migration import running_bgpd
from speaker.migration.bgpd_conf.answers import Answers
from speaker.migration.bgpd_conf.model import Dialect
from speaker.migration.this_machine import MachineAsked, read_it
from speaker.migration.updates.as_sent import OF_A_VRF, Tables, as_sent
from speaker.migration.updates.compare import Pair, compare, fields
from speaker.migration.updates.evaluate import evaluate
from speaker.terminal import table

if TYPE_CHECKING:
    from pathlib import Path

    from speaker.config.settings import Config
    from speaker.migration.bgpd_conf.model import Obstacle, Taken


@dataclass(frozen=True, slots=True)
class Comparison:
    """What both speakers send: what differs, what is equal, and what the file does not let one know.

    `lines` are those of the file that are not understood: what they decide is not known, also where
    they are of a network or a neighbour that is in no pair.
    """

    file: str
    read_as: Taken
    dc: str
    pairs: tuple[Pair, ...]
    lines: tuple[Obstacle, ...]
    told: tuple[str, ...] = ()
    """Where the bgpd that runs has sent something else than what its configuration says."""

    @property
    def differences(self) -> tuple[Pair, ...]:
        """Return what differs for certain."""
        return tuple(pair for pair in self.pairs if pair.differences and not pair.doubts)

    @property
    def unproven(self) -> tuple[Pair, ...]:
        """Return what lines that are not understood may decide, and what bgpd was to tell and does not."""
        return tuple(pair for pair in self.pairs if _is_unproven(pair))

    @property
    def equal(self) -> tuple[Pair, ...]:
        """Return what is equal."""
        return tuple(pair for pair in self.pairs if not (pair.differences or _is_unproven(pair)))

    @property
    def are_equal(self) -> bool:
        """Return whether all is equal, and known to be."""
        return not (self.differences or self.unproven or self.lines)


def _is_unproven(pair: Pair) -> bool:
    return bool(pair.doubts or (pair.unseen and not pair.differences))


def make(
    path: Path,
    config: Config,
    said: str,
    answers: Answers | None = None,
    asked: MachineAsked | None = None,
) -> Comparison:
    """Return what bgpd sends with a file, or has sent, beside what ExaBGP will with a configuration.

    Args:
        path: of the file, or `@running`: then bgpd's own tables say what it has sent, as far as they show it.
        config: the configuration.
        said: whose the file is, `frr` or `quagga`; empty where it tells.
        answers: what else it does not tell.
        asked: what of this machine is asked, where that is meant; None for the real one.

    Raises:
        MigrationError: the file can't be read, or nothing of it can be said.
    """
    asked = asked or MachineAsked()
    program = config.settings.quagga.vtysh
    answers = answers or Answers()
    configuration, seen = read_it(path, Dialect(said) if said else None, answers, asked, program)
    evaluation = evaluate(configuration)
    settings = config.settings
    pairs = compare(
        configuration, evaluation, config.topology, settings.dc, settings.exabgp.next_hop
    )
    told: tuple[str, ...] = ()
    if seen is not None:
        tables = Tables(unseen=OF_A_VRF)
        if answers.named_vrf is None:
            tables = asyncio.run(running_bgpd.ask(asked.vtysh(program)))
        pairs, told = as_sent(pairs, configuration, tables)
    return Comparison(
        str(path), configuration.read_as, settings.dc.name, pairs, evaluation.obstacles, told
    )


_WORDS = {
    "as_path": "AS_PATH",
    "origin": "ORIGIN",
    "med": "MED",
    "communities": "COMMUNITIES",
    "large_communities": "LARGE_COMMUNITIES",
    "extended_communities": "EXTENDED_COMMUNITIES",
    "local_pref": "LOCAL_PREF",
    "next_hop": "NEXT_HOP",
}


def as_table(found: Comparison) -> str:
    """Return the differences, one attribute a line, below them what is not known and what is equal."""
    text = []
    if found.differences:
        rows: list[tuple[str, ...]] = [("PREFIX", "NEIGHBOR", "AS", "DIFFERS IN", "BGPD", "EXABGP")]
        rows += [row for pair in found.differences for row in _differences(pair)]
        text += [table(rows), ""]
    if found.unproven:
        rows = [("PREFIX", "NEIGHBOR", "AS", "UNPROVEN", "EXABGP")]
        rows += [
            (*_head(pair), ", ".join(_where(pair)), str(pair.new or f"not sent: {pair.silence}"))
            for pair in found.unproven
        ]
        text += [table(rows), ""]
    if found.lines:
        text += ["not understood, so it is unknown what they make bgpd send:"]
        text += [*(f"  {line}" for line in found.lines), ""]
    if found.told:
        text += ["bgpd has sent something else than what its configuration says:"]
        text += [*(f"  {line}" for line in found.told), ""]
    if found.equal:
        head = ("PREFIX", "NEIGHBOR", "AS", "EQUAL")
        text += [table([head, *((*_head(pair), _equal(pair)) for pair in found.equal)]), ""]
    return "\n".join([*text, f"{found.file} and ExaBGP in {found.dc}: {_count(found)}"])


def _count(found: Comparison) -> str:
    """Return the sum of it, in which nothing is called equal that is not known to be."""
    differ, total = len(found.differences), len(found.pairs)
    if not total:
        return "neither sends anything" if not found.lines else "it is unknown what bgpd sends"
    if differ:
        text = f"{differ} of {count(total, 'UPDATE')} {'differs' if differ == 1 else 'differ'}"
    elif found.unproven:
        text = f"{len(found.equal)} of {count(total, 'UPDATE')} {'is' if len(found.equal) == 1 else 'are'} equal"
    else:
        text = "all " * (total > 1) + count(total, "UPDATE", "equal")
    if found.unproven:
        return f"{text}, {len(found.unproven)} unproven"
    return f"{text}; it is unknown what bgpd sends besides" if found.lines else text


_NAMED = 8
"""So many lines are named in each row; all of them stand below the table."""


def _where(pair: Pair) -> tuple[str, ...]:
    if not pair.doubts:
        return (pair.unseen,)
    places = [*dict.fromkeys(doubt.statement.where for doubt in pair.doubts[: _NAMED + 1])]
    more = len(pair.doubts) - _NAMED
    return (*places[:_NAMED], *([f"{more} more"] if more > 0 else []))


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


def as_json(found: Comparison) -> str:
    """Return the same for programs."""
    return json.dumps(
        {
            "file": found.file,
            "read_as": found.read_as.dialect,
            "dc": found.dc,
            "differences": [_json(pair) for pair in found.differences],
            "equal": [_json(pair) for pair in found.equal],
            "unproven": [
                {**_json(pair), "lines": [*map(str, pair.doubts)], "unseen": pair.unseen or None}
                for pair in found.unproven
            ],
            "lines": [*map(str, found.lines)],
            "told": [*found.told],
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
