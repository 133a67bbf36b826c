"""One suite for every backend: what the watchdog relies on, whatever daemon is behind it."""
