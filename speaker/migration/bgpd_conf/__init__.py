"""READ: bgpd.conf or frr.conf -> Configuration, a verdict for every line. `reader` is the door."""
