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
from policy.route import parse_prefix
from speaker.cli.arguments import ALL
from speaker.cli.extents import wait_for_others
from speaker.control.early import EarlyRequest

if TYPE_CHECKING:
    from speaker.cli.arguments import Call
    from speaker.cli.node import Node


def ask_early(call: Call, node: Node) -> EarlyRequest | None:
    """Ask for what a call wants, where that can be asked without knowing more; None where nothing was asked."""
    try:
        prefixes = [str(parse_prefix(word)) for word in call.words if word != ALL]
        Intent(call.mode, "", 0.0, call.reason)
    except PolicyError:
        return None  # one is a name, or the reason is none
    body = {
        "digest": node.digest,
        "dc": node.dc,
        "backend": node.backend,
        "mode": call.mode,
        "prefixes": prefixes,
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
