"""What vip_mgmt can do and say where no watchdog answers: from the configuration and the state file."""

from __future__ import annotations

import os
import pwd
import re
import time
from typing import TYPE_CHECKING, Any

from policy.assess import duties
from policy.intent import Intent, Mode
from speaker.errors import SpeakerError
from speaker.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from policy.route import Prefix
    from speaker.config.settings import Config

_USER = re.compile(r"(?!root$)[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}")


def wish(
    config: Config, prefixes: Sequence[Prefix], intent: Intent, *, dry_run: bool
) -> list[dict[str, Any]]:
    """Record an operator's wish durably. A watchdog that runs reads it in its next cycle.

    Returns:
        The state of each prefix: nothing is known of it but the wish, which is `recorded`.

    Raises:
        StoreError: it could not be recorded.
    """
    seconds = config.settings.interval
    when = (
        f"a vip_watchdog that runs takes it within {seconds:g} s, else the next that ExaBGP starts"
    )
    return record(config, prefixes, intent, when, dry_run=dry_run)


def record(
    config: Config, prefixes: Sequence[Prefix], intent: Intent, when: str, *, dry_run: bool
) -> list[dict[str, Any]]:
    """Record a wish, and say when it takes effect. A dry run does so in a copy of the file. See `wish`."""
    store = Store(config.settings.state, rehearse=dry_run)
    try:
        replaced = store.set_intents(dict.fromkeys(prefixes, intent))
    finally:
        store.close()
    would = "would be" if dry_run else "is"
    said = f"{intent.mode} {would} recorded; {when}"
    return [
        {"prefix": str(p), "recorded": said, "was": str(replaced[p]) if p in replaced else ""}
        for p in prefixes
    ]


def user() -> str:
    """Return the name of the user who runs this; with sudo, of who became root by it, too."""
    return owner(os.getuid(), sudo_user())


def sudo_user() -> str:
    """Return who became root by sudo, or nothing."""
    name = os.environ.get("SUDO_USER", "")
    return name if _USER.fullmatch(name) else ""


def owner(uid: int, sudo_user: str) -> str:
    """Return who wants something: a user, or `root (alice)` where root says that alice used sudo.

    Args:
        uid: the user, as the kernel tells.
        sudo_user: what the user says that sudo said. Only root's word counts: others could take
            any name.
    """
    name = name_of(uid)
    return f"{name} ({sudo_user})" if uid == 0 and _USER.fullmatch(sudo_user) else name


def name_of(uid: int) -> str:
    """Return a user's name, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def status(config: Config, why: str) -> dict[str, Any]:
    """Return the form of `status.status`, where the daemon could not be asked.

    Raises:
        StoreError: the state file can't be read.
    """
    settings = config.settings
    store = Store(settings.state)
    try:
        now = time.time()
        intents = {p: i for p, i in store.intents().of.items() if i.in_force(now)}
    finally:
        store.close()
    routes: list[dict[str, Any]] = [
        {
            "vip": duty.vip.name,
            "prefix": str(prefix),
            "announced": None,
            "peers": {},
            "up": [],
            "lack": "",
            "as_path": list(duty.route.attributes.as_path),
            "rank": duty.rank,
            "prepends": duty.profile.prepends,
            "realservers": None,
            "health": "unknown",
            "intent": intents[prefix].mode if prefix in intents else Mode.AUTO,
            "reason": str(intents[prefix]) if prefix in intents else "no vip_watchdog answers",
            "wanted": None,
            "as_wanted": False,
        }
        for prefix, duty in duties(config.topology, settings.dc).items()
    ]
    return {
        "dc": settings.dc.name,
        "backend": settings.backend,
        "daemon": {"name": "", "untested": ""},
        "configuration": {"file": "", "state": "unknown", "trouble": ""},
        "last_cycle": None,
        "peers": [],
        "routes": routes,
        "sessions": [],
        "trouble": [why],
    }


def history(config: Config, prefixes: Collection[Prefix]) -> list[dict[str, Any]]:
    """Return the form of `status.history`.

    Raises:
        StoreError: the state file can't be read.
    """
    store = Store(config.settings.state)
    try:
        return [entry.as_json() for entry in store.history(prefixes)]
    finally:
        store.close()


def explain(config: Config, prefixes: Sequence[Prefix], why: str) -> list[dict[str, Any]]:
    """Refuse: only a watchdog can explain.

    Raises:
        SpeakerError: always.
    """
    del config
    raise SpeakerError(f"{why}; {', '.join(map(str, prefixes))}: {_ONLY_IT}")


def plan(config: Config, why: str) -> list[dict[str, str]]:
    """Refuse: only a watchdog knows the difference.

    Raises:
        SpeakerError: always.
    """
    del config
    raise SpeakerError(f"{why}; plan: {_ONLY_IT}")


_ONLY_IT = "only vip_watchdog knows; see that ExaBGP runs, and that it answers"
