"""The style and the script of the status page: files of this program, and of no one else."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from speaker.telemetry.sending import Content

ASSETS = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}


@cache
def asset(name: str) -> Content:
    """Return one of them."""
    return Content(ASSETS[name], files(__name__).joinpath(name).read_bytes())
