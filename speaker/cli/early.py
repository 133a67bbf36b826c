"""vip_mgmt -a and -d, asked before vip.toml is parsed: of ten thousand VIPs that takes longer than all else.

The request says which file it is about, by its digest. The watchdog applies it where that is what it loaded,
for the same data centre and backend; else nothing is done, and it is asked again as always. What `all` and
addresses mean, the file alone tells, so they are the same to both. An answer about addresses is all that is needed
(see `speaker.cli.at_once`). For the rest the file is parsed here meanwhile, which tells what the answer must be
about, and how long to wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.intent import Intent
from speaker.cli.arguments import ALL
from speaker.cli.extents import wait_for_others
from speaker.control.early import EarlyRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.route import Prefix
    from speaker.cli.arguments import Call
    from speaker.cli.node import Node


def ask_early(call: Call, node: Node, prefixes: Sequence[Prefix]) -> EarlyRequest | None:
    """Ask for what a call wants of the prefixes that it means, besides `all`; None where nothing was asked."""
    try:
        Intent(call.mode, "", 0.0, call.reason)
    except PolicyError:
        return None  # the reason is none
    body = {
        "digest": node.digest,
        "dc": node.dc,
        "backend": node.backend,
        "mode": call.mode,
        "prefixes": [*map(str, prefixes)],
        "everything": ALL in call.words,
        "reason": call.reason,
        "seconds": call.seconds,
        "dry_run": call.dry_run,
        **({"last": True} if call.last else {}),
        **({"force": True} if call.force else {}),
        **(
            {"extent": call.extent, "within": wait_for_others(call, node.within)}
            if call.extent
            else {}
        ),
    }
    return EarlyRequest.send(node.control, body)
