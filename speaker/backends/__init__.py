"""The routing daemons: the contract of a backend, and the drivers that keep it."""
