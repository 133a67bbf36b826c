"""Who asks: names of users, and of who became root by sudo."""

from __future__ import annotations

import os
import pwd
import re

_USER = re.compile(r"(?!root$)[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}")


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
