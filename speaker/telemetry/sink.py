"""What goes wrong where an event is sent."""

from speaker.errors import SpeakerError


class SinkError(SpeakerError):
    """An event was not taken; another time it may be."""


class RefusedEventError(SinkError):
    """An event was not taken, and never will be."""
