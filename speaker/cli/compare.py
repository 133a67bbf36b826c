"""vip_mgmt compare: prints where what ExaBGP sends differs from what a bgpd sends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from speaker.exit_status import ExitStatus
from speaker.migration import compare_command
from speaker.migration.bgpd_conf import answers
from speaker.terminal import say, tell

if TYPE_CHECKING:
    from speaker.cli.arguments import Call
    from speaker.config.settings import Config


def compare(call: Call, config: Config) -> ExitStatus:
    """Compare the configuration's announcements with those of the named file.

    Raises:
        SpeakerError: that file can't be read.
    """
    dc = str(config.settings.dc)
    asked = answers.parse(call.peer_as, call.peers, [dc], call.vrf)[dc]
    found = compare_command.make(Path(call.words[0]), config, call.daemon, asked)
    say(str(found.read_as))
    show = compare_command.as_json if call.as_json else compare_command.as_table
    tell(show(found))
    return ExitStatus.DONE if found.are_equal else ExitStatus.DIFFERENT
