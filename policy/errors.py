"""The root of this package's errors."""

from __future__ import annotations


class PolicyError(ValueError):
    """A value that the policy refuses: `<what>: <object>: <what was found>; <what to do>`."""
