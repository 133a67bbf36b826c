"""vip_mgmt plan --without DC: prints who takes over, from the configuration alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.failover import loads, takeovers
from policy.lint.notes import notes
from policy.wording import count
from speaker.cli.messages import tell_operator
from speaker.cli.policy_tables import takeover_json, takeover_table
from speaker.exit_status import ExitStatus
from speaker.nearest import nearest
from speaker.terminal import tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.route import Prefix
    from policy.topology import Topology
    from speaker.cli.arguments import Call


def takeover(call: Call, topology: Topology, prefixes: Sequence[Prefix]) -> ExitStatus:
    """Print who takes over which prefixes; without any name, all.

    Raises:
        PolicyError: a data centre is not known.
    """
    failed = tuple(dict.fromkeys(call.without))
    known = [dc.name for dc in topology.dcs]
    try:
        moves = takeovers(topology, failed)
    except PolicyError as error:
        unknown = next((name for name in failed if name not in known), "")
        raise PolicyError(f"{error}{nearest(unknown, known)}") from error
    parts = (
        loads(topology, [move.before for move in moves]),
        loads(topology, [move.after for move in moves]),
    )
    wanted = frozenset(prefixes)
    shown = [move for move in moves if not call.words or move.prefix in wanted]
    show = takeover_json if call.as_json else takeover_table
    for note in notes(topology):
        tell_operator(note)
    tell(show(topology, failed, shown, parts))
    lost = [move.prefix for move in shown if not move.after]
    if lost:
        tell_operator(
            f"without {', '.join(failed)}: no data centre is left for {count(len(lost), 'address')}"
        )
    return ExitStatus.DIFFERENT if lost else ExitStatus.DONE
