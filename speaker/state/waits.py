"""How long the state file is waited for while another program holds it, in seconds."""

BUSY = 3.0
BUSY_READING = 1.0
"""... while it is only read."""
