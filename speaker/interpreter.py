"""How the commands use Python, where they are processes of their own: what would only take time and memory is off."""

import gc
import os
from typing import NoReturn

NO_PLUGINS = "PYDANTIC_DISABLE_PLUGINS"


def begin() -> None:
    """Look for no garbage, which takes a short program longer than leaving it; nor for plugins of what reads vip.toml.

    Those that other packages bring have no say in it.
    """
    gc.disable()
    os.environ.setdefault(NO_PLUGINS, "__all__")


def end() -> None:
    """Look for no garbage at the end either: that takes a tenth of a pass."""
    gc.freeze()


def leave(status: int) -> NoReturn:
    """End this process, and whatever its threads are doing.

    Python's own end takes from under them the interpreter that they run in: until 3.14 it unwinds their stacks, and where
    what checks vip.toml is on one, which is not written in C, the process aborts, with a core, or meets memory that is gone. What is
    printed is out by then: see `speaker.terminal`.

    Args:
        status: the exit status.
    """
    os._exit(status)
