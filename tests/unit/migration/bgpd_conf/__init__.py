"""speaker/migration/bgpd_conf: bgpd's configuration read."""
