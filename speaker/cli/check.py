"""vip_mgmt check: prints what is found, in vip.toml and beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from speaker import check as checks
from speaker.cli.messages import tell_operator
from speaker.cli.policy_tables import check_json, check_text
from speaker.exit_status import ExitStatus
from speaker.terminal import tell

if TYPE_CHECKING:
    from speaker.cli.arguments import Call
    from speaker.config.settings import Config


def check(call: Call, config: Config) -> ExitStatus:
    """Check a configuration, of which ranks may tie.

    Raises:
        SpeakerError: another site's file can't be read.
    """
    count = len(config.topology.prefixes)
    others = [*map(Path, call.words)]
    report = checks.check(call.path, os.environ, config, others, offline=call.offline)
    if call.as_json:
        tell(check_json(call.path, count, report))
    else:
        for note in report.notes:
            tell_operator(note)
        tell(check_text(call.path, count, report.findings))
    if report.is_refused:
        return ExitStatus.USAGE
    return ExitStatus.DIFFERENT if report.findings else ExitStatus.DONE
