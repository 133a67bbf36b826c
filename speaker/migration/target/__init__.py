"""WRITE: what bgpd sends -> vip.toml and exabgp.conf of each data centre."""
