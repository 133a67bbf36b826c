"""A real kernel as one process: user-mode Linux over the host's own files, and tests that run in it."""
