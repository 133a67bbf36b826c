"""speaker/backends/exabgp: ExaBGP's process API."""
