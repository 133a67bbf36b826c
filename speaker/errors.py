"""The root of this package's errors."""


class SpeakerError(Exception):
    """`<what failed>: <object>: <what was found>; <what was expected, or the remedy>`."""
