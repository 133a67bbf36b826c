"""Off Quagga and FRR: what bgpd's configuration announces, and the same for ExaBGP."""
