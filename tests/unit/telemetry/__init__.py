"""speaker/telemetry: what others may see."""
