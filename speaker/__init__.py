"""Everything that touches the world: daemons, IPVS, DNS, files, sockets."""
