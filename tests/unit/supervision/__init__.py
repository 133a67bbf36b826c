"""speaker/supervision: what keeps a process alive, and ends it in time."""
