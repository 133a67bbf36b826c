"""How the commands use Python, where they are processes of their own: what would only take time and memory is off."""

import gc
import os

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
