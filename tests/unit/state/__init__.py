"""speaker/state: the state file."""
