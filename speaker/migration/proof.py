"""The proof of an import: vip.toml is loaded as any other, and its UPDATEs compared with those of before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from policy.lint import lint
from policy.lint.notes import notes as upstream_notes
from speaker import config
from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.updates.compare import compare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from speaker.migration.target.site import Site
    from speaker.migration.updates.evaluate import Evaluation


def prove(
    path: Path,
    sites: Sequence[Site],
    evaluations: Mapping[str, Evaluation],
    before: str = "bgpd",
) -> tuple[str, ...]:
    """Prove that vip.toml loads and sends what was sent before; return what `check` finds in it.

    Args:
        path: of vip.toml.
        sites: the data centres.
        evaluations: what each sent before, by its name.
        before: who sent it.

    Raises:
        SpeakerError: it is not so.
    """
    findings: tuple[str, ...] = ()
    for each in sites:
        loaded = config.load(path, {"VIP_DC": each.name}, obeyed=False)
        settings = loaded.settings
        pairs = compare(
            replace(each.configuration, neighbors=each.neighbors),
            evaluations[each.name],
            loaded.topology,
            settings.dc,
            settings.exabgp.next_hop,
        )
        wrong = [
            f"{pair.neighbor}: {pair.prefix}: {before} sends {pair.old}, and ExaBGP would {pair.new}"
            for pair in pairs
            if pair.differences
        ]
        if wrong:
            raise MigrationError(
                "\n".join([*wrong, "internal error in import; nothing is written"])
            )
        findings = (*map(str, lint(loaded.topology)), *upstream_notes(loaded.topology))
    return findings
