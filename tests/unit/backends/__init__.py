"""speaker/backends: the routing daemons."""
