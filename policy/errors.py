"""The root of this package's errors."""

from __future__ import annotations


class PolicyError(ValueError):
    """A value that the policy refuses: `<what>: <object>: <what was found>; <what to do>`."""

    def __init__(self, message: str, *, of: str = "") -> None:
        """Take the text in its parts, for those who name the place themselves.

        Args:
            message: what was found, and what to do.
            of: what was refused, where `message` does not begin with it.
        """
        super().__init__(f"{of}: {message}" if of else message)
        self.message = message
