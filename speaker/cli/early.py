"""vip_mgmt -a and -d, asked before vip.toml is parsed: of ten thousand VIPs that takes longer than all else.

The request says which file it is about, by its digest. The watchdog applies it where that is what it loaded,
for the same data centre and backend; else nothing is done, and it is asked again as always. What `all` and
addresses mean, the file alone tells, so they are the same to both. Meanwhile it is parsed here as always,
which tells what the answer must be about, and how long to wait for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.intent import Intent
from policy.route import parse_prefix
from speaker.cli.arguments import ALL
from speaker.control.early import EarlyRequest
from speaker.errors import SpeakerError
from speaker.files import vip_toml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from speaker.cli.arguments import Call


def ask_early(call: Call, environ: Mapping[str, str]) -> EarlyRequest | None:
    """Ask for what a call wants, where that can be asked without knowing more; None where nothing was asked."""
    try:
        prefixes = [str(parse_prefix(word)) for word in call.words if word != ALL]
        Intent(call.mode, "", 0.0, call.reason)
    except PolicyError:
        return None  # one is a name, or the reason is none
    try:
        content = vip_toml.content(call.path, obeyed=True)
        node = vip_toml.head(content, environ)["node"]
        dc, backend = node["dc"], node.get("backend", vip_toml.DEFAULT_BACKEND)
        control = Path(node.get("control", vip_toml.DEFAULT_CONTROL))
    except (SpeakerError, KeyError, TypeError, AttributeError):
        return None  # what is wrong is said where all of it is read
    body = {
        "digest": vip_toml.digest(content),
        "dc": dc,
        "backend": backend,
        "mode": call.mode,
        "prefixes": prefixes,
        "everything": ALL in call.words,
        "reason": call.reason,
        "seconds": call.seconds,
        "dry_run": call.dry_run,
        **({"last": True} if call.last else {}),
    }
    return EarlyRequest.send(control, body)
