"""What it means that a connection failed: it is the other end's doing, or a fault of this machine that tells nothing."""

from __future__ import annotations

import os
import ssl

from policy.health import Health
from speaker.health.checks.probe import ProbeAnswer
from speaker.health.faults import REFUSALS
from speaker.printable import printable, reason

CLOSED = ProbeAnswer(Health.DOWN, "closed the connection without an answer")


def failed(error: OSError) -> ProbeAnswer:
    """Return what an error says: of the other end, or only of this machine."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message or str(error)
        return ProbeAnswer(Health.DOWN, f"its certificate is not accepted: {printable(why)[:200]}")
    if isinstance(error, ssl.SSLError):
        return ProbeAnswer(Health.DOWN, f"TLS: {reason(error)[:200]}")
    if error.errno is None and isinstance(error, ConnectionResetError | BrokenPipeError):
        return CLOSED  # in the handshake of TLS, as asyncio tells it
    why = (os.strerror(error.errno) if error.errno else type(error).__name__).lower()
    if error.errno in REFUSALS:
        return ProbeAnswer(Health.DOWN, why)
    return ProbeAnswer(Health.UNKNOWN, f"{why}; a fault of this machine")
