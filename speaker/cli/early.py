"""vip_mgmt -a and -d, asked before vip.toml is parsed: of ten thousand VIPs that takes longer than all else.

The request says which file it is about, by its digest. The watchdog applies it where that is what it loaded,
for the same data centre and backend; else nothing is done, and it is asked again as always. What `all`, addresses and
the names of VIPs mean, the file alone tells, so they are the same to both: what DNS has beside is said, and done with
--dns alone. An answer about addresses and names is all that is needed, where DNS has the same (see `speaker.cli.applied`).
For the rest the file is parsed here meanwhile, which tells what the answer must be about, and how long to wait for it.
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
    from collections.abc import Sequence

    from policy.route import Prefix
    from speaker.cli.arguments import Call
    from speaker.cli.node import Node


def split(words: Sequence[str]) -> tuple[list[Prefix], list[str]]:
    """Return the prefixes and the names that were typed, each once, besides `all`; the names as vip.toml has them."""
    prefixes: dict[Prefix, None] = {}
    names: dict[str, None] = {}
    for word in words:
        if word == ALL:
            continue
        try:
            prefixes[parse_prefix(word)] = None
        except PolicyError:
            names[word.lower().removesuffix(".")] = None
    return [*prefixes], [*names]


def ask_early(call: Call, node: Node) -> EarlyRequest | None:
    """Ask for what a call wants of what it names; None where nothing was asked."""
    prefixes, names = split(call.words)
    if names and call.dns:
        return None  # what they mean DNS says, too
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
        **({"names": names} if names else {}),
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
