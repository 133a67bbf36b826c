"""speaker/migration/updates: what bgpd sends."""
